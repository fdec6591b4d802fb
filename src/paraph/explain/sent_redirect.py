"""Explains a redirect that the authorization server sent: shape, state, age, issuer, code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from paraph.errors import PeerError, StateMismatch
from paraph.explain.explanation import Explanation, Step, run_steps
from paraph.oauth import authorization_response
from paraph.oauth.authorization_request import AuthorizationRequest
from paraph.secret import Secret
from paraph.zoom.server_metadata import zoom_authorization_server

_STATE = "it repeats the state of the authorization request"
_COOKIE = (
    "only the cookie of the browser shows that this browser began the flow. Copy the browser's "
    "request of the redirect URI as cURL into FILE, and run `paraph explain redirect FILE` beside "
    "paraph.toml."
)


def explain_sent_redirect(
    url: str,
    *,
    asked: Mapping[str, str],
    asked_at: float,
    sent_at: float,
    authorization_server: str,
) -> Explanation:
    """Check an authorization response as the redirection endpoint does, without its cookie.

    Args:
        url: the URL that the browser was redirected to.
        asked: the parameters of the authorization request; `{}` without a request.
        asked_at: epoch seconds of that request.
        sent_at: epoch seconds of the redirect.
        authorization_server: the URL of the server that sent it.
    """
    steps = {
        one.name: replace(one, proves=_STATE) if one.name == "state" else one
        for one in authorization_response.VALIDATION_STEPS
    }
    notes = [_COOKIE]
    if asked and "code_challenge" not in asked:
        notes.insert(0, "the authorization request has no code_challenge (PKCE).")

    def check() -> None:
        response = authorization_response.parse_authorization_response(
            urlsplit(url).query.encode("utf-8", "surrogateescape")
        )
        if response.state is None:
            raise StateMismatch(
                "there is no state: the flow did not start in the app. paraph drops the code and "
                "starts its own flow"
            )
        request = AuthorizationRequest(
            client_id=asked.get("client_id", ""),
            redirect_uri=asked.get("redirect_uri", ""),
            issuer=authorization_server,
            state=Secret(asked.get("state", "")),
            code_verifier=Secret(""),
            issued_at=int(asked_at),
        )
        authorization_response.validate_authorization_response(
            response,
            request,
            server=zoom_authorization_server(authorization_server),
            now=int(sent_at),
        )

    def step_of(error: PeerError) -> Step | None:
        found = authorization_response.step_of(error)
        return None if found is None else steps[found.name]

    return Explanation(run_steps([*steps.values()], check, step_of), notes)
