"""Group `deauthorization`, part 2: events about a user who has removed the app.

Zoom repeats deliveries for 85 minutes, so events from before a removal can arrive after it. At user
level the account may have other installations. An app that checks the account alone then stores
events of a removed user.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.install_steps import Installed
from paraph.checks.harness.removal_steps import control_gone, installed, remove
from paraph.checks.harness.webhook_steps import (
    Delivery,
    control_delivery,
    effects,
    has_effect_soon,
    iso,
    known_user,
    marked_delivery,
    new_marker,
    post,
    signed_delivery,
)
from paraph.checks.verdict import HookMissingError
from paraph.simulator.state.world import User

_LATE = 600.0


def _event(t: CaseContext, name: str, payload: dict[str, Any], at: float | None) -> Delivery:
    """Build a delivery sent now for an event at the time `at`; None leaves the time out."""
    content: dict[str, Any] = {"event": name, "payload": payload}
    if at is not None:
        content["event_ts"] = int(at * 1000)
    return signed_delivery(t, json.dumps(content, separators=(",", ":")).encode())


def _meeting(t: CaseContext, user: User, at: float | None) -> tuple[str, Delivery]:
    marker = new_marker()
    item = {"topic": marker, "uuid": marker, "host_id": user.id}
    return marker, _event(t, "meeting.ended", {"account_id": user.account_id, "object": item}, at)


def _remaining_user(t: CaseContext, done: Installed) -> User:
    """Install a user whose events still have their effect after the other user's removal.

    At user level this is a colleague, so that the account stays known to the app. At account
    level a removal ends the installation of the whole account, so it is a user of another one.
    """
    if t.environment.level == "account":
        return known_user(t)
    return installed(t, user=t.zoom.user(account_id=done.user.account_id)).user


@case("deauth-late-event")
def _late_event(t: CaseContext) -> None:
    t.hooks.require("events")
    done = installed(t)
    control_delivery(t, done.user)
    other = _remaining_user(t, done)
    remove(t, done, deauthorization_time=iso(t.now()))
    control_gone(t, done)
    markers = {}
    times = {
        "one minute old": t.now() - 60,
        "ten minutes old": t.now() - _LATE,
        "without a time": None,
    }
    for what, at in times.items():
        marker, delivery = _meeting(t, done.user, at)
        t.expect_no_error(post(t, delivery), f"an event of a removed user ({what})")
        markers[what] = marker
    # A repeated delivery may carry the timestamp of the first one.
    marker, delivery = _meeting(t, done.user, t.now() - 60)
    delivery.timestamp = str(int(t.now() - min(60, t.limits.freshness_past / 2)))
    t.expect_no_error(post(t, delivery), "a repeated event of a removed user")
    markers["one minute old, repeated"] = marker
    control_delivery(t, other)
    for what, marker in markers.items():
        t.expect(not effects(t, marker), f"an event of a removed user ({what}) had an effect")


Shape = Callable[[User, dict[str, Any]], dict[str, Any]]
_CALLER = {"phone_number": "+15550100", "extension_type": "pstnNumber"}


def _object(**more: Any) -> Shape:
    """Build a payload with an account and an object with these members; `User` is the user id."""
    return lambda user, item: {
        "account_id": user.account_id,
        "object": {**item, **_named(more, user)},
    }


def _named(value: Any, user: User) -> Any:
    if value is User:
        return user.id
    if isinstance(value, dict):
        return {name: _named(one, user) for name, one in value.items()}
    return [_named(one, user) for one in value] if isinstance(value, list) else value


# The places at which Zoom's events name their user (developers.zoom.us, event references).
SHAPES: dict[str, tuple[str, Shape]] = {
    "object.callee.user_id": ("phone.callee_ended", _object(callee={"user_id": User})),
    "object.caller.user_id": ("phone.caller_ended", _object(caller={"user_id": User})),
    "object.callee_user_id": (
        "phone.voicemail_received",
        _object(callee_user_id=User, caller=_CALLER),
    ),
    "object.owner.id": ("phone.recording_completed", _object(owner={"type": "user", "id": User})),
    "object.user_id": ("phone.sms_received", _object(user_id=User)),
    "object.users[]": (
        "contact_center.engagement_ended",
        _object(users=[{"user_id": User}], consumers=[{"consumer_id": "c-1"}]),
    ),
    "object.id": ("user.updated", _object(id=User)),
    "payload.userId": (
        "bot_notification",
        lambda user, item: {"accountId": user.account_id, "userId": user.id, "cmd": item["topic"]},
    ),
    "payload.operator_id": (
        "chat_message.sent",
        lambda user, item: {
            "account_id": user.account_id,
            "operator_id": user.id,
            "object": {**item, "type": "to_channel"},
        },
    ),
    "object.owner_id, no account": (
        "whiteboard.created",
        lambda user, item: {"object": {**item, "owner_id": user.id}},
    ),
}


def _send_shapes(t: CaseContext, user: User, places: list[str]) -> dict[str, str]:
    """Deliver an event of each of these shapes about a user; return the marker of each."""
    markers = {}
    for place in places:
        name, shape = SHAPES[place]
        markers[place] = marker = new_marker()
        payload = shape(user, {"topic": marker, "uuid": marker})
        response = post(t, _event(t, name, payload, t.now() - 30))
        t.expect_no_error(response, f"the event {name}")
    return markers


@case("deauth-odd-places")
def _odd_places(t: CaseContext) -> None:
    t.hooks.require("events")
    done = installed(t)
    other = _remaining_user(t, done)
    before = _send_shapes(t, done.user, list(SHAPES))
    control_delivery(t, done.user)
    t.until(lambda: all(effects(t, one) for one in before.values()))
    handled = [place for place, marker in before.items() if effects(t, marker)]
    if not handled:
        raise HookMissingError(
            "no event that names its user elsewhere than at `host_id` is handled"
        )
    remove(t, done, deauthorization_time=iso(t.now()))
    control_gone(t, done)
    after = _send_shapes(t, done.user, handled)
    control_delivery(t, other)
    for place, marker in after.items():
        name = SHAPES[place][0]
        t.expect(
            not effects(t, marker), f"{name} names a removed user at {place}: it had an effect"
        )


@case("deauth-event-reinstalled")
def _reinstalled(t: CaseContext) -> None:
    t.hooks.require("events")
    done = installed(t)
    control_delivery(t, done.user)
    remove(t, done, deauthorization_time=iso(t.now()))
    control_gone(t, done)
    again = installed(t, user=done.user, subject=done.subject)
    marker, honest = marked_delivery(t, again.user)
    t.expect_no_error(post(t, honest), "an event after a new installation")
    there = has_effect_soon(t, marker)
    t.expect(there, "an event after a new installation has no effect")
    marker, late = _meeting(t, again.user, t.now() - _LATE)
    t.expect_no_error(post(t, late), "an event of the earlier installation")
    control_delivery(t, again.user)
    t.expect(not effects(t, marker), "an event of the earlier installation reached the new one")
