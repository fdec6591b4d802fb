"""The read before an event is handed on: is the claim still good, and whom does it concern?

It is asked anew for each event, just before it goes out, so that a removal counts at once: for
what was claimed before it too. Like the read behind a vend (`live_reader`) it is one cheap
statement that goes past the object layers: in the event loop's thread on SQLite, together for
all who ask at the same time on PostgreSQL.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

from paraph.errors import StorageError
from paraph.storage.coalescing import Coalescing
from paraph.storage.records import Concerned

_SQLITE = (
    "SELECT l.link_id, l.subject FROM events e"
    " LEFT JOIN grants g ON g.client_id = ? AND g.account_id = e.account_id"
    " LEFT JOIN links l ON l.grant_id = g.grant_id AND l.client_id = g.client_id"
    " AND l.phase = 'active'"
    " WHERE e.event_id = ? AND e.attempts = ? AND e.status = 'received' ORDER BY l.link_id"
)
# The rows of both answers; an empty name stands in front of the places of what still waits.
_POSTGRESQL = (
    "SELECT '', asked.place::text, '' FROM unnest($1::text[], $2::int[])"
    " WITH ORDINALITY AS asked (event_id, attempts, place)"
    " JOIN events e ON e.event_id = asked.event_id AND e.attempts = asked.attempts"
    " AND e.status = 'received'"
    " UNION ALL SELECT g.account_id, l.link_id, l.subject FROM grants g"
    " JOIN links l ON l.grant_id = g.grant_id AND l.client_id = g.client_id"
    " AND l.phase = 'active'"
    " WHERE g.client_id = $3 AND g.account_id = ANY($4::text[])"
)


class Asked(NamedTuple):
    """One claim, and whose installations are meant."""

    event_id: str
    attempts: int
    account_id: str
    client_id: str


class ConcernedReader(Protocol):
    """What a kind of database does for `Store.read_concerned`."""

    async def read(self, asked: Asked) -> Sequence[Concerned] | None:
        """The installations; None where the event does not wait under this claim any more."""

    async def close(self) -> None:
        """Let go of its connection."""


class SqliteConcernedReader:
    """Reads in the event loop's thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._cursor: sqlite3.Cursor | None = None

    async def read(self, asked: Asked) -> Sequence[Concerned] | None:
        """See `ConcernedReader`."""
        try:
            if self._cursor is None:
                self._cursor = self._connect().cursor()
            values = asked.client_id, asked.event_id, asked.attempts
            rows = self._cursor.execute(_SQLITE, values).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"the database failed: {type(error).__name__}") from None
        return [Concerned(*row) for row in rows if row[0] is not None] if rows else None

    async def close(self) -> None:
        """See `ConcernedReader`."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


class PostgresqlConcernedReader:
    """Reads in batches on one connection."""

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._coalescing: Coalescing[Asked, Sequence[Concerned] | None] = Coalescing(
            connect, _ask_postgresql
        )

    async def read(self, asked: Asked) -> Sequence[Concerned] | None:
        """See `ConcernedReader`."""
        return (await self._coalescing.ask([asked]))[0]

    async def close(self) -> None:
        """See `ConcernedReader`."""
        await self._coalescing.close()


async def _ask_postgresql(
    connection: Any, asked: Sequence[Asked]
) -> list[Sequence[Concerned] | None]:
    rows = await connection.fetch(
        _POSTGRESQL,
        [one.event_id for one in asked],
        [one.attempts for one in asked],
        # A process serves one client.
        asked[0].client_id,
        list({one.account_id for one in asked if one.account_id}),
    )
    waiting = set()
    by_account: defaultdict[str, list[Concerned]] = defaultdict(list)
    for name, second, subject in rows:
        if name:
            by_account[name].append(Concerned(second, subject))
        else:
            waiting.add(int(second))
    for concerned in by_account.values():
        concerned.sort()
    return [
        by_account.get(one.account_id, []) if place in waiting else None
        for place, one in enumerate(asked, 1)
    ]
