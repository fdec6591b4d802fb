"""The Marketplace: listings with Add, Local Test and Share, and the apps that a user has added.

All three links are the plain authorization URL, without `state` and without PKCE (seen in many
reports). A landing-page app is sent to its own site instead (documented).
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paraph.simulator.deauthorization import deauthorize
from paraph.simulator.engine import Simulator
from paraph.simulator.gate import Gate, Refusal
from paraph.simulator.page import render
from paraph.simulator.world import App


class Marketplace:
    """The Marketplace pages of one simulator."""

    def __init__(self, simulator: Simulator, gate: Gate) -> None:
        self._simulator = simulator
        self._gate = gate

    async def listing(self, request: Request) -> Response:
        """GET /marketplace/{client_id}."""
        app = self._simulator.world.app(request.path_params["client_id"])
        if app is None:
            return render(
                "refused.html", status=404, number=404, message="No such app", line="No such app"
            )
        added = [
            user
            for user in self._simulator.world.users
            if (app.client_id, user.id) in self._simulator.ledger.grants
        ]
        return render("listing.html", app=app, add_url=add_url(app), added=added)

    async def remove(self, request: Request) -> Response:
        """POST /marketplace/{client_id}/remove: a user removes the app."""
        try:
            self._gate.refuse_foreign_form(request)
        except Refusal as refusal:
            return Response(refusal.text, status_code=refusal.status)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        app = self._simulator.world.app(request.path_params["client_id"])
        user = self._simulator.world.user(form.get("user_id", ""))
        if app is not None and user is not None:
            deauthorize(self._simulator, app, user)
        return RedirectResponse(request.url.path.removesuffix("/remove"), status_code=303)


def add_url(app: App) -> str:
    """Where Add leads."""
    if app.install_type == "LANDING_PAGE":
        return app.landing_url
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uris[0] if app.redirect_uris else "",
    }
    return f"/oauth/authorize?{urlencode(query)}"
