"""The authorization request."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from oauth.exchange_kit import CLIENT, NOW, SERVER, request_at
from paraph.errors import UsageError
from paraph.oauth.authorization_request import (
    authorization_request_url,
    build_authorization_request,
)
from paraph.oauth.pkce import code_challenge_of
from paraph.secret import Secret


def test_the_url_holds_exactly_what_it_must() -> None:
    """Each parameter once, the method explicit, no scope, no secret."""
    url = authorization_request_url(SERVER, request_at())
    assert url.startswith("https://zoom.us/oauth/authorize?")
    assert {
        "response_type": ["code"],
        "client_id": ["cid"],
        "redirect_uri": ["https://app.example/oauth/redirect"],
        "state": ["A" * 43],
        "code_challenge": [code_challenge_of(Secret("v" * 43))],
        "code_challenge_method": ["S256"],
    } == parse_qs(urlsplit(url).query, strict_parsing=True)


@pytest.mark.parametrize(
    ("state", "verifier"),
    [("A" * 42, "v" * 43), ("", "v" * 43), ("A" * 43, "v" * 42), ("A" * 42 + "=", "v" * 43)],
)
def test_weak_values_are_refused(state: str, verifier: str) -> None:
    """A short state or verifier is our own mistake, and never sent."""
    with pytest.raises(UsageError):
        build_authorization_request(
            SERVER, CLIENT, state=Secret(state), code_verifier=Secret(verifier), now=NOW
        )


def test_it_lives_ten_minutes() -> None:
    """The lifetime counts from the issue."""
    assert NOW + 600 == request_at().expires_at
