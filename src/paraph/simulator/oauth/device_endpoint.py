"""The device grant's endpoint and its page: `/oauth/devicecode`, `/oauth_device`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paraph.simulator.engine import PendingConsent, Simulator
from paraph.simulator.oauth.authorization_endpoint import record_decision, refuse
from paraph.simulator.oauth.client_authentication import authenticate_client, read_parameters
from paraph.simulator.oauth.consent import Consents, Refused
from paraph.simulator.oauth.refusals import OAuthRefusal
from paraph.simulator.page import render
from paraph.simulator.request import Refusal, origin_as, read_form
from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.devices import EXPIRES_IN, INTERVAL, DeviceCode
from paraph.simulator.state.world import App

# Letters and digits that are not confused when read from a screen.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_SKILLS = "github zoom/skills: oauth"


class DeviceEndpoint:
    """Issues device codes, and lets a person enter a user code."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._consents = Consents(simulator)

    @behaviour(
        "device code",
        "device_code, user_code, verification_uri, verification_uri_complete, expires_in 900, "
        "interval 5",
        "documented",
        source=_SKILLS,
    )
    async def devicecode(self, request: Request) -> ResponseDraft:
        """POST /oauth/devicecode: issue a device code and a user code (RFC 8628 section 3.2)."""
        try:
            return self._issue(await self._client(request), request)
        except OAuthRefusal as error:
            return error.response()

    async def _client(self, request: Request) -> App:
        parameters = await read_parameters(self._simulator, request)
        app = authenticate_client(self._simulator, request, parameters)
        if app.kind != "general":
            raise OAuthRefusal("unauthorized_client", "The app has no device grant")
        return app

    def _issue(self, app: App, request: Request) -> ResponseDraft:
        simulator = self._simulator
        origin = origin_as(request, "zoom.us", simulator.origin)
        device = simulator.devices.add(
            app.client_id, simulator.ledger.random_text(43), self._user_code()
        )
        return ResponseDraft.of_json(
            200,
            {
                "device_code": device.device_code,
                "user_code": device.user_code,
                "verification_uri": f"{origin}/oauth_device",
                "verification_uri_complete": f"{origin}/oauth/device/complete/{device.user_code}",
                "expires_in": EXPIRES_IN,
                "interval": INTERVAL,
            },
        )

    async def page(self, _request: Request) -> Response:
        """GET /oauth_device: show the field for the user code."""
        return render("device.html", done="", wrong=False)

    async def enter(self, request: Request) -> Response:
        """POST /oauth_device: continue with consent for the entered user code."""
        try:
            form = dict(await read_form(request))
        except Refusal as refusal:
            return refuse(request, 4700, refusal.text)
        device = self._simulator.devices.by_user_code(form.get("user_code", ""))
        if device is None:
            return render("device.html", status=400, done="", wrong=True)
        return RedirectResponse(f"/oauth/device/complete/{device.user_code}", status_code=303)

    @behaviour(
        "device code",
        "the complete URL contains the user code and leads directly to consent",
        "documented",
        source=f"{_SKILLS}; thunderbird/appointment",
    )
    async def complete(self, request: Request) -> Response:
        """GET /oauth/device/complete/{user_code}: show the consent page of a device."""
        device = self._simulator.devices.by_user_code(request.path_params["user_code"])
        if device is None:
            return render("device.html", status=400, done="", wrong=True)
        if request.method == "HEAD":
            return Response()
        try:
            return self._consent(request, device)
        except Refused as refusal:
            return refuse(request, refusal.number, refusal.message)

    def _consent(self, request: Request, device: DeviceCode) -> Response:
        app = self._simulator.world.app(device.client_id)
        if app is None:
            raise Refused(4702, "Invalid client_id")
        decision = self._consents.automatic_decision(request, app)
        if decision is None:
            pending = PendingConsent(app.client_id, "", None, "", "", device.device_code)
            return self._consents.show_page(request, pending, app)
        record_decision(device, decision)
        return render("device.html", done=device.decision, wrong=False)

    def _user_code(self) -> str:
        text = self._simulator.ledger.random_text(8)
        return "".join(_ALPHABET[ord(one) % len(_ALPHABET)] for one in text)
