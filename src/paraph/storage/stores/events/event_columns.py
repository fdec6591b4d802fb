"""The users of an event in its row, and the places of its body.

`events.concerned` holds them as " id id ", so that " id " finds one of them at any position.
An id contains no space. NULL is a row of an earlier version, whose body names the users.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table

from paraph.errors import EventInvalid
from paraph.model.event import EventStatus
from paraph.storage.event_tables import key_of
from paraph.storage.tables import kept_events
from paraph.zoom.concerned_users import concerned_users
from paraph.zoom.events import parse_kept_event

BODY = "events.body"
# In the column `failure`: a removal has destroyed the content.
PURGED_FAILURE = "purged"
# An event that ended because its content is destroyed.
PURGED = {"status": EventStatus.FORWARDED.value, "failure": PURGED_FAILURE}


def column_of(user_ids: Sequence[str] | None) -> str | None:
    """Return the value of `events.concerned` for these users."""
    return None if user_ids is None else f" {' '.join(user_ids)} "


def users_in(column: str | None) -> tuple[str, ...] | None:
    """Return the users of a value of `events.concerned`."""
    return None if column is None else tuple(column.split())


def users_of_body(body: bytes | None) -> tuple[str, ...]:
    """Return the users whom the event in the body of a row concerns."""
    try:
        return concerned_users(parse_kept_event(body or b""))
    except EventInvalid:
        return ()


def without_body(events: Table) -> dict[str, Any]:
    """Return the values of an UPDATE that deletes bodies, so that their space is used again.

    SQLite frees a page when a row is deleted from it, not when a row shrinks. If the key is set,
    also to its own value, the row is deleted and inserted again, beside other short ones.
    """
    key = key_of(events)
    return {"body": None, key.name: key} if events is kept_events else {"body": None}


def as_purged(events: Table) -> dict[str, Any]:
    """Return the values of an UPDATE that ends events whose content a removal has destroyed."""
    return without_body(events) | PURGED
