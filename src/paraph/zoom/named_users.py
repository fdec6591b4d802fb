"""Searches an event for its users at places that the table does not list.

Zoom adds events and moves fields without notice. An event without a named user in the table would
go to every user of its account. So it is searched for members whose names mean a Zoom user. The
people around an event, such as participants and consumers, are not its users and are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

# Objects about people other than the users whose authorization caused the event.
_OTHERS = frozenset(
    [
        "participant",
        "registrant",
        "attendee",
        "panelist",
        "invitee",
        "guest",
        "consumer",
        "customer",
        "contact",
        "member",
        "external",
        "visitor",
        "room",
        "device",
        "queue",
        "group",
        "department",
    ]
)
# The most specific role first: an owner is the user, even if a creator is a different person.
_ROLES = (
    frozenset(["host", "owner", "organizer"]),
    frozenset(["agent", "assignee", "user"]),
    frozenset(["sender", "creator", "author", "caller", "callee"]),
)
_MAX_DEPTH = 8
# A body may have a mebibyte, but no event of Zoom's names its user behind this many members and
# entries of lists.
_MAX_MEMBERS = 2000


def named_users(payload: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield places and values of the most specific role in a payload, outermost first."""
    found = list(_candidates(payload))
    first = min((rank for rank, _, _ in found), default=0)
    return ((place, value) for rank, place, value in found if rank == first)


def _candidates(payload: Mapping[str, Any]) -> Iterator[tuple[int, str, object]]:
    """Yield rank, place and value of every member whose name means a user."""
    waiting: deque[tuple[Mapping[str, Any], str, int]] = deque([(payload, "", 0)])
    left = _MAX_MEMBERS
    while waiting:
        node, path, depth = waiting.popleft()
        for key, value in node.items():
            left -= max(1, len(value)) if isinstance(value, list) else 1
            if left < 0:
                return
            words = _words(key)
            if not words or _OTHERS.intersection(words):
                continue
            place = f"{path}{key}"
            for one in value if isinstance(value, list) else (value,):
                rank, at, user_id = _read(node, key, words, one)
                if rank is not None and user_id is not None:
                    yield rank, f"{path}{at}", user_id
                if isinstance(one, dict) and depth < _MAX_DEPTH:
                    waiting.append((one, f"{place}.", depth + 1))


def _read(
    node: Mapping[str, Any], key: str, words: list[str], value: object
) -> tuple[int | None, str, object]:
    """Yield rank, place and id of `owner_id`, `owner` containing an id, or `owner` as an id."""
    if isinstance(value, dict):
        is_user = _is_user(value) and "user_id" not in value
        return (_rank(words) if is_user else None), f"{key}.id", value.get("id")
    is_id = words[-1] == "id" or len(words) == 1
    role = words[:-1] if words[-1] == "id" else words
    return (_rank(role) if is_id and _is_user(node, key[:-2]) else None), key, value


def _words(key: str) -> list[str]:
    """Split `ownerIds`, `owner_ids` and `OWNER_ID` into the words owner and id."""
    key = key[:64]
    snake = "".join(f"_{c}" if c.isupper() and not key.isupper() else c for c in key)
    return [word.removesuffix("s") for word in snake.lower().split("_") if word]


def _rank(words: list[str]) -> int | None:
    """Return the position in `_ROLES` of the last role that the words name; None without a role.

    In `note_owner_user` that is the owner, and in `transferred_by_user` a user.
    """
    named = words[:-1] if words[-1:] == ["user"] and len(words) > 1 else words
    for role in (*named[-1:], *words[-1:]):
        for rank, known in enumerate(_ROLES):
            if role in known:
                return rank
    return None


def _is_user(node: Mapping[str, Any], before: str = "") -> bool:
    """Return true unless a type next to the id says that it is not a user's id."""
    types = (node.get(f"{before}{key}") for key in ("type", "extension_type"))
    # Only text is read: a long list would be written out for each id next to it.
    return all(one is None or (isinstance(one, str) and one[:5].lower() == "user") for one in types)
