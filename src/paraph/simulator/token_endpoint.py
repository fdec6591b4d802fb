"""`/oauth/token` and `/oauth/revoke`.

Parameters may stand in the body or in the query, credentials in the header or in the body
(documented; both forms are used in production). With `strict` only the recommended form passes.
Errors are `{"reason", "error"}` (seen).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.faults import Answer
from paraph.simulator.ledger import Code, Grant
from paraph.simulator.world import App

EXPIRES_IN = 3599


@dataclass(frozen=True, slots=True)
class _Refusal(Exception):
    """An error of the token endpoint."""

    status: int
    reason: str
    error: str

    def answer(self) -> Answer:
        return Answer.of_json(self.status, {"reason": self.reason, "error": self.error})


class TokenEndpoint:
    """The token and revocation endpoints of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def token(self, request: Request) -> Answer:
        """POST /oauth/token."""
        refusal = self._simulator.faults.spoil("token_refusal", Answer(0, b""))
        if refusal.status:
            return refusal
        try:
            parameters = await self._parameters(request)
            app = self._client(request, parameters)
            answer = self._grant(app, parameters)
        except _Refusal as error:
            answer = error.answer()
        return self._simulator.faults.spoil("token", answer)

    async def revoke(self, request: Request) -> Answer:
        """POST /oauth/revoke: 200 `{"status":"success"}` (documented)."""
        try:
            parameters = await self._parameters(request)
            app = self._client(request, parameters)
        except _Refusal as refusal:
            return refusal.answer()
        ledger = self._simulator.ledger
        token = parameters.get("token", "")
        # Whether Zoom takes a refresh token here is unknown; an access token is documented.
        grant = ledger.by_access_token(token)[0] or ledger.by_refresh_token(token)
        if grant is None or grant.client_id != app.client_id:
            return _Refusal(400, "Invalid Token!", "invalid_request").answer()
        # That the whole grant dies is seen in one code base only.
        ledger.remove(grant.client_id, grant.user_id)
        return Answer.of_json(200, {"status": "success"})

    async def _parameters(self, request: Request) -> dict[str, str]:
        body = (await request.body()).decode("utf-8", "replace")
        parameters = dict(parse_qsl(body, keep_blank_values=True))
        if not self._simulator.world.zoom.strict:
            parameters = {**dict(request.query_params), **parameters}
        return parameters

    def _client(self, request: Request, parameters: dict[str, str]) -> App:
        name, password = _basic(request.headers.get("authorization", ""))
        if not name and not self._simulator.world.zoom.strict:
            name, password = parameters.get("client_id", ""), parameters.get("client_secret", "")
        name = name or parameters.get("client_id", "")
        app = self._simulator.world.app(name)
        if app is not None and app.public and not password:
            return app
        known = app.client_secret if app is not None else ""
        if app is None or not hmac.compare_digest(known.encode(), password.encode()):
            raise _Refusal(400, "Invalid client_id or client_secret", "invalid_client")
        return app

    def _grant(self, app: App, parameters: dict[str, str]) -> Answer:
        kind = parameters.get("grant_type", "")
        if kind == "authorization_code" and app.kind == "general":
            return self._by_code(app, parameters)
        if kind == "refresh_token" and app.kind == "general":
            return self._by_refresh_token(app, parameters)
        if kind == "client_credentials" and app.kind == "general":
            return self._for_app(app, ("imchat:bot",))
        if kind == "account_credentials" and app.kind == "server-to-server":
            if parameters.get("account_id") != app.account_id:
                raise _Refusal(400, "Bad Request", "invalid_request")
            return self._for_app(app, tuple(app.scopes))
        raise _Refusal(400, "Unsupported grant type", "unsupported_grant_type")

    def _by_code(self, app: App, parameters: dict[str, str]) -> Answer:
        simulator = self._simulator
        value = parameters.get("code", "")
        code = simulator.ledger.find_code(value)
        if code is None and simulator.faults.take("code_reuse_accepted"):
            code = simulator.ledger.codes.get(value)
        user = None if code is None else simulator.world.user(code.user_id)
        # One answer for unknown, used, expired, foreign and unproved codes (seen).
        invalid = _Refusal(400, f"Invalid authorization code {value}", "invalid_grant")
        if code is None or user is None or code.client_id != app.client_id:
            raise invalid
        if parameters.get("redirect_uri") != code.redirect_uri:
            # 4709, redirect URI mismatch (documented); the body's form is inferred.
            raise _Refusal(400, "Redirect URI mismatch (4,709)", "invalid_grant")
        code.used = True
        if not self._proved(code, parameters.get("code_verifier")):
            raise invalid
        return self._success(simulator.ledger.authorize(app, user, code.scopes))

    def _proved(self, code: Code, verifier: str | None) -> bool:
        if not code.challenge:
            # Whether Zoom refuses a verifier for a code without a challenge is unknown.
            return verifier is None or not self._simulator.world.zoom.strict
        if self._simulator.faults.take("pkce_not_enforced"):
            return True
        computed = verifier or ""
        if code.method == "S256":
            digest = hashlib.sha256(computed.encode("utf-8", "replace")).digest()
            computed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return hmac.compare_digest(computed.encode(), code.challenge.encode())

    def _by_refresh_token(self, app: App, parameters: dict[str, str]) -> Answer:
        ledger = self._simulator.ledger
        value = parameters.get("refresh_token", "")
        grant = ledger.by_refresh_token(value)
        if grant is None and self._simulator.faults.take("old_refresh_token_accepted"):
            grant = ledger.by_spent_refresh_token(value)
        if grant is None or grant.client_id != app.client_id:
            raise _Refusal(400, "Invalid Token!", "invalid_grant")
        return self._success(ledger.rotate(app, grant))

    def _success(self, grant: Grant) -> Answer:
        return Answer.of_json(
            200,
            {
                "access_token": grant.access_token,
                "token_type": "bearer",
                "refresh_token": grant.refresh_token,
                "expires_in": EXPIRES_IN,
                "scope": " ".join(grant.scopes),
                "api_url": self._simulator.api_url,
            },
        )

    def _for_app(self, app: App, scopes: tuple[str, ...]) -> Answer:
        return Answer.of_json(
            200,
            {
                "access_token": self._simulator.ledger.app_token(app),
                "token_type": "bearer",
                "expires_in": EXPIRES_IN,
                "scope": " ".join(scopes),
                "api_url": self._simulator.api_url,
            },
        )


def _basic(header: str) -> tuple[str, str]:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, _, password = text.partition(":")
    return unquote_plus(name), unquote_plus(password)
