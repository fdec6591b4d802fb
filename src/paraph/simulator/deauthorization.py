"""A user removes an app: the tokens die, then `app_deauthorized` is sent (documented)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from paraph.simulator.engine import Simulator
from paraph.simulator.webhook_sender import Delivery
from paraph.simulator.world import App, User


def deauthorize(simulator: Simulator, app: App, user: User) -> Delivery | None:
    """End the grant and tell the app. None: apps that are not published are not told."""
    if app.level == "account":
        for grant in list(simulator.ledger.grants.values()):
            if (grant.client_id, grant.account_id) == (app.client_id, user.account_id):
                simulator.ledger.remove(grant.client_id, grant.user_id)
    else:
        simulator.ledger.remove(app.client_id, user.id)
    url = app.deauthorization_url or app.event_url
    if not app.published or not url:
        return None
    return simulator.sender.send(app, "app_deauthorized", _payload(simulator, app, user), url=url)


def _payload(simulator: Simulator, app: App, user: User) -> dict[str, Any]:
    instant = datetime.fromtimestamp(simulator.wall(), tz=UTC)
    return {
        "account_id": user.account_id,
        "user_id": user.id,
        # Zoom's own value, which no app can check (seen).
        "signature": simulator.ledger.random_text(64).lower(),
        "deauthorization_time": f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z",
        "client_id": app.client_id,
    }
