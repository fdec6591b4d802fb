"""What the timeline says of an exchange without opening it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paraph.simulator.state.journal import Exchange
from paraph.simulator.steering.mask import HIDDEN
from paraph.simulator.steering.summary import summarize, tolerated

Fields = dict[str, str]


def exchange(
    method: str,
    path: str,
    query: Fields | None = None,
    form: Fields | None = None,
    *,
    status: int = 200,
    response: Any = None,
) -> Exchange:
    """A request and its answer as the journal keeps them."""
    pairs = [[[name, value] for name, value in (fields or {}).items()] for fields in (query, form)]
    entry = {"method": method, "path": path, "query": pairs[0], "form": pairs[1], "status": status}
    return Exchange(entry, [], b"" if response is None else json.dumps(response).encode(), 0)


@pytest.mark.parametrize(
    ("query", "summary"),
    [
        ({}, "no state · no PKCE"),
        ({"state": "s"}, "state · no PKCE"),
        ({"state": "s", "code_challenge": "c"}, "state · PKCE plain"),
        ({"code_challenge": "c", "code_challenge_method": "S256"}, "no state · PKCE S256"),
    ],
)
def test_an_authorization_request_tells_what_protects_it(query: Fields, summary: str) -> None:
    """Whether state and PKCE are there, and which method: the default is plain."""
    assert summary == summarize(exchange("GET", "/oauth/authorize", query, status=302))


def test_a_token_request_tells_its_grant_and_its_error() -> None:
    """The grant type, and Zoom's words where it was refused; a refused code is masked."""
    form = {"grant_type": "authorization_code", "code": "c0de"}
    response = {"reason": "Invalid authorization code c0de", "error": "invalid_grant"}
    refused = exchange("POST", "/oauth/token", form=form, status=400, response=response)

    assert "authorization_code" == summarize(exchange("POST", "/oauth/token", form=form))
    words = f"invalid_grant Invalid authorization code {HIDDEN}"
    assert f"authorization_code · {words}" == summarize(refused)


@pytest.mark.parametrize(
    ("response", "summary"),
    [
        ({"code": 124, "message": "Invalid access token."}, "124 Invalid access token."),
        ({"errorCode": 4700, "errorMessage": "Invalid redirect url"}, "4700 Invalid redirect url"),
        (["x"], ""),
        (None, ""),
    ],
)
def test_errors_of_every_family_are_told(response: Any, summary: str) -> None:
    """The REST API's code and message, the page's number; nothing where there is no JSON object."""
    assert summary == summarize(exchange("GET", "/v2/users/me", status=401, response=response))


def test_a_refusal_on_zooms_page_is_told() -> None:
    """The heading of the page that is shown instead of a redirect."""
    refused = exchange("GET", "/oauth/authorize", status=400)
    page = b"<p>Error 4700</p><h1>Invalid &lt;redirect&gt; url</h1>"
    shown = Exchange(refused.entry, [], page, 0)
    assert "no state · no PKCE · Invalid <redirect> url" == summarize(shown)


def test_it_stays_short() -> None:
    """A list has room for a few words, whatever a caller sends."""
    form = {"grant_type": "x" * 5000}
    assert 140 == len(summarize(exchange("POST", "/oauth/token", form=form)))


@pytest.mark.parametrize(
    ("query", "form", "told"),
    [
        ({}, {"grant_type": "refresh_token", "refresh_token": "r"}, []),
        ({}, {"client_secret": "s"}, ["client secret in the body"]),
        (
            {"client_secret": "s", "refresh_token": "r"},
            {},
            ["client secret in the URL", "refresh_token in the URL"],
        ),
    ],
)
def test_what_zoom_only_tolerates_is_told(query: Fields, form: Fields, told: list[str]) -> None:
    """Credentials in a body or URL, and what a URL should never carry."""
    assert told == tolerated(exchange("POST", "/oauth/token", query, form))


def test_a_scope_in_the_request_is_told() -> None:
    """Scopes come from the app's settings, so that one in the request has no effect."""
    assert ["scope is ignored"] == tolerated(exchange("GET", "/oauth/authorize", {"scope": "x"}))
    assert [] == tolerated(exchange("GET", "/v2/users/me", {"scope": "x"}))
