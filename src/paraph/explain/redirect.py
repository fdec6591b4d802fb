"""Explains a captured request at the redirection endpoint: shape, state, age, issuer, code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from paraph.cookies import parse_cookies
from paraph.endpoints.browser_request import BrowserRequest
from paraph.errors import StateMismatch
from paraph.explain.capture import CapturedRequest
from paraph.explain.explanation import Explanation, FirstStep, NotTheRequest, Step, run_steps
from paraph.installs.pending_authorization import open_pending
from paraph.oauth import authorization_response
from paraph.oauth.roles import Client
from paraph.sealing.key_ring import KeyRing
from paraph.zoom.server_metadata import zoom_authorization_server

_REQUEST = FirstStep("request", "It is a GET that a person's browser made on request.")
_PARAMETERS = (b"code=", b"error=", b"state=")


@dataclass(frozen=True, slots=True)
class CookieOpener:
    """The keys, the client and the clock that open a pending authorization without a store."""

    ring: KeyRing
    client: Client
    clock: Callable[[], float]

    def now(self) -> int:
        """Return whole epoch seconds."""
        return int(self.clock())


def may_be_redirect(captured: CapturedRequest) -> bool:
    """Return true if a request of a recording looks like an authorization response."""
    query = captured.raw_query
    return captured.path.endswith("/oauth/redirect") or any(
        piece.startswith(_PARAMETERS) for piece in query.split(b"&")
    )


def explain_redirect(
    opener: CookieOpener, captured: CapturedRequest, *, authorization_server: str
) -> Explanation:
    """Check a captured authorization response as the redirection endpoint does.

    Args:
        opener: opens the cookie of the browser.
        captured: the request.
        authorization_server: the URL of the authorization server.
    """
    steps: list[Step] = [_REQUEST, *authorization_response.VALIDATION_STEPS]
    notes = [
        *captured.notes,
        "only the running service knows whether this state was used before.",
    ]
    if captured.header(b"cookie") is None:
        notes.append(
            "the capture has no cookies: most recorders drop them unless they are set to keep them."
        )
    own = urlsplit(opener.client.redirect_uri).path
    if captured.path != own:
        notes.append(f"its path is {captured.path}; the redirect URI of the settings has {own}.")

    def check() -> None:
        if captured.method != "GET":
            raise NotTheRequest(f"it is {captured.method} {captured.path}")
        if BrowserRequest({"headers": captured.headers}, ()).is_prefetch:
            raise NotTheRequest("it is a prefetch, which the service ignores")
        response = authorization_response.parse_authorization_response(captured.raw_query)
        if response.state is None:
            # From the Marketplace, for example: the service drops the code and starts its own flow.
            raise StateMismatch("there is no state: the flow did not start in the app")
        pending = open_pending(
            opener, state=response.state, cookies=parse_cookies(captured.headers)
        )
        authorization_response.validate_authorization_response(
            response,
            pending.request,
            server=zoom_authorization_server(authorization_server),
            now=opener.now(),
        )

    return Explanation(run_steps(steps, check, authorization_response.step_of), notes)
