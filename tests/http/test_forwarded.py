"""What proxies report is read from the right, whatever stands to the left of it."""

from __future__ import annotations

import pytest

from paraph.http.forwarded import (
    MAX_HOPS,
    Hop,
    forwarded_hops,
    parse_address,
    x_forwarded_hops,
)


@pytest.mark.parametrize(
    ("addresses", "schemes", "hops"),
    [
        (["1.2.3.4, 10.0.0.7"], ["https, http"], [("10.0.0.7", "http"), ("1.2.3.4", "https")]),
        # Several headers are one list (RFC 9110 section 5.3), and empty entries are none.
        (["1.2.3.4", "10.0.0.7"], ["https", "http"], [("10.0.0.7", "http"), ("1.2.3.4", "https")]),
        (
            [",1.2.3.4,, ,10.0.0.7,"],
            [", https ,,HTTP"],
            [("10.0.0.7", "http"), ("1.2.3.4", "https")],
        ),
        (["1.2.3.4, 10.0.0.7"], ["https"], [("10.0.0.7", "https"), ("1.2.3.4", "")]),
        # One scheme more than addresses belongs to a hop that did not say its address.
        (["10.0.0.7"], ["https, http"], [("10.0.0.7", "http"), ("", "https")]),
        (["10.0.0.7"], ["http, https, http"], [("10.0.0.7", "http"), ("", "https")]),
        ([], ["https, http"], [("", "http")]),
        (["1.2.3.4"], [], [("1.2.3.4", "")]),
        (['"1.2.3.4"'], ['"https"'], [("1.2.3.4", "https")]),
        (["1.2.3.4"], ["wss"], [("1.2.3.4", "https")]),
        (["1.2.3.4"], ["on"], [("1.2.3.4", "unreadable")]),
        ([], [], []),
        ([""], [" "], []),
    ],
)
def test_lists_are_read_together(
    addresses: list[str], schemes: list[str], hops: list[tuple[str, str]]
) -> None:
    """Address and scheme of one hop come from the same place, counted from the right."""
    headers = [
        *((b"x-forwarded-for", one.encode()) for one in addresses),
        *((b"x-forwarded-proto", one.encode()) for one in schemes),
    ]

    assert [Hop(*one) for one in hops] == x_forwarded_hops(headers)


@pytest.mark.parametrize(
    ("value", "hops"),
    [
        ("for=1.2.3.4;proto=https", [("1.2.3.4", "https")]),
        (
            'For="[2001:db8::1]:4711";Proto=http, for=10.0.0.7;proto="https"',
            [("10.0.0.7", "https"), ("[2001:db8::1]:4711", "http")],
        ),
        ("for=unknown, for=_hidden;by=_x", [("_hidden", ""), ("unknown", "")]),
        (" for=1.2.3.4 ; proto=https ;host=a.example", [("1.2.3.4", "https")]),
        ('for=1.2.3.4;secret="a,b;c";proto=https', [("1.2.3.4", "https")]),
        # A quote that a sender left open swallows nothing of what a proxy appended.
        ('for=", for=1.2.3.4;proto=http', [("1.2.3.4", "http"), ("", "unreadable")]),
        ('for="1.2.3.4, for=10.0.0.7', [("10.0.0.7", ""), ("", "unreadable")]),
        ("for=1.2.3.4;for=5.6.7.8", [("", "unreadable")]),
        ("for=1.2.3.4;proto=https;proto=http", [("", "unreadable")]),
        ("nonsense", [("", "unreadable")]),
        # Without `for` no hop is reported.
        ("proto=http", [("", "")]),
        (", ,", []),
        ("", []),
    ],
)
def test_forwarded_is_read_from_the_right(value: str, hops: list[tuple[str, str]]) -> None:
    """RFC 7239: quoted values, ports, obfuscated identifiers, and whatever else stands there."""
    assert [Hop(*one) for one in hops] == forwarded_hops([(b"forwarded", value.encode())])


def test_repeated_forwarded_headers_are_one_list() -> None:
    """The last element of the last header is the nearest hop's."""
    headers = [(b"forwarded", b"for=1.2.3.4"), (b"forwarded", b"for=10.0.0.7")]

    assert ["10.0.0.7", "1.2.3.4"] == [hop.address for hop in forwarded_hops(headers)]


@pytest.mark.parametrize("pattern", ["1.2.3.4,", ",", "a,", "[,", " ", '"', "for=1.2.3.4,", ";,"])
def test_no_more_hops_are_read_than_anybody_has(pattern: str) -> None:
    """Sixty kilobytes of a list are a few hops, the nearest ones."""
    value = pattern.encode() * (60_000 // len(pattern)) + b",for=10.0.0.7"
    for hops in (
        x_forwarded_hops([(b"x-forwarded-for", value), (b"x-forwarded-proto", value)]),
        forwarded_hops([(b"forwarded", value)]),
    ):
        assert len(hops) <= MAX_HOPS
        assert hops[0].address.endswith("10.0.0.7")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1:443", "2001:db8::1"),
        ("2001:db8::1:50412", "2001:db8::1"),
        ('"[2001:db8::1]:80"', "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "None"),
        ("_hidden", "None"),
        ("1.2.3", "None"),
        ("01.2.3.4", "None"),
        ("1.2.3.4:port", "None"),
        ("1.2.3.4:123456", "None"),
        ("", "None"),
        ("1" * 100, "None"),
    ],
)
def test_addresses_are_read_as_proxies_write_them(text: str, address: str) -> None:
    """With and without ports, brackets, quotes and zones; nothing else is an address."""
    assert address == str(parse_address(text))
