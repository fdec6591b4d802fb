from __future__ import annotations

import ipaddress

import pytest

from paraph.http.client_address import (
    arrived_in_clear,
    client_address,
    refusal_of,
    wider_networks,
)

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


def scope(peer: str | None, **headers: str) -> dict[str, object]:
    """A request from a peer; keyword names become header names."""
    raw = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    return {"client": None if peer is None else (peer, 1234), "headers": raw}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        # A stranger's claim is nothing.
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        # The rightmost untrusted hop: everything left of it was written by the sender.
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        # Some proxies write the port as well.
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711, 10.0.0.2:80", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", "198.51.100.1:port", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        # A whole /64 is one person.
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("fd00::1", "2001:db8:1:2::9", "2001:db8:1:2::/64"),
        (None, None, "unknown"),
        ("not-an-address", "198.51.100.1", "unknown"),
    ],
)
def test_whose_request_it_is(peer: str | None, forwarded: str | None, address: str) -> None:
    """A forwarded address is believed from a trusted network only, rightmost hop first."""
    headers = {} if forwarded is None else {"x_forwarded_for": forwarded}

    assert address == client_address(scope(peer, **headers), PROXIES)


@pytest.mark.parametrize(
    ("peer", "proto", "in_clear"),
    [
        ("10.0.0.1", "http", True),
        ("10.0.0.1", "HTTP", True),
        ("10.0.0.1", "https", False),
        ("10.0.0.1", "https, http", True),
        ("10.0.0.1", "http, https", False),
        ("203.0.113.9", "http", False),
        ("203.0.113.9", "https", False),
        ("10.0.0.1", None, False),
        (None, "http", False),
    ],
)
def test_a_scheme_is_believed_from_proxies_only(
    peer: str | None,
    proto: str | None,
    in_clear: bool,  # noqa: FBT001 - A column of the table.
) -> None:
    """Only a trusted proxy can say that a request reached it over plain http."""
    headers = {} if proto is None else {"x_forwarded_proto": proto}

    assert in_clear is arrived_in_clear(scope(peer, **headers), PROXIES)


@pytest.mark.parametrize(
    ("headers", "address", "refusal"),
    [
        # Two proxies, each of which appends what it saw.
        (
            {"x_forwarded_proto": "https, http", "x_forwarded_for": "170.114.10.5, 10.0.0.7"},
            "170.114.10.5",
            None,
        ),
        # A third one that is not named: what stands before it may be anybody's word.
        (
            {"x_forwarded_proto": "https, http", "x_forwarded_for": "170.114.10.5, 192.0.2.7"},
            "192.0.2.7",
            "untrusted_hop",
        ),
        # The sender's own claim stands to the left of what the first proxy saw.
        (
            {
                "x_forwarded_proto": "https, http, http",
                "x_forwarded_for": "6.6.6.6, 1.2.3.4, 10.0.0.7",
            },
            "1.2.3.4",
            "untrusted_hop",
        ),
        (
            {"x_forwarded_proto": "http, http", "x_forwarded_for": "1.2.3.4, 10.0.0.7"},
            "1.2.3.4",
            "plain_http",
        ),
        # A single scheme speaks for all hops: the proxy that wrote it replaced the others.
        ({"x_forwarded_proto": "https", "x_forwarded_for": "1.2.3.4, 10.0.0.7"}, "1.2.3.4", None),
        (
            {"x_forwarded_proto": "http", "x_forwarded_for": "1.2.3.4, 10.0.0.7"},
            "1.2.3.4",
            "plain_http",
        ),
        (
            {"x_forwarded_proto": "https, http", "x_forwarded_for": "1.2.3.4:5678, [fd00::7]:99"},
            "1.2.3.4",
            None,
        ),
        ({"x_forwarded_proto": "https, http", "x_forwarded_for": "10.0.0.7"}, "10.0.0.7", None),
        (
            {"x_forwarded_proto": "https, http", "x_forwarded_for": "1.2.3.4"},
            "1.2.3.4",
            "untrusted_hop",
        ),
        (
            {"x_forwarded_proto": "https, http", "x_forwarded_for": "1.2.3.4, unknown"},
            "10.0.0.1",
            "untrusted_hop",
        ),
        # A socket file between two proxies of one host.
        (
            {"x_forwarded_proto": "https, http", "x_forwarded_for": "1.2.3.4, unix:"},
            "1.2.3.4",
            None,
        ),
        (
            {"x_forwarded_proto": "tls", "x_forwarded_for": "1.2.3.4"},
            "1.2.3.4",
            "unreadable_scheme",
        ),
        ({"forwarded": "for=1.2.3.4;proto=https, for=10.0.0.7;proto=http"}, "1.2.3.4", None),
        ({"forwarded": 'for="[fd00::7]:1";proto=http'}, "fd00::/64", "plain_http"),
        ({"forwarded": 'for="'}, "10.0.0.1", "unreadable_scheme"),
        # Which of both a proxy maintains is not known: the worse scheme, and the proxy's address.
        (
            {
                "x_forwarded_proto": "https",
                "x_forwarded_for": "1.2.3.4",
                "forwarded": "for=6.6.6.6",
            },
            "10.0.0.1",
            None,
        ),
        (
            {"x_forwarded_proto": "https", "forwarded": "for=1.2.3.4;proto=http"},
            "10.0.0.1",
            "plain_http",
        ),
        ({}, "10.0.0.1", None),
        ({"x_forwarded_for": "1.2.3.4"}, "1.2.3.4", None),
    ],
)
def test_address_and_scheme_are_walked_together(
    headers: dict[str, str], address: str, refusal: str | None
) -> None:
    """Both come from the first hop that is not trusted, and only https passes there."""
    asked = scope("10.0.0.1", **headers)

    assert (address, refusal) == (client_address(asked, PROXIES), refusal_of(asked, PROXIES))


def test_a_claim_of_an_unnamed_peer_is_refused() -> None:
    """A scheme from a peer that is not trusted is refused; without a claim nothing is known."""
    claim = scope("203.0.113.9", x_forwarded_proto="https")
    silent = scope("203.0.113.9", x_forwarded_for="1.2.3.4")

    assert ["untrusted_peer", None, None] == [
        refusal_of(claim, PROXIES),
        refusal_of(silent, PROXIES),
        refusal_of(claim, ()),
    ]


def test_an_ipv6_address_lies_in_wider_networks() -> None:
    """Limits know the /56 and the /48 around a /64; an IPv4 address stands alone."""
    assert ("2001:db8:1::/56", "2001:db8:1::/48") == wider_networks("2001:db8:1:2::/64")
    assert () == wider_networks("203.0.113.9")


@pytest.mark.parametrize("peer", ["::ffff:203.0.113.9", "64:ff9b::203.0.113.9"])
def test_a_client_of_ipv4_counts_as_one(peer: str) -> None:
    """Mapped, or behind a translator: they would all share one /64."""
    assert "203.0.113.9" == client_address(scope(peer), PROXIES)
