"""The destination of a request is parsed from the URL that is sent."""

from __future__ import annotations

import pytest

from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.destination import THIS_MACHINE, destination_of
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender


@pytest.mark.parametrize(
    ("url", "origin", "is_loopback"),
    [
        ("http://127.0.0.1:8000/x?y#z", "http://127.0.0.1:8000", True),
        ("HTTP://LocalHost:80", "http://localhost", True),
        ("https://[0:0:0:0:0:0:0:1]:443/", "https://[::1]", True),
        ("http://127.200.3.4", "http://127.200.3.4", True),
        ("https://App.Example", "https://app.example", False),
        ("http://10.0.0.1:8000", "http://10.0.0.1:8000", False),
        ("http://app.example/\\\\host\t/x", "http://app.example", False),
        ("http://a-1.example:65535/", "http://a-1.example:65535", False),
        ("http://[fe80::1]/", "http://[fe80::1]", False),
    ],
)
def test_a_plain_url_has_one_destination(url: str, origin: str, *, is_loopback: bool) -> None:
    """Scheme, host and port are canonical, whatever path and query are."""
    found = destination_of(url)
    assert (origin, is_loopback) == (found.origin, found.is_loopback)


@pytest.mark.parametrize(
    "url",
    [
        *("", "/x", "//h/x", "h", "http:/h", "http:h", "http://", "http:///x", "ftp://h", "data:x"),
        *(" http://h", "http://h ", "\thttp://h", "ht\ntp://h", "http://h\t.example", "http://h\n"),
        *("http://u@h", "http://u:p@h", "http://@h", "http://h@", "http://127.0.0.1:1@h"),
        *("http://h\\x", "http://h\\@e", "http://h:80\\@e", "http:\\\\h"),
        *("http://h.", "http://localhost.", "http://h..e", "http://.h", "http://127.0.0.1."),
        *("http://127.1", "http://2130706433", "http://0x7f000001", "http://0x7f.1", "http://1"),
        *("http://0177.0.0.1", "http://127.0.0.01", "http://256.0.0.1", "http://1.2.3.4.5"),
        *("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", "http://[::1%25lo]", "http://[]"),
        *("http://[::1", "http://::1", "http://[x]", "http://h:", "http://h:0", "http://h:65536"),
        *("http://h:8o", "http://h:-1", "http://h:+80", "http://h:80:80", "http://h%2ee"),
        *("http://\u24db\u24de\u24d2alhost", "http://127\u30020.0.1", "http://\uff11"),
    ],
)
def test_a_url_that_parsers_read_differently_has_none(url: str) -> None:
    """A URL that parsers could read differently is rejected."""
    with pytest.raises(ValueError, match=r"write|leave"):
        destination_of(url)


def test_a_request_to_another_place_is_not_sent() -> None:
    """No request of any kind is sent to a destination that is not allowed."""
    seen: list[Response] = []
    sender = Sender("", seen.append)
    for url in ("http://app.example/", "http://127.0.0.1:1@app.example/", "//app.example"):
        assert sender.send("GET", url).problem.startswith("not sent: ")
        assert "not sent: " in sender.raw(url, b"GET / HTTP/1.1").problem
        with pytest.raises(OSError, match="not sent"):
            sender.connect(url)
    assert 6 == len(seen)
    sender.close()


def test_a_redirect_elsewhere_is_not_followed() -> None:
    """A redirect of the app to another server is not followed."""
    seen: list[Response] = []
    sender = Sender("", seen.append)
    browser = Browser(sender, ["http://app.example"])
    page = Response("GET", "http://127.0.0.1:1/", 302, [("location", "http://app.example/")])
    assert browser.follow(page).problem.startswith("not sent: http://app.example")
    sender.close()
    assert "" == THIS_MACHINE.problem("http://127.0.0.1:1/")
