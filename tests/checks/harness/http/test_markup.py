"""Forms, links and other tags of a page."""

from __future__ import annotations

import pytest

from paraph.checks.harness.http.markup import links_of, loaded_by, redirects_of
from paraph.checks.harness.http.response import Response


def page(text: str, *headers: tuple[str, str]) -> Response:
    """A response with this body."""
    given = list(headers) or [("content-type", "text/html; charset=utf-8")]
    return Response("GET", "http://app.example/a", 200, given, text.encode())


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (page("x", ("refresh", "0; url=//evil.example")), ["http://evil.example"]),
        (
            page("<META content=\"1;URL='https://evil.example/x'\" http-equiv=Refresh>"),
            ["https://evil.example/x"],
        ),
        (page('<meta name=refresh content="0;url=/x">'), []),
        (page('<meta http-equiv="refresh" content="30">'), []),
    ],
)
def test_a_page_may_send_a_browser_on(shown: Response, expected: list[str]) -> None:
    """A Refresh header and a meta refresh tag act as redirects."""
    assert expected == redirects_of(shown)


def test_what_a_page_loads_is_told_from_what_it_links() -> None:
    """Loaded resources are listed; links are not."""
    shown = page(
        "<link rel=canonical href=https://a.example><link rel=stylesheet href=//b.example/s.css>"
        "<script src='https://c.example/j.js'></script><a href='https://d.example'>d</a>"
    )
    assert ["https://c.example/j.js", "http://b.example/s.css"] == loaded_by(shown)
    assert ["https://d.example"] == links_of(shown)
