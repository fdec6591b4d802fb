"""Removal of an app by a user: its tokens end, then `app_deauthorized` is sent (documented)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from paraph.simulator.apps.variants import Variants
from paraph.simulator.engine import Simulator
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App, User
from paraph.simulator.webhooks.delivery import Delivery

_SKILLS = "zoom/skills"

behaviour("deauthorization", "only published apps are notified", "documented", source=_SKILLS)
behaviour(
    "deauthorization",
    "it is sent to the deauthorization URL of the app, not to its event URL",
    "documented",
    source="forum thread 14050",
)
behaviour("deauthorization", "user_data_retention, absent or as text", "seen", source="DF 44851")
behaviour("deauthorization", "event_ts beside or inside payload", "seen", source="@zoom/rivet")
behaviour("deauthorization", "payload.signature cannot be verified", "seen", source="DF 44851")
behaviour(
    "deauthorization", "for an account-level app, user_id is the admin who removed it", "inferred"
)
behaviour("deauthorization", "it is retried like every event", "inferred")
behaviour("deauthorization", "it is also sent to a URL that failed six challenges", "unknown")


@dataclass(slots=True)
class Removal:
    """A draft of an app_deauthorized event, which a variant may change.

    Attributes:
        wall: epoch seconds of the real world.
        event_ts: epoch milliseconds; None leaves it out.
        copies: how often the event is sent.
        keeps_tokens: leave the tokens alive.
    """

    wall: float
    payload: dict[str, Any]
    event_ts: int | None
    copies: int = 1
    keeps_tokens: bool = False

    def content(self) -> dict[str, Any]:
        """Return the body's object."""
        stamp = {} if self.event_ts is None else {"event_ts": self.event_ts}
        return {"event": "app_deauthorized", **stamp, "payload": self.payload}


VARIANTS: Variants[Removal] = Variants()


@VARIANTS.register
def _retention_false_text(removal: Removal) -> None:
    """user_data_retention is the text "false", as in old documentation."""
    removal.payload["user_data_retention"] = "false"


@VARIANTS.register
def _retention_false(removal: Removal) -> None:
    """user_data_retention is false."""
    removal.payload["user_data_retention"] = False


@VARIANTS.register
def _retention_null(removal: Removal) -> None:
    """user_data_retention is null."""
    removal.payload["user_data_retention"] = None


@VARIANTS.register
def _retention_true(removal: Removal) -> None:
    """user_data_retention is true."""
    removal.payload["user_data_retention"] = True


@VARIANTS.register
def _event_ts_inside(removal: Removal) -> None:
    """event_ts stands inside the payload."""
    removal.payload["event_ts"], removal.event_ts = removal.event_ts, None


@VARIANTS.register
def _event_ts_absent(removal: Removal) -> None:
    """There is no event_ts."""
    removal.event_ts = None


@VARIANTS.register
def _other_client(removal: Removal) -> None:
    """client_id is that of another app, such as the development app."""
    removal.payload["client_id"] = "AnotherSimulatedClient"


@VARIANTS.register
def _unknown_user(removal: Removal) -> None:
    """user_id belongs to no user."""
    removal.payload["user_id"] = "NobodyInThisWorld00000"


@VARIANTS.register
def _other_account(removal: Removal) -> None:
    """The same user_id in another account."""
    removal.payload["account_id"] = "AnotherAccount00000001"


@VARIANTS.register
def _duplicate(removal: Removal) -> None:
    """The event is sent twice."""
    removal.copies = 2


@VARIANTS.register
def _early(removal: Removal) -> None:
    """The event arrives before the removal: the tokens are still alive."""
    removal.keeps_tokens = True


@VARIANTS.register
def _old_time(removal: Removal) -> None:
    """A day old, like a late retry of an earlier removal; the tokens are alive."""
    removal.payload["deauthorization_time"] = _written(removal.wall - 86_400)
    removal.keeps_tokens = True


@VARIANTS.register
def _unreadable_time(removal: Removal) -> None:
    """deauthorization_time is not a time."""
    removal.payload["deauthorization_time"] = "yesterday"


def deauthorize(
    simulator: Simulator, app: App, user: User, *, variant: str = ""
) -> Delivery | None:
    """End the grant and notify the app.

    Args:
        simulator: the simulated Zoom.
        app: the app that is removed.
        user: the removing user; an account-level app is removed by an admin of that user's account.
        variant: variants of VARIANTS joined with `+`; "" for the usual event.

    Returns:
        The delivery; None if the app is not published or has no deauthorization URL.

    Raises:
        UsageError: there is no such variant.
    """
    now = simulator.wall()
    removal = Removal(now, _payload(simulator, app, user, now), int(now * 1000))
    VARIANTS.apply(variant, removal)
    if not removal.keeps_tokens:
        _end_grants(simulator, app, user)
    if not app.published or not app.deauthorization_url:
        return None
    sent = [
        simulator.sender.send(app, removal.content(), url=app.deauthorization_url)
        for _ in range(removal.copies)
    ]
    return sent[0]


@behaviour(
    "revoke",
    "revoking a user's token removes the app for that user, and sends app_deauthorized; "
    "`revoke_deauthorizes = false` ends the tokens only",
    "seen",
    source="forum thread 18432, staff",
)
def revoke_grant(simulator: Simulator, app: App, user_id: str) -> Delivery | None:
    """End the grant of one user, and remove the app unless its settings say otherwise.

    Args:
        simulator: the simulated Zoom.
        app: the app whose grant is revoked.
        user_id: the user; "" or an unknown one sends no event.

    Returns:
        The delivery; None if the app is not notified.
    """
    simulator.ledger.remove(app.client_id, user_id)
    user = simulator.world.user(user_id)
    if user is None or not app.revoke_deauthorizes:
        return None
    return deauthorize(simulator, app, user)


def _end_grants(simulator: Simulator, app: App, user: User) -> None:
    for grant in list(simulator.ledger.grants.values()):
        same_user = app.level == "user" and grant.user_id == user.id
        same_account = app.level == "account" and grant.account_id == user.account_id
        if grant.client_id == app.client_id and (same_user or same_account):
            simulator.ledger.remove(grant.client_id, grant.user_id)


def _payload(simulator: Simulator, app: App, user: User, now: float) -> dict[str, Any]:
    remover = user
    if app.level == "account" and user.role != "admin":
        same = [one for one in simulator.world.users if one.account_id == user.account_id]
        remover = next((one for one in same if one.role == "admin"), user)
    return {
        "account_id": remover.account_id,
        "user_id": remover.id,
        "signature": simulator.random_bytes(32).hex(),
        "deauthorization_time": _written(now),
        "client_id": app.client_id,
    }


def _written(instant: float) -> str:
    at = datetime.fromtimestamp(instant, tz=UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
