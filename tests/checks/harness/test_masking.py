"""Evidence contains no secrets."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from paraph.checks.harness.masking import fingerprint, mask

SECRET = "a-client-secret/with+odd=characters"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"cid:" + SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"ab" + SECRET.encode() + b"tail").decode(),
    ],
)
def test_a_secret_is_masked_in_every_spelling(text: str) -> None:
    """A secret is masked in base64 and percent-encoded, too."""
    masked = mask(f"before {text} after", {SECRET: "client secret"})
    assert f"[client secret {fingerprint(SECRET)}]" in masked
    assert text not in masked


def test_what_the_app_made_itself_is_masked_by_its_place() -> None:
    """Cookies, states and form tokens of the app are masked by their place."""
    text = (
        "cookie: sid=abcdefgh12345678\nset-cookie: sid=abcdefgh12345678; Path=/\n"
        "authorization: Bearer abcdefgh12345678\nGET /cb?state=abcdefgh12345678&x=1\n"
        '<input name="csrf" value="abcdefgh12345678">'
    )
    assert "abcdefgh12345678" not in mask(text, {})


@pytest.mark.parametrize(
    "text",
    [
        "/cb?a=1&state=abcdefgh12345678&x=1",
        '<a href="/cb?a=1&amp;state=abcdefgh12345678">',
        '{"url":"/cb?a=1\\u0026state=abcdefgh12345678"}',
        "/sign-in?next=%2Fcb%3Fa%3D1%26state%3Dabcdefgh12345678%26x%3D1",
        "window.location='/cb?state=abcdefgh12345678'",
        "/cb?state=abcdefgh%2F12345678%3D",
    ],
)
def test_a_parameter_is_masked_wherever_a_url_stands(text: str) -> None:
    """Parameters of URLs are masked inside HTML, JSON and other queries."""
    masked = mask(text, {})
    assert "12345678" not in masked
    assert "state" in masked
