from __future__ import annotations

import pytest

from paraph.service.cookies import MAX_HEADER_BYTES, parse_cookies


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
