"""In-client authorization: Zoom's client fetches the code for a Zoom App (`zoomSdk.authorize`)."""

from __future__ import annotations

from typing import Any

from paraph.errors import UsageError
from paraph.simulator.engine import Simulator
from paraph.simulator.oauth.consent import scopes_of
from paraph.simulator.oauth.redirect_check import redirect_is_registered
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.ledger import Code
from paraph.simulator.state.world import App, User


@behaviour(
    "Zoom Apps",
    "in-client authorization: the challenge is plain, the redirect URI the Home URL",
    "documented",
    source="zoom-apps/authentication; types of the SDK",
)
def authorize_in_client(
    simulator: Simulator,
    app: App,
    user: User,
    *,
    code_challenge: str,
    state: str | None,
    allow: bool,
) -> dict[str, Any]:
    """Return the content of the event onAuthorized that follows `zoomSdk.authorize(…)`.

    Args:
        simulator: the simulated Zoom.
        app: the app that asks.
        user: the user of Zoom's client.
        code_challenge: the code challenge; its method is plain.
        state: the state, returned unchanged; None for none.
        allow: whether the user allows it.

    Raises:
        UsageError: the code challenge is missing, or the Home URL is not on the allow list.
    """
    stamp = int(simulator.wall() * 1000)
    back = {} if state is None else {"state": state}
    if not allow:
        return {"result": False, "timestamp": stamp, **back}
    if not code_challenge:
        raise UsageError("authorize needs a code_challenge")
    if not redirect_is_registered(app, simulator.world.zoom, app.home_url):
        raise UsageError("the Home URL is not on the app's OAuth allow list (4,700)")
    code = simulator.ledger.issue_code(
        Code(
            client_id=app.client_id,
            user_id=user.id,
            redirect_uri=app.home_url,
            scopes=scopes_of(app, None),
            challenge=code_challenge,
            method="plain",
            issued_at=simulator.clock.now(),
            in_client=True,
        )
    )
    return {
        "code": code,
        "redirectUri": app.home_url,
        "result": True,
        "timestamp": stamp,
        **back,
    }
