"""`/oauth/token` and `/oauth/revoke`: the five grants, and revocation."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from paraph.simulator.apps.deauthorization import revoke_grant
from paraph.simulator.engine import Simulator
from paraph.simulator.oauth import refusals
from paraph.simulator.oauth.client_authentication import (
    Parameters,
    authenticate_client,
    read_parameters,
)
from paraph.simulator.oauth.code_exchange import faulty_claims, issue_tokens, take_code
from paraph.simulator.oauth.refusals import OAuthRefusal
from paraph.simulator.request import origin_as
from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Grant
from paraph.simulator.state.world import App

EXPIRES_IN = 3599
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SUBSCRIPTION_SCOPES = tuple(
    f"marketplace:{verb}:event_subscription" for verb in ("read", "write", "update", "delete")
)
_APP_SCOPES = ("imchat:bot", "marketplace:write:websocket_connection")

Work = Callable[[App, Parameters], ResponseDraft]


class TokenEndpoint:
    """The token and revocation endpoints of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._grants: dict[tuple[str, str], Work] = {
            ("general", "authorization_code"): self._by_code,
            ("general", "refresh_token"): self._by_refresh_token,
            ("general", "client_credentials"): self._for_app,
            ("general", DEVICE_GRANT): self._by_device_code,
            ("server-to-server", "account_credentials"): self._for_account,
        }

    async def token(self, request: Request) -> ResponseDraft:
        """POST /oauth/token: issue tokens for any of the five grants."""
        faults = self._simulator.faults
        refusal = faults.spoil("token_refusal", ResponseDraft(0, b""))
        if refusal.status:
            return refusal
        response = await self._respond(request, self._granted)
        own = origin_as(request, "api.zoom.us", self._simulator.origin)
        response.change(api_url=self._simulator.world.zoom.api_url or own)
        return faults.spoil("token", response)

    async def revoke(self, request: Request) -> ResponseDraft:
        """POST /oauth/revoke: end a grant (RFC 7009)."""
        refusal = self._simulator.faults.spoil("revoke_refusal", ResponseDraft(0, b""))
        if refusal.status:
            return refusal
        response = await self._respond(request, self._revoked)
        response.delay = refusal.delay
        return response

    async def _respond(self, request: Request, work: Work) -> ResponseDraft:
        try:
            parameters = await read_parameters(self._simulator, request)
            return work(authenticate_client(self._simulator, request, parameters), parameters)
        except OAuthRefusal as error:
            return error.response()

    @behaviour(
        "token endpoint",
        "an unknown grant type (4705) is unsupported_grant_type, an absent one invalid_request "
        "(4706)",
        "inferred",
        source="a public test; numbers documented",
    )
    @behaviour(
        "token endpoint",
        "a server-to-server app has account_credentials only, a general app all the others",
        "documented",
        source="github zoom/skills: oauth",
    )
    def _granted(self, app: App, parameters: Parameters) -> ResponseDraft:
        kind = parameters.get("grant_type")
        if not kind:
            raise refusals.invalid_request("grant_type is missing (4,706)")
        work = self._grants.get((app.kind, kind))
        if work is None:
            raise OAuthRefusal("unsupported_grant_type", "Unsupported grant type")
        return work(app, parameters)

    def _by_code(self, app: App, parameters: Parameters) -> ResponseDraft:
        code = take_code(self._simulator, app, parameters)
        return self._success(issue_tokens(self._simulator, app, code.user_id, code.scopes))

    def _by_refresh_token(self, app: App, parameters: Parameters) -> ResponseDraft:
        simulator, faults = self._simulator, self._simulator.faults
        grant = self._refreshable(app, parameters.get("refresh_token"))
        if simulator.world.user(grant.user_id) is None:
            raise refusals.user_gone()
        if simulator.app_status.is_withdrawn(app.client_id, grant.account_id):
            raise refusals.approval_withdrawn()
        if not set(app.granted_scopes()).issuperset(grant.scopes):
            raise refusals.scopes_changed()
        keep_refresh_token = faults.take("refresh_not_rotated")
        response = self._success(
            simulator.ledger.rotate(
                app,
                grant,
                claims=faulty_claims(simulator, grant.user_id),
                keep_access_token=faults.take("access_token_survives_refresh"),
                keep_refresh_token=keep_refresh_token,
            )
        )
        if keep_refresh_token:
            response.drop("refresh_token")
        return response

    @behaviour(
        "refresh", "a spent refresh token that is used again is refused and ends nothing", "unknown"
    )
    def _refreshable(self, app: App, value: str) -> Grant:
        ledger, faults = self._simulator.ledger, self._simulator.faults
        grant = ledger.by_refresh_token(value)
        if grant is not None and grant.client_id == app.client_id:
            return grant
        spent = ledger.spent(value)
        if spent is None or spent.client_id != app.client_id:
            raise refusals.invalid_token()
        if faults.take("refresh_reuse_ends_grant"):
            ledger.remove(spent.client_id, spent.user_id)
        grant = ledger.grants.get((spent.client_id, spent.user_id))
        if grant is not None and faults.take("old_refresh_token_accepted"):
            return grant
        superseded = spent.death == "superseded"
        raise refusals.superseded() if superseded else refusals.invalid_token()

    @behaviour(
        "device code",
        "an allowed device code gets a token set once; the code of another client is refused",
        "documented",
        source="github zoom/skills: oauth",
    )
    def _by_device_code(self, app: App, parameters: Parameters) -> ResponseDraft:
        polled = self._simulator.devices.poll(parameters.get("device_code"), app.client_id)
        if polled is None:
            raise OAuthRefusal("invalid_grant", "Invalid device code")
        result, device = polled
        if result != "allowed":
            raise OAuthRefusal(result, result)
        return self._success(issue_tokens(self._simulator, app, device.user_id, device.scopes))

    @behaviour(
        "token endpoint",
        "the scopes of event subscriptions need not be selected in the app: client_credentials "
        "grants them to every general app",
        "seen",
        source="forum thread 129108, staff",
    )
    @behaviour(
        "token endpoint",
        "client_credentials issues a token of the app's own, for chatbot, event-subscription and "
        "websocket scopes only, and no refresh token",
        "documented",
        source="github zoom/skills: oauth; webhook documentation",
    )
    def _for_app(self, app: App, _parameters: Parameters) -> ResponseDraft:
        selected = [
            scope
            for scope in (*app.scopes, *app.optional_scopes)
            if scope in _APP_SCOPES or (scope.startswith("marketplace:") and "event_sub" in scope)
        ]
        return self._own_token(app, tuple(dict.fromkeys((*selected, *_SUBSCRIPTION_SCOPES))))

    @behaviour(
        "token endpoint",
        "account_credentials issues a token for the whole account and no refresh token; the "
        "older ones stay alive",
        "inferred",
        source="documented for the grant; in forum threads 72070 and 74432 older ones died",
    )
    def _for_account(self, app: App, parameters: Parameters) -> ResponseDraft:
        if parameters.get("account_id") != app.account_id:
            raise refusals.invalid_request("Bad Request")
        return self._own_token(app, tuple(app.scopes))

    @behaviour(
        "token endpoint",
        "the response: access_token, token_type bearer, refresh_token, expires_in as a number, "
        "scope with spaces, api_url",
        "documented",
        source="changelog/platform/api_url_access_token_response",
    )
    def _success(self, grant: Grant) -> ResponseDraft:
        return ResponseDraft.of_json(
            200,
            {
                "access_token": grant.access_token,
                "token_type": "bearer",
                "refresh_token": grant.refresh_token,
                "expires_in": EXPIRES_IN,
                "scope": " ".join(grant.scopes),
            },
        )

    def _own_token(self, app: App, scopes: tuple[str, ...]) -> ResponseDraft:
        return ResponseDraft.of_json(
            200,
            {
                "access_token": self._simulator.ledger.issue_app_token(app, scopes),
                "token_type": "bearer",
                "expires_in": EXPIRES_IN,
                "scope": " ".join(scopes),
            },
        )

    @behaviour(
        "revoke",
        'the response to a revocation is {"status":"success"}',
        "documented",
        source="Zoom's OAuth reference",
    )
    @behaviour(
        "revoke", "the whole grant dies, its refresh token too", "seen", source="one code base"
    )
    @behaviour("revoke", "a refresh token may be revoked as well", "unknown")
    def _revoked(self, app: App, parameters: Parameters) -> ResponseDraft:
        ledger, faults = self._simulator.ledger, self._simulator.faults
        token = parameters.get("token")
        owner: tuple[str, str] | None = None
        bearer, _ = ledger.by_access_token(token)
        grant = ledger.by_refresh_token(token)
        if bearer is not None:
            owner = (bearer.client_id, bearer.user_id)
        elif grant is not None and not faults.take("revoke_refresh_token_refused"):
            owner = (grant.client_id, grant.user_id)
        if owner is None or owner[0] != app.client_id:
            raise OAuthRefusal("invalid_request", "Invalid Token!")
        if not faults.take("revoke_keeps_grant"):
            ledger.end_app_token(token)
            revoke_grant(self._simulator, app, owner[1])
        return ResponseDraft.of_json(200, {"status": "success"})
