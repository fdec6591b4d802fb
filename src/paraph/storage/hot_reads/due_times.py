"""Reads when background work is due next, so that an idle process neither polls tables nor writes.

Where no listener hears of commits (`commit_listener`), `version` is compared once a second. While
it is unchanged no process has committed anything, so the due times read before are still true:

- SQLite: `PRAGMA data_version` on a bare connection in the event loop's own thread. It changes with
  every commit of another connection, of this process or of any other.
- PostgreSQL behind a pooler: the text of the current snapshot. Equal snapshots see the same rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Table

from paraph.storage.event_tables import POSITIONS, EventTables, TablesInUse
from paraph.storage.outage import failed
from paraph.storage.tables import kept_events


class DueTimes(NamedTuple):
    """The earliest time of each kind of work, in epoch seconds; None: there is no such work.

    Attributes:
        urgent_event, other_event: the next attempt to forward an event; None for other events
            while forwarding is paused.
        revocation, ownerless: the next attempt with a queued token.
        forwarded_at, dead_since, received_at: of the events whose deletion is due first.
        unmoved: not None if events of a former table have to be moved.
        request, state, answer: the expiry of a link request, a used state, an idempotent response.
        link: the expiry of a link that waits for a confirmation.
        export: not None if a line waits to be written to the receipt book.
        audit_head: the number of the newest audit entry.
        sealing_key: the id of the key that seals.
        seen_at: the time of this replica's last report.
    """

    urgent_event: int | None
    other_event: int | None
    revocation: int | None
    ownerless: int | None
    forwarded_at: int | None
    dead_since: int | None
    received_at: int | None
    unmoved: int | None
    request: int | None
    state: int | None
    answer: int | None
    link: int | None
    export: str | None
    audit_head: int | None
    sealing_key: str | None
    seen_at: int | None


# An index answers each in one step, except for tables that hold a few rows at a time. The constants
# are written out: a partial index is not used with a parameter.
_REST = (
    "min(next_attempt_at) FROM revocations",
    "min(next_attempt_at) FROM ownerless_tokens",
)
_ENDS = (
    "min(expires_at) FROM link_requests",
    "min(expires_at) FROM used_states",
    "min(expires_at) FROM given_answers",
    "min(expires_at) FROM links WHERE phase = 'pending'",
    "min(export_id) FROM removal_exports",
    "max(sequence) FROM audit_entries",
    "key_id FROM key_turns ORDER BY turn DESC LIMIT 1",
    "seen_at FROM replicas WHERE replica_id = {replica_id}",
)
_RETAINED = "min(handed_on_at) AS at FROM {table} WHERE status = 'handed_on' AND body IS NOT NULL"
_UNMOVED = (
    "min(received_at) AS at FROM {table} WHERE status = 'received'",
    "min(received_at) AS at FROM {table} WHERE status = 'dead' AND body IS NOT NULL",
)
_HELD = " AND NOT EXISTS (SELECT 1 FROM {table} WHERE status = 'received')"


@cache
def _statement(tables: EventTables, replica_id: str) -> str:
    """Build the statement for these event tables; `replica_id` is the placeholder."""
    current = tables.current.name
    waits = f"min(next_attempt_at) FROM {current} WHERE status = 'received' AND urgent ="
    retained = _earliest(*(_RETAINED.format(table=one.name) for one in tables.all))
    oldest = _earliest(*(f"{_oldest(one)} AS at FROM {one.name}" for one in tables.all))
    # An event that may not be claimed yet is not due: no replica is woken every second.
    held = " AND NOT EXISTS (SELECT 1 FROM forwarding_pause)"
    unmoved = "NULL"
    if tables.former is not None:
        former = tables.former.name
        held += _HELD.format(table=former)
        unmoved = _earliest(*(one.format(table=former) for one in _UNMOVED))
    columns = (
        f"{waits} true",
        f"{waits} false{held}",
        *_REST,
        retained,
        f"min(received_at) FROM {current} WHERE status = 'dead' AND body IS NOT NULL",
        oldest,
        unmoved,
        *_ENDS,
    )
    return f"SELECT {', '.join(f'(SELECT {one})' for one in columns)}".format(replica_id=replica_id)


def _earliest(*selections: str) -> str:
    """Build the smallest `at` of several selections; an aggregate alone is a branch of a union."""
    union = " UNION ALL ".join(f"SELECT {one}" for one in selections)
    return f"min(at) FROM ({union}) AS earliest"


def _oldest(table: Table) -> str:
    return f"min(position) / {POSITIONS}" if table is kept_events else "min(received_at)"


_CLOCK = "SELECT extract(epoch FROM clock_timestamp())"

Fetch = Callable[..., Awaitable[Sequence[Any]]]


class DueTimesLookup(Protocol):
    """`Database.read_version` and `Database.read_due_times` of one kind of database."""

    async def version(self) -> object:
        """Return a value that is equal to an earlier one only if nothing was committed between."""

    async def read(self, replica_id: str) -> DueTimes:
        """Return the present due times."""

    async def clock(self) -> float | None:
        """Return epoch seconds of the server's clock; None if it is this machine's."""

    async def close(self) -> None:
        """Close its connection."""


class SqliteDueTimesLookup:
    """Reads in the event loop's thread, where a reader of the WAL waits for no other connection."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], tables: TablesInUse) -> None:
        self._connect = connect
        self._tables = tables
        self._connection: sqlite3.Connection | None = None

    def _fetch(self, statement: str, *values: str) -> Any:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise failed(error) from None

    async def version(self) -> object:
        """See `DueTimesLookup`."""
        return self._fetch("PRAGMA data_version")[0]

    async def read(self, replica_id: str) -> DueTimes:
        """See `DueTimesLookup`."""
        return DueTimes._make(self._fetch(_statement(self._tables.now, "?"), replica_id))

    async def clock(self) -> None:
        """See `DueTimesLookup`."""

    async def close(self) -> None:
        """See `DueTimesLookup`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresqlDueTimesLookup:
    """Reads on the connection of the listener.

    Args:
        fetch: runs one read-only statement.
        tables: the tables of events.
    """

    def __init__(self, fetch: Fetch, tables: TablesInUse) -> None:
        self._fetch = fetch
        self._tables = tables

    async def version(self) -> object:
        """See `DueTimesLookup`."""
        return (await self._fetch("SELECT pg_current_snapshot()::text"))[0][0]

    async def read(self, replica_id: str) -> DueTimes:
        """See `DueTimesLookup`."""
        statement = _statement(self._tables.now, "$1")
        return DueTimes._make((await self._fetch(statement, replica_id))[0])

    async def clock(self) -> float:
        """See `DueTimesLookup`."""
        return float((await self._fetch(_CLOCK))[0][0])

    async def close(self) -> None:
        """The listener closes its connection."""
