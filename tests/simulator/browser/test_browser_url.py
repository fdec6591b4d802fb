"""Addresses are resolved as browsers do it."""

from __future__ import annotations

import pytest

from paraph.simulator.browser.browser_url import INVALID, resolved

PAGE = "http://app.example:8000/zoom/callback?x=1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/account", "http://app.example:8000/account"),
        ("done", "http://app.example:8000/zoom/done"),
        ("?y=2", "http://app.example:8000/zoom/callback?y=2"),
        ("http:/account", "http://app.example:8000/account"),
        ("/a?next=\\b", "http://app.example:8000/a?next=\\b"),
        ("//evil.example", "http://evil.example"),
        ("///evil.example", "http://evil.example"),
        ("/\\evil.example", "http://evil.example"),
        ("\\\\evil.example", "http://evil.example"),
        ("/\t/evil.example", "http://evil.example"),
        ("\x00 //evil.example", "http://evil.example"),
        ("http:///evil.example", "http://evil.example"),
        ("https:evil.example", "https://evil.example"),
        ("hTTps:\\\\evil.example", "https://evil.example"),
        ("java\nscript:alert(1)", "javascript:alert(1)"),
        ("https://[evil", INVALID),
        ("x://[evil", INVALID),
        ("//evil.example:port", INVALID),
    ],
)
def test_an_address_is_read_as_a_browser_reads_it(text: str, expected: str) -> None:
    """Backslashes, control characters and extra slashes are read as a browser reads them."""
    assert expected == resolved(PAGE, text)
