"""The places in an event's payload that name the Zoom users whom the event concerns.

One row for each event family, compiled from Zoom's published event reference and from public
samples. A concerned user is the one whose authorization caused the event, or whose data it
carries. That is the host of a meeting, not its participants; the user who was updated, not the
administrator who did it; and the agent of an engagement, not the consumer.

A place is a path below `payload`. `object.host_id` is a member. `object.users[].user_id` is the
member of every element of a list. `object.owner[type=user].id` counts only where the object also
has the member `type` with the value `user`, `object.owner[type=].id` where it has no `type`.
If no place of `users` names a user, `named_users` searches the payload, except in closed families.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Places(NamedTuple):
    """Places of one event family.

    Attributes:
        users: every user named at one of these is concerned.
        otherwise: read only if no other place names a user, for instance the acting user.
        closed: ids at other places are not those of Zoom users, so they are not searched for.
    """

    users: tuple[str, ...]
    otherwise: tuple[str, ...] = ()
    closed: bool = False


# Chatbot events spell their keys in camel case. Events without an account: `*.rtms_*`,
# `rtms.concurrency_*`, `whiteboard.*`, `team_chat.*_approval_requested`, `app.*`.
ACCOUNT_KEYS = ("account_id", "accountId")

_OPERATOR = ("operator_id",)
_NO_USER = Places((), closed=True)
# Within a meeting `user_id` is the number of a participant.
_HOST = Places(
    (
        "object.host_id",
        "object.hostId",
        "object.host.id",
        "object.host.user_id",
        "object.meeting_host_id",
        "object.meeting.host_id",
        "object.owner_id",
        "host_id",
        "hostId",
        "host.id",
        "meeting_host_id",
    ),
    _OPERATOR,
    closed=True,
)
_OWNED = Places(
    ("operator_id", "object.owner_id", "object.owner.id", "object.owner_user_id"),
    ("user_id", "object.user_id", "object.creator_id"),
)
_CHAT = Places(
    ("operator_id", "object.owner_id", "user_id", "object.user_id", "userId"),
    ("object.operator_id",),
)
_SESSION = Places(("object.host_id",), _OPERATOR, closed=True)
_CHATBOT = Places(("userId", "user_id"), ("operator_id", "object.userId"))
_ORGANIZER = Places(
    (
        "user_id",
        "object.user_id",
        "object.host_id",
        "object.organizer_id",
        "object.organizer.id",
        "object.organizer.user_id",
        "object.host.id",
        "object.host.user_id",
        "object.scheduled_event.host_id",
        "object.scheduled_event.organizer_id",
    ),
    _OPERATOR,
)

FAMILIES: Mapping[str, Places] = {
    "meeting": _HOST,
    "webinar": _HOST,
    "recording": Places(("object.host_id", "object.meetings[].host_id"), _OPERATOR),
    # `operator_id` is the acting administrator, who may not even have the app.
    "user": Places(("object.id",), ("object.user_id", "user_id")),
    "phone": Places(
        (
            "object.callee.user_id",
            "object.caller.user_id",
            "object.user_id",
            "object.callee_user_id",
            "object.caller_user_id",
            "object.owner[type=user].id",
            "object[owner_type=user].owner_id",
            "object[callee_extension_type=user].callee_id",
            "object.callee[extension_type=user].id",
            "object.caller[extension_type=user].id",
            "object.sender[type=user].id",
            "object.to_members[][type=user].id",
            "object.recordings[].user_id",
            "object.recordings[].owner[type=user].id",
            "object.voicemails[].user_id",
            "object.voicemails[].callee_user_id",
            "object.recordings[].accepted_by.user_id",
            "object.recordings[].outgoing_by.user_id",
            "object.call_logs[].user_id",
            "object.call_logs[].caller_user_id",
            "object.call_logs[].callee_user_id",
            "object.call_elements[].user_id",
            "object.call_elements[].caller_user_id",
            "object.call_elements[].callee_user_id",
            "object.user.id",
            "object.users[].user_id",
            "object.user_ids[]",
        ),
        _OPERATOR,
    ),
    "contact_center": Places(
        (
            "object.user_id",
            "object.users[].user_id",
            "object.user_ids[]",
            "object.agent_id",
            "object.agent_user_id",
            "object.agent.user_id",
            "object.agent.id",
            "object.agents[].user_id",
            "object.agents[].agent_id",
            "object.assigned_user_id",
            "object.assigned_agent_id",
            "object.assignee_id",
            "object.assignee.user_id",
            "object.transfer_to_user_id",
            "object.transfer_from_user_id",
            "object.previous_user_id",
            "object.invited_user_id",
            "object.monitor_user_id",
            "object[owner_type=user].owner_id",
            "object.recordings[].user_id",
            "object.recordings[].users[].user_id",
            "object.tasks[].user_id",
            "object.tasks[].assigned_user_id",
        ),
        ("user_id", "operator_id", "object.modified_by", "object.created_by"),
    ),
    "bot_": _CHATBOT,
    "interactive_": _CHATBOT,
    "app_": _CHATBOT,
    "team_chat": _CHAT,
    "chat_message": _CHAT,
    "chat_channel": _CHAT,
    "whiteboard": Places(
        (*_OWNED.users, "object.collaborators[][role=0].user_id"),  # Role 0 is the owner.
        _OWNED.otherwise,
    ),
    "docs": _OWNED,
    "scheduler": _ORGANIZER,
    "calendar": _ORGANIZER,
    # Their users belong to the app, not to Zoom.
    "session": _SESSION,
    "video_sdk": _SESSION,
    "clinical_notes": Places(
        ("object.note_owner_user_id", "object.owner_id", "object.meeting_host_id"), _OPERATOR
    ),
    "group": Places(("object.members[].id", "object.admins[].id"), _OPERATOR),
    "zoomroom": _NO_USER,
    "rtms": _NO_USER,
    "account": _NO_USER,
    "number_management": _NO_USER,
    "information_barriers": _NO_USER,
}

UNKNOWN_FAMILY = Places(
    (
        "object.host_id",
        "object.hostId",
        "object.meeting_host_id",
        "object.host.id",
        "object.host.user_id",
        "host_id",
        "object.owner_id",
        "object.ownerId",
        "object.owner_user_id",
        # Without a type, no owner of these families is a group.
        "object.owner[type=].id",
        "object.owner[type=user].id",
        "object.owner.user_id",
        "owner_id",
        "object.organizer_id",
        "object.organizer.id",
        "object.organizer.user_id",
        "object.user_id",
        "object.userId",
        "object.user.id",
        "object.user.user_id",
        "object.users[].user_id",
        "object.users[].id",
        "object.user_ids[]",
        "object.agent_id",
        "object.agent_user_id",
        "object.agent.id",
        "object.agent.user_id",
        "object.agents[].user_id",
        "object.agents[].agent_id",
        "object.assignee_id",
        "object.assignee.id",
        "object.assignee.user_id",
        "object.creator_id",
        "object.callee.user_id",
        "object.caller.user_id",
        "user_id",
        "userId",
    ),
    ("operator_id", "object.operator_id", "operatorId", "object.modified_by", "object.created_by"),
)


def family_of(name: str) -> str:
    """Return the family of an event name: `phone` of `phone.callee_ended`, `bot_` of `bot_x`."""
    family, dot, _ = name.partition(".")
    if dot:
        return family
    beginning, underscore, _ = name.partition("_")
    return beginning + underscore
