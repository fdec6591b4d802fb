"""The tables of events: which of them this database has, and where each new event belongs.

Version 0.1 keys its rows by the digest of the event. Each insert then writes pages at random places
of four indexes. The table `kept_events` is keyed by the time of arrival, so rows are appended.

New events never go to both tables. Older replicas know `events` alone: duplicates, earlier events
and those of removed users are found only there. So every replica uses it until `paraph migrate`,
which is run when no older one is left. It renames that table to `former_events`, so that every
process that still writes to `events` fails and looks here again. Waiting
events and dead letters then move to `kept_events`, some at a time (`stores.events.event_move`).
Forwarded events stay in `former_events` until the retention ends.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, inspect

from paraph.storage.tables import events, former_events, kept_events

EVENT_TABLES = (events, former_events, kept_events)
# Positions in one second: 1024 for each microsecond.
TAGS = 1024
POSITIONS = 1_000_000 * TAGS
# A position that another event has is refused, so the next one is tried.
POSITIONS_TRIED = 8
# Bits, of the 64 of an id, from one attempt to the next.
_SHIFT = 7
# In the column `failure` of a row that only serves to recognise duplicates.
MOVED = "moved"


@dataclass(frozen=True, slots=True)
class EventTables:
    """The tables that hold events.

    Attributes:
        current: new events are stored here, and are claimed from here.
        former: holds the events of the time before `paraph migrate` that were forwarded, and others
            until they have moved.
    """

    current: Table
    former: Table | None = None

    @property
    def are_by_time(self) -> bool:
        """True if the current table is keyed by time."""
        return self.current is kept_events

    @property
    def all(self) -> tuple[Table, ...]:
        """Every table with events."""
        return (self.current,) if self.former is None else (self.current, self.former)


BY_DIGEST = EventTables(events)
BY_TIME = EventTables(kept_events)
BOTH = EventTables(kept_events, former_events)


class TablesInUse:
    """The event tables as this process knows them: `paraph migrate` may change them meanwhile."""

    def __init__(self, now: EventTables) -> None:
        self.now = now


def find_event_tables(connection: Connection) -> EventTables:
    """Return the event tables of a database whose schema is up to date."""
    present = set(inspect(connection).get_table_names())
    if events.name in present:
        return BY_DIGEST
    return BOTH if former_events.name in present else BY_TIME


def key_of(table: Table) -> Column[Any]:
    """Return the primary key of an event table."""
    (key,) = table.primary_key.columns
    return key


def arrival_position(arrival: int, event_id: str, attempt: int = 0) -> int:
    """Return a position for an event of the inbox, in the order of arrival, in microseconds.

    Two processes may choose the same one. The database refuses the second, which makes another
    `attempt`. It takes other bits of the id: both may be in one batch, and make it together.
    """
    return arrival * TAGS + (_number(event_id) >> _SHIFT * attempt) % TAGS


def position_within(received_at: int, event_id: str, attempt: int = 0) -> int:
    """Return a position within a second, for rows of which many may have the same arrival."""
    return received_at * POSITIONS + (_number(event_id) + attempt) % POSITIONS


def _number(event_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(event_id.encode(), digest_size=8).digest(), "big")
