"""HTTP messages as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import MessageMalformed
from paraph.oauth import messages
from paraph.oauth.messages import (
    MAX_ESCAPES,
    MAX_PARAMETERS,
    Request,
    Response,
    parse_query,
)


def test_reprs_hide_what_is_carried() -> None:
    """Neither query nor body nor header is shown."""
    request = Request("GET", "https://x.example/p?code=abc", (("authorization", "abc"),), b"abc")
    assert "Request(GET https://x.example/p)" == repr(request)
    assert "Response(200, <3 bytes>)" == repr(Response(200, (("a", "abc"),), b"abc"))


def test_a_doubled_header_is_malformed() -> None:
    """Nobody chooses which of two headers is read."""
    response = Response(200, (("A", "1"), ("a", "2")), b"")
    with pytest.raises(MessageMalformed):
        response.header("a")
    assert Response(200, (("A", "1"),), b"").header("a") == "1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", None),
        ("Sun Nov  6 08:49:37 1994", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 25:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("", None),
    ],
)
def test_dates(value: str, expected: int | None) -> None:
    """IMF-fixdate or nothing."""
    assert expected == Response(200, (("date", value),), b"").date()


@given(st.binary(max_size=200))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    """Whatever bytes arrive: printable ASCII values, or MessageMalformed."""
    try:
        found = parse_query(query, once={"code", "state"})
    except MessageMalformed:
        return
    assert all(value.isascii() and (value.isprintable() or not value) for value in found.values())


@pytest.mark.parametrize(
    ("query", "is_read"),
    [
        (b"a=b&" * (MAX_PARAMETERS - 1) + b"state=s", True),
        (b"a=b&" * MAX_PARAMETERS + b"state=s", False),
        (b"&" * 4000, False),
        (b"state=s&a=" + b"%61" * MAX_ESCAPES, True),
        (b"state=s&a=" + b"%61" * (MAX_ESCAPES + 1), False),
        (b"%" * 4000, False),
    ],
)
def test_the_parts_of_a_query_are_counted_before_they_are_read(
    query: bytes, monkeypatch: pytest.MonkeyPatch, *, is_read: bool
) -> None:
    """Each parameter and each escape costs work of its own, so there may be so many of them."""
    read: list[bytes] = []
    real = messages._unquote

    def noting(raw: bytes) -> bytes:
        read.append(raw)
        return real(raw)

    monkeypatch.setattr(messages, "_unquote", noting)
    if is_read:
        assert {"state": "s"} == parse_query(query, once={"state"})
        assert len(read) <= MAX_PARAMETERS + 1
    else:
        with pytest.raises(MessageMalformed):
            parse_query(query, once={"state"})
        assert [] == read
