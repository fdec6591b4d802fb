"""Credentials that an app may require besides the signature: Basic, bearer token, custom header.

The signature is sent in every mode (documented).
"""

from __future__ import annotations

import base64
import json

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import Clock
from paraph.simulator.state.world import App
from paraph.simulator.webhooks.outgoing import Outgoing, UnreachableError

_LEAST_LIFETIME = 3599

behaviour(
    "webhooks",
    "Basic, bearer and custom header, each beside the signature",
    "documented",
    source="webhook reference",
)
behaviour("webhooks", "a bearer token is reused until it has expired", "inferred")


class WebhookLoginError(Exception):
    """The required header is not available; the delivery is retried (documented)."""


class WebhookLogin:
    """Builds the headers that apps require.

    Args:
        clock: for the lifetime of fetched tokens.
        outgoing: sends the requests for tokens.
    """

    def __init__(self, clock: Clock, outgoing: Outgoing) -> None:
        self._clock = clock
        self._outgoing = outgoing
        self._tokens: dict[str, tuple[str, float]] = {}

    async def headers(self, app: App) -> dict[str, str]:
        """Return the headers besides the signature.

        Raises:
            WebhookLoginError: the token or the header is not available.
        """
        if app.webhook_security == "basic":
            return {"authorization": _basic(app)}
        if app.webhook_security == "bearer":
            return {"authorization": f"Bearer {await self._token(app)}"}
        if app.webhook_security == "header":
            if not app.webhook_header or not app.webhook_header_value:
                raise WebhookLoginError("the custom header is missing (-15)")
            return {app.webhook_header: app.webhook_header_value}
        return {}

    def clear(self) -> None:
        """Delete the fetched tokens, so that each is fetched again."""
        self._tokens.clear()

    async def _token(self, app: App) -> str:
        token, expires_at = self._tokens.get(app.client_id, ("", 0.0))
        if self._clock.now() < expires_at:
            return token
        token, lifetime = await self._fetch(app)
        self._tokens[app.client_id] = (token, self._clock.now() + lifetime)
        return token

    @behaviour(
        "webhooks",
        "the token URL receives grant_type=client_credentials with Basic credentials and no body",
        "documented",
        source="webhook reference",
    )
    async def _fetch(self, app: App) -> tuple[str, int]:
        """POST to the app's token URL; the lifetime must be at least 3599 s (documented)."""
        try:
            url = app.webhook_token_url
            joint = "&" if "?" in url else "?"
            reply = await self._outgoing.send(
                "POST",
                f"{url}{joint}grant_type=client_credentials",
                [("authorization", _basic(app)), ("content-length", "0")],
            )
            content = json.loads(reply.body)
            token, lifetime = content["access_token"], int(content["expires_in"])
        except (UnreachableError, ValueError, TypeError, KeyError, RecursionError):
            raise WebhookLoginError("the token URL returned no usable token (-14)") from None
        if reply.status != 200 or not isinstance(token, str) or lifetime < _LEAST_LIFETIME:
            raise WebhookLoginError("the token URL returned no usable token (-14)")
        return token, lifetime


def _basic(app: App) -> str:
    pair = f"{app.webhook_username}:{app.webhook_password}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"
