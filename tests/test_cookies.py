from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph import cookies
from paraph.cookies import (
    MAX_HEADER_BYTES,
    MAX_OWN_COOKIES,
    own_cookies,
    parse_cookies,
)


def pairs(*headers: bytes) -> list[tuple[str, str]]:
    """The cookies of these headers."""
    return parse_cookies([(b"cookie", header) for header in headers])


def test_every_cookie_is_seen_in_its_order() -> None:
    """Two of one name stay two, in one header or in two."""
    assert [("a", "1"), ("a", "2"), ("b", "x=y")] == pairs(b"a=1; a=2;\tb=x=y")
    assert [("a", "1"), ("a", "2")] == pairs(b"a=1", b"a=2")


@pytest.mark.parametrize("blank", [b"\xa0", b"\x85", b"\x1c", b"\x1f", b"\x0b", b"\xe2\x80\x80"])
def test_no_other_cookie_becomes_a_host_cookie(blank: bytes) -> None:
    """A name that a browser did not take for `__Host-` is not taken for one here either.

    A neighbouring subdomain could set it, and so finish a stranger's flow in this browser.
    """
    for tossed in (blank + b"__Host-paraph=x", b"__Host-paraph" + blank + b"=x"):
        assert "__Host-paraph" not in [name for name, _ in pairs(b"a=1; " + tossed)]


def test_odd_pieces_are_left_out() -> None:
    """Whatever stands there, nothing is raised, and a header beyond all measure is not read."""
    assert [("a", "1")] == pairs(b";;a=1; b ;  ;\x00\xff")
    assert [] == pairs(b"a=" + b"x" * MAX_HEADER_BYTES)


OWN = "__Host-paraph-"


@given(
    st.lists(
        st.sampled_from(
            ["; ", ";", "=", " ", "\t", "a", '"', OWN, OWN + "a=b", "\xa0", "__Host-", "é"]
        ),
        max_size=12,
    ).map("".join)
)
def test_our_cookies_are_found_as_all_are(text: str) -> None:
    """Looking for ours alone gives what reading all of them and leaving the others out gives."""
    headers = [(b"cookie", text.encode("latin-1"))]
    ours = [pair for pair in parse_cookies(headers) if pair[0].startswith(OWN)]

    assert ours == own_cookies(headers)


def test_cookies_of_others_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, no piece of them is read; more of ours than can be are not either."""
    read: list[bytes] = []

    def counting(headers: Any) -> list[tuple[str, str]]:
        read.extend(value for _, value in headers)
        return parse_cookies(headers)

    monkeypatch.setattr(cookies, "parse_cookies", counting)
    others = b";a=b" * 1000
    assert [] == own_cookies([(b"cookie", others)])
    assert [(f"{OWN}a", "1")] == own_cookies(
        [(b"cookie", others + b"; __Host-paraph-a=1" + others)]
    )
    assert [] == own_cookies([(b"cookie", b"__Host-paraph-a=1;" * (MAX_OWN_COOKIES + 1))])
    assert [b"__Host-paraph-a=1"] == read
