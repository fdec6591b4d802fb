"""The Zoom users whom an event concerns, as the twin determines them."""

from __future__ import annotations

from typing import Any

# Different kinds of Zoom events name their user at different places.
_PLACES = (
    ("object", "host_id"),
    ("object", "callee", "user_id"),
    ("object", "caller", "user_id"),
    ("object", "callee_user_id"),
    ("object", "owner", "id"),
    ("object", "owner_id"),
    ("object", "user_id"),
    ("object", "users", "user_id"),
    ("userId",),
    ("operator_id",),
)
_HOST_ONLY = _PLACES[:1]
KNOWN = frozenset(
    {
        *("meeting.ended", "meeting.started", "app_deauthorized", "endpoint.url_validation"),
        *("phone.callee_ended", "phone.caller_ended", "phone.voicemail_received"),
        *("phone.recording_completed", "phone.sms_received", "contact_center.engagement_ended"),
        *(
            "user.updated",
            "bot_notification",
            "chat_message.sent",
            "whiteboard.created",
            "meeting.rtms_stopped",
        ),
    }
)


def account_of(payload: dict[str, Any]) -> str:
    """Return the account id; "" if the payload has no valid one."""
    return str(payload.get("account_id") or payload.get("accountId") or "")


def users_of(name: str, payload: dict[str, Any], *, host_only: bool = False) -> set[str]:
    """Return the ids of the users; with `host_only`, only those of the host."""
    places = _HOST_ONLY if host_only else _PLACES
    found = {one for place in places for one in _at(payload, place)}
    if name.startswith("user.") and not host_only:
        found.update(_at(payload, ("object", "id")))
    return found


def _at(value: Any, place: tuple[str, ...]) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _at(one, place)]
    if not place:
        return [value] if isinstance(value, str) and value else []
    return _at(value.get(place[0]), place[1:]) if isinstance(value, dict) else []
