"""Reads the parameters and the client credentials of token requests."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from urllib.parse import unquote_plus

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.oauth import refusals
from paraph.simulator.request import Refusal, read_form
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a request. For a repeated name the body wins, then the last value."""

    values: dict[str, str]

    def get(self, name: str) -> str:
        """Return a parameter, or the empty string."""
        return self.values.get(name, "")

    def find(self, name: str) -> str | None:
        """Return a parameter, or None if it is absent."""
        return self.values.get(name)


@behaviour(
    "token endpoint",
    "parameters are accepted in the form body or in the query; with `strict` in the body only",
    "documented",
    source="developers.zoom.us/docs/rooms/oauth; forum thread 124925",
)
async def read_parameters(simulator: Simulator, request: Request) -> Parameters:
    """Read the parameters of a request to one of the authorization server's JSON endpoints.

    Raises:
        OAuthRefusal: the body is too long or incomplete, or with `strict` a parameter is repeated.
    """
    try:
        form = await read_form(request)
    except Refusal as refusal:
        raise refusals.invalid_request(refusal.text) from None
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    strict = simulator.world.zoom.strict
    in_body = form if media_type == _FORM or not strict else []
    if strict and len(dict(in_body)) != len(in_body):
        raise refusals.invalid_request("A parameter appears twice (RFC 6749 3.2)")
    in_query = [] if strict else list(request.query_params.multi_items())
    return Parameters(dict([*in_query, *in_body]))


@behaviour(
    "token endpoint",
    "client credentials are accepted in a Basic header, in the body or in the query; "
    "with `strict` in the header only",
    "documented",
    source="OAuth error 4706: header or request parameter",
)
@behaviour(
    "token endpoint",
    "a public client sends its client_id and no secret, and must prove possession by PKCE",
    "documented",
    source="changelog/platform/proof-key-for-code-exchange-pkce-update",
)
@behaviour(
    "token endpoint",
    "Basic credentials may be percent-encoded first (RFC 6749 2.3.1) or not",
    "unknown",
)
def authenticate_client(simulator: Simulator, request: Request, parameters: Parameters) -> App:
    """Authenticate the client of a request, and return its app (RFC 6749 section 2.3).

    Raises:
        OAuthRefusal: the app is unknown or disabled, or its secret is wrong.
    """
    pairs = _basic(request.headers.get("authorization", ""))
    if not pairs:
        strict = simulator.world.zoom.strict
        secret = "" if strict else parameters.get("client_secret")
        pairs = [(parameters.get("client_id"), secret)]
    app = next((app for pair in pairs if (app := _matching(simulator, *pair))), None)
    if app is None:
        raise refusals.invalid_client()
    if app.client_id in simulator.app_status.disabled:
        raise refusals.app_disabled()
    return app


def _matching(simulator: Simulator, client_id: str, client_secret: str) -> App | None:
    app = simulator.world.app(client_id)
    if app is None or (app.public and not client_secret):
        return app
    if hmac.compare_digest(app.client_secret.encode(), client_secret.encode("utf-8", "replace")):
        return app
    return app if simulator.faults.take("client_secret_not_checked") else None


def _basic(header: str) -> list[tuple[str, str]]:
    """Return client id and secret, as written and percent-decoded; nothing without the header."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return [("", "")]
    name, _, password = text.partition(":")
    plain, decoded = (name, password), (unquote_plus(name), unquote_plus(password))
    return [plain] if plain == decoded else [plain, decoded]
