"""Responses as a browser shows them."""

from __future__ import annotations

import pytest

from paraph.checks.harness.http.response import Response


def page(text: str, *headers: tuple[str, str]) -> Response:
    """A response with this body."""
    given = list(headers) or [("content-type", "text/html; charset=utf-8")]
    return Response("GET", "http://app.example/a", 200, given, text.encode())


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("text/html; charset=utf-8", "plain", True),
        ("application/xhtml+xml", "<p>", True),
        ("", " <b>guessed</b>", True),
        ("", "words", False),
        ("text/plain", "<b>not shown as markup</b>", False),
    ],
)
def test_a_browser_guesses_where_no_type_is_named(kind: str, text: str, *, expected: bool) -> None:
    """A response without a content type counts as a page if it begins with markup."""
    assert expected is page(text, ("content-type", kind)).is_html
