"""`/oauth/authorize`: validates the request, asks for consent, and sends the code to the app."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from paraph.simulator.engine import PendingConsent, Simulator
from paraph.simulator.oauth.consent import Consents, Decision, Refused
from paraph.simulator.oauth.redirect_check import redirect_is_registered
from paraph.simulator.page import render
from paraph.simulator.response import AuthorizationResponse
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.devices import DeviceCode
from paraph.simulator.state.ledger import Code
from paraph.simulator.state.world import App

_METHODS = {"plain", "S256"}
_S256 = re.compile(r"[A-Za-z0-9_-]{43}")
_REFERENCE = "Zoom's OAuth reference: authorization request"


class AuthorizationEndpoint:
    """The authorization endpoint of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._consents = Consents(simulator)

    async def show(self, request: Request) -> Response:
        """GET: validate the request, then decide at once or show the consent page."""
        if request.method == "HEAD":
            # A link scanner's request: it is safe (RFC 9110 9.2.1), so it gets no code.
            return Response()
        try:
            pending, app = self._validated(request)
            decision = self._consents.automatic_decision(request, app)
            if decision is None:
                return self._consents.show_page(request, pending, app)
            return self._carry_out(pending, app, decision)
        except Refused as refusal:
            return refuse(request, refusal.number, refusal.message)

    async def decide(self, request: Request) -> Response:
        """POST: apply the decision of the person on the consent page."""
        try:
            pending, app, decision = await self._consents.take(request)
            return self._carry_out(pending, app, decision)
        except Refused as refusal:
            return refuse(request, refusal.number, refusal.message)

    @behaviour(
        "authorization request",
        "an unknown client (4702) or redirect URI (4700) is shown on Zoom's page, never redirected",
        "seen",
        source="veritas.com article 100060085; forum reports",
    )
    @behaviour(
        "redirect URI",
        "in strict mode a registered URI that is not the primary one is accepted",
        "unknown",
    )
    @behaviour(
        "authorization request",
        "response_type must be code; it may be absent, except with `strict`",
        "inferred",
        source=_REFERENCE,
    )
    def _validated(self, request: Request) -> tuple[PendingConsent, App]:
        world, query = self._simulator.world, request.query_params
        if world.zoom.strict and len(query.multi_items()) != len(query):
            raise Refused(4700, "A parameter appears twice")
        app = world.app(query.get("client_id", ""))
        if app is None or app.kind != "general":
            raise Refused(4702, "Invalid client_id")
        if app.client_id in self._simulator.app_status.disabled:
            raise Refused(4717, "The app has been disabled")
        redirect_uri = query.get("redirect_uri", "")
        is_second = redirect_uri not in app.redirect_uris[:1]
        if not redirect_is_registered(app, world.zoom, redirect_uri) or (
            is_second and self._simulator.faults.take("second_redirect_refused")
        ):
            raise Refused(4700, "Invalid redirect url")
        response_type = query.get("response_type", "" if world.zoom.strict else "code")
        if response_type != "code":
            raise Refused(4700, "Invalid response_type")
        _require_own_scopes(app, query.get("scope", ""))
        challenge, method = self._challenge(request, app)
        state = query.get("state")
        return PendingConsent(app.client_id, redirect_uri, state, challenge, method), app

    @behaviour(
        "PKCE",
        "a public client must send a code_challenge",
        "documented",
        source="changelog/platform/proof-key-for-code-exchange-pkce-update",
    )
    @behaviour(
        "PKCE",
        "an unknown method is refused on Zoom's page; the shape of a challenge with `strict` only",
        "inferred",
        source=_REFERENCE,
    )
    def _challenge(self, request: Request, app: App) -> tuple[str, str]:
        challenge = request.query_params.get("code_challenge", "")
        method = request.query_params.get("code_challenge_method", "plain")
        if method not in _METHODS:
            raise Refused(4700, "Invalid code_challenge_method")
        if app.public and not challenge:
            raise Refused(4700, "A public client needs a code_challenge")
        misshapen = method == "S256" and challenge and not _S256.fullmatch(challenge)
        if self._simulator.world.zoom.strict and misshapen:
            raise Refused(4700, "Invalid code_challenge")
        return challenge, method

    def _carry_out(self, pending: PendingConsent, app: App, decision: Decision) -> Response:
        if pending.device_code:
            return self._device_decided(pending, decision)
        if decision.user is None:
            return self._denied(pending, app)
        code = self._simulator.ledger.issue_code(
            Code(
                client_id=app.client_id,
                user_id=decision.user.id,
                redirect_uri=pending.redirect_uri,
                scopes=decision.scopes,
                challenge=pending.challenge,
                method=pending.method,
                issued_at=self._simulator.clock.now(),
            )
        )
        return self._redirect(pending, app, [("code", code)])

    @behaviour(
        "authorization response",
        "a denied consent returns error=access_denied and the state",
        "inferred",
        source="official samples read it: arlo, chatbot-nodejs-quickstart",
    )
    def _denied(self, pending: PendingConsent, app: App) -> Response:
        return self._redirect(pending, app, [("error", "access_denied")])

    def _device_decided(self, pending: PendingConsent, decision: Decision) -> Response:
        device = self._simulator.devices.by_device_code(pending.device_code)
        if device is None:
            raise Refused(4700, "The code has expired; start again at the device")
        record_decision(device, decision)
        return render("device.html", done=device.decision, wrong=False)

    @behaviour(
        "authorization response",
        "302 with code, then the state as it was sent; no iss (RFC 9207)",
        "documented",
        source=_REFERENCE,
    )
    def _redirect(
        self, pending: PendingConsent, app: App, parameters: list[tuple[str, str]]
    ) -> Response:
        response = AuthorizationResponse(
            uri=pending.redirect_uri,
            parameters=parameters,
            primary_uri=app.redirect_uris[0] if app.redirect_uris else "",
        )
        if pending.state is not None:
            response.put("state", pending.state)
        return self._simulator.faults.spoil("authorization", response).send()


@behaviour(
    "authorization request",
    "a scope parameter has no effect: scopes come from the app's settings",
    "inferred",
    source="absent from Zoom's parameter list; two clients disagree",
)
@behaviour(
    "authorization request",
    "a scope parameter that names a scope outside the app's list is refused: Invalid scope (4,700)",
    "seen",
    source="forum threads 52654, 6558 and 138714",
)
@behaviour(
    "authorization request",
    "a classic scope (`user:read`) stands for the app's granular ones that begin so",
    "unknown",
)
def _require_own_scopes(app: App, requested: str) -> None:
    own = {*app.granted_scopes(), *app.scopes, *app.optional_scopes}
    for name in requested.split():
        is_classic = name.count(":") == 1
        if name not in own and not (is_classic and any(one.startswith(f"{name}:") for one in own)):
            raise Refused(4700, "Invalid scope")


def record_decision(device: DeviceCode, decision: Decision) -> None:
    """Record a person's decision in the device code."""
    if decision.user is None:
        device.decision = "denied"
        return
    device.decision, device.user_id = "allowed", decision.user.id
    device.scopes = decision.scopes


@behaviour(
    "authorization request",
    "an error before the redirect is a page, or JSON with errorCode and errorMessage for callers "
    "that ask for JSON",
    "seen",
    source="wayland issue 1158; veritas.com article 100060085",
)
def refuse(request: Request, number: int, message: str) -> Response:
    """Show an error on Zoom's page, because the redirect URI cannot be trusted yet.

    Args:
        request: the authorization request; a caller that accepts JSON gets JSON.
        number: Zoom's number of the error.
        message: the text of the error.
    """
    if "application/json" in request.headers.get("accept", ""):
        content = {"status": False, "errorCode": number, "errorMessage": message, "result": None}
        return JSONResponse(content, status_code=400)
    line = message
    if message == "Invalid redirect url":
        line = f"Invalid redirect: {request.query_params.get('redirect_uri', '')} (4,700)"
    if message == "Invalid scope":
        line = "Invalid scope (4,700)"
    return render("refused.html", status=400, number=number, message=message, line=line)
