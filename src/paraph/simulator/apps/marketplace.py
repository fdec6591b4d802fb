"""The Marketplace: listings with Add, Local Test and Share, and the users who have added an app.

All three links are the bare authorization URL, without `state` and PKCE. For a landing-page app,
Add leads to the app's own site instead.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from paraph.simulator.apps.deauthorization import deauthorize
from paraph.simulator.engine import Simulator
from paraph.simulator.page import render
from paraph.simulator.request import Refusal, read_form
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App


class Marketplace:
    """The Marketplace pages of one simulator.

    Args:
        simulator: the simulated Zoom.
        refuse_foreign_form: raises `Refusal` for a form that another site sent.
    """

    def __init__(
        self, simulator: Simulator, refuse_foreign_form: Callable[[Request], None]
    ) -> None:
        self._simulator = simulator
        self._refuse_foreign_form = refuse_foreign_form

    @behaviour(
        "Marketplace",
        "Add, Local Test and Share are the plain authorization URL to the primary redirect URI: no "
        "state, no PKCE",
        "seen",
        source="zoomapps-advancedsample-react issue 15; Zoom's older OAuth guide",
    )
    @behaviour(
        "Marketplace",
        "a landing-page app is added on its own site, which starts the flow",
        "documented",
        source="manifest: install_type LANDING_PAGE; forum thread 77316",
    )
    @behaviour(
        "Marketplace",
        "Local Test and Share of a landing-page app lead to the authorization URL too",
        "inferred",
    )
    async def listing(self, request: Request) -> Response:
        """GET /marketplace/{client_id}: show the listing of an app."""
        app = self._simulator.world.app(request.path_params["client_id"])
        # A server-to-server app cannot be added by a user.
        if app is None or app.kind != "general":
            return render(
                "refused.html", status=404, number=404, message="No such app", line="No such app"
            )
        added = [
            user
            for user in self._simulator.world.users
            if (app.client_id, user.id) in self._simulator.ledger.grants
        ]
        return render("listing.html", app=app, plain_url=plain_url(app), added=added)

    async def remove(self, request: Request) -> Response:
        """POST /marketplace/{client_id}/remove: remove the app for a user."""
        try:
            self._refuse_foreign_form(request)
            form = dict(await read_form(request))
        except Refusal as refusal:
            return Response(refusal.text, status_code=refusal.status)
        app = self._simulator.world.app(request.path_params["client_id"])
        user = self._simulator.world.user(form.get("user_id", ""))
        if app is not None and user is not None:
            deauthorize(self._simulator, app, user)
        return RedirectResponse(request.url.path.removesuffix("/remove"), status_code=303)


def plain_url(app: App) -> str:
    """Return the authorization URL that the Marketplace uses."""
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uris[0] if app.redirect_uris else "",
    }
    return f"/oauth/authorize?{urlencode(query)}"
