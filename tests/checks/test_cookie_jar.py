"""A jar that forgets a browser's rule gives wrong verdicts."""

from __future__ import annotations

import pytest

from paraph.checks.cookie_jar import CookieJar, parse_set_cookie

APP = "http://127.0.0.1:8000/a"


def jar(*lines: str) -> CookieJar:
    """A jar that has seen one answer."""
    made = CookieJar()
    made.store(lines, APP)
    return made


@pytest.mark.parametrize(
    ("attribute", "cross_get", "cross_post"),
    [
        ("", "c=1", ""),
        ("; SameSite=Lax", "c=1", ""),
        ("; SameSite=Strict", "", ""),
        ("; SameSite=None; Secure", "c=1", "c=1"),
    ],
)
def test_same_site_decides_what_travels(attribute: str, cross_get: str, cross_post: str) -> None:
    """Lax travels with a link, Strict never, None always."""
    made = jar(f"c=1{attribute}")
    assert cross_get == made.header(APP, cross_site=True, safe=True)
    assert cross_post == made.header(APP, cross_site=True, safe=False)
    assert made.header(APP, cross_site=False, safe=False) == "c=1"


@pytest.mark.parametrize(
    "line",
    [
        "__Host-c=1",
        "__Host-c=1; Secure; Path=/x",
        "__Host-c=1; Secure; Path=/; Domain=127.0.0.1",
        "__Secure-c=1",
        "c=1; SameSite=None",
        "c=" + "x" * 5000,
        "nothing",
    ],
)
def test_a_browser_refuses_what_breaks_a_prefix(line: str) -> None:
    """`__Host-` stands for Secure, the whole host and nothing but the host."""
    assert parse_set_cookie(line, APP) is None


def test_ports_do_not_separate_cookies() -> None:
    """Cookies belong to a host, whatever the port."""
    header = jar("c=1").header("http://127.0.0.1:9/x", cross_site=False, safe=True)
    assert header == "c=1"


def test_another_host_gets_nothing() -> None:
    """`localhost` and `127.0.0.1` are two sites."""
    assert jar("c=1").header("http://localhost:8000/", cross_site=False, safe=True) == ""


def test_an_expired_cookie_goes() -> None:
    """`Max-Age=0` deletes."""
    made = jar("c=1")
    made.store(["c=; Max-Age=0"], APP)
    assert made.all() == []
