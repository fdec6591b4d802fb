"""The cookie jar keeps the rules of browsers."""

from __future__ import annotations

import time

import pytest

from paraph.simulator.browser.cookie_jar import CookieJar, parse_set_cookie

APP = "http://127.0.0.1:8000/a"


def jar(*lines: str) -> CookieJar:
    """A jar that has seen one response."""
    made = CookieJar(time.time)
    made.store(lines, APP)
    return made


@pytest.mark.parametrize(
    ("attribute", "cross_get", "cross_post"),
    [
        ("", "c=1", "c=1"),
        ("; SameSite=Lax", "c=1", ""),
        ("; SameSite=Strict", "", ""),
        ("; SameSite=None; Secure", "c=1", "c=1"),
    ],
)
def test_same_site_decides_what_travels(attribute: str, cross_get: str, cross_post: str) -> None:
    """Lax is sent with a link, Strict never, None always; without the attribute as with None.

    Firefox and Safari have no default, and Chromium none in a cookie's first two minutes.
    """
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
        "c=1; Domain=evil.example",
        "c=" + "x" * 5000,
        "nothing",
    ],
)
def test_a_browser_refuses_what_breaks_a_prefix(line: str) -> None:
    """A `__Host-` cookie must be Secure, have the path `/`, and have no Domain."""
    assert parse_set_cookie(line, APP, now=0) is None


def test_ports_do_not_separate_cookies() -> None:
    """A cookie belongs to a host, whatever the port."""
    header = jar("c=1").header("http://127.0.0.1:9/x", cross_site=False, safe=True)
    assert header == "c=1"


@pytest.mark.parametrize(
    ("line", "page", "path", "expected"),
    [
        ("c=1", "/zoom/connect", "/zoom/callback", "c=1"),
        ("c=1", "/zoom/connect", "/callback", ""),
        ("c=1; Path=/", "/zoom/connect", "/callback", "c=1"),
        ("c=1; Path=/zoom", "/", "/zoom", "c=1"),
        ("c=1; Path=/zoom", "/", "/zoom/callback", "c=1"),
        ("c=1; Path=/zoom", "/", "/zoombie", ""),
    ],
)
def test_a_path_is_a_folder(line: str, page: str, path: str, expected: str) -> None:
    """Without a Path attribute a cookie is sent below the folder of the page that set it."""
    made = CookieJar(time.time)
    made.store([line], f"http://127.0.0.1:8000{page}")
    url = f"http://127.0.0.1:8000{path}"
    assert expected == made.header(url, cross_site=False, safe=True)


def test_another_host_gets_nothing() -> None:
    """`localhost` and `127.0.0.1` are two sites."""
    assert jar("c=1").header("http://localhost:8000/", cross_site=False, safe=True) == ""


@pytest.mark.parametrize(
    "attribute",
    ["Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Expires=Sun, 02-Mar-2025 10:00:00 GMT"],
)
def test_an_expired_cookie_goes(attribute: str) -> None:
    """A Max-Age of 0 and a date in the past delete a cookie."""
    made = jar("c=1")
    made.store([f"c=; {attribute}"], APP)
    assert made.all() == []


def test_a_cookie_outlives_a_date_that_no_browser_reads() -> None:
    """A cookie with an unreadable date is a session cookie."""
    made = jar("c=1; Expires=some day")
    assert ["1"] == [one.value for one in made.all()]
