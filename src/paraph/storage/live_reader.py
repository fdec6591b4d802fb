"""The read behind every vend and every proxied call: is it still active, and is the key live?

It is asked anew each time, whatever was known a moment ago, so that a removal or a revoked key
counts at once on every replica. So it is one statement and goes past the object layers:

- SQLite: on a bare read-only connection in the event loop's own thread. A reader of the WAL waits
  for nobody, and a lookup by two primary keys takes less than handing it to another thread. What
  is asked each time is `data_version`: while no other connection of any process has committed
  anything to the file, a row that was read from it stands in it still.
- PostgreSQL: whatever is asked while a query is under way goes into the next one, all together.
  Each question is in a query that begins after it was asked.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from paraph.errors import StorageError
from paraph.storage.records import LiveRow

LARGEST_BATCH = 512
REMEMBERED = 10_000

_COLUMNS = (
    "k.secret_hash, k.scopes, k.subject_prefix, k.revoked_at, k.last_used_at,"
    " l.client_id, l.subject, l.phase, g.grant_id, g.phase, g.reason, g.token_version,"
    " g.access_token, g.access_expires_at, g.scopes, g.api_server"
)
_SQLITE = (
    f"SELECT {_COLUMNS} FROM (SELECT 1)"  # noqa: S608 - Constants.
    " LEFT JOIN api_keys k ON k.key_id = ? LEFT JOIN links l ON l.link_id = ?"
    " LEFT JOIN grants g ON g.grant_id = l.grant_id"
)
_POSTGRESQL = (
    f"SELECT {_COLUMNS}"  # noqa: S608 - Constants.
    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (key_id, link_id, place)"
    " LEFT JOIN api_keys k ON k.key_id = asked.key_id"
    " LEFT JOIN links l ON l.link_id = asked.link_id"
    " LEFT JOIN grants g ON g.grant_id = l.grant_id ORDER BY asked.place"
)


class LiveReader(Protocol):
    """What a kind of database does for `Store.read_live`."""

    async def read(self, key_id: str, link_id: str) -> LiveRow:
        """The row as it is now; parts of it are None where there is nothing."""

    def read_at_once(self, key_id: str, link_id: str) -> LiveRow | None:
        """The same where nobody has to be waited for; elsewhere None."""

    async def close(self) -> None:
        """Let go of its connection."""


class SqliteLiveReader:
    """Reads in the event loop's thread. What it remembers is sealed as in the file."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._cursor: sqlite3.Cursor | None = None
        self._version = -1
        self._rows: dict[tuple[str, str], LiveRow] = {}

    async def read(self, key_id: str, link_id: str) -> LiveRow:
        """See `LiveReader`."""
        return self.read_at_once(key_id, link_id)

    def read_at_once(self, key_id: str, link_id: str) -> LiveRow:
        """See `LiveReader`."""
        try:
            if self._cursor is None:
                self._cursor = self._connect().cursor()
            # Before the row: a commit in between makes the row newer than its version, never older.
            version = self._cursor.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version or len(self._rows) >= REMEMBERED:
                self._version = version
                self._rows.clear()
            asked = key_id, link_id
            row = self._rows.get(asked)
            if row is None:
                row = LiveRow._make(self._cursor.execute(_SQLITE, asked).fetchone())
                self._rows[asked] = row
        except sqlite3.Error as error:
            raise StorageError(f"the database failed: {type(error).__name__}") from None
        return row

    async def close(self) -> None:
        """See `LiveReader`."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


class PostgresqlLiveReader:
    """Reads in batches on one connection."""

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._connect = connect
        self._connection: Any = None
        self._waiting: list[tuple[str, str, asyncio.Future[LiveRow]]] = []
        self._work: asyncio.Task[None] | None = None

    async def read(self, key_id: str, link_id: str) -> LiveRow:
        """See `LiveReader`."""
        answer: asyncio.Future[LiveRow] = asyncio.get_running_loop().create_future()
        self._waiting.append((key_id, link_id, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._answer_all())
        return await answer

    def read_at_once(self, key_id: str, link_id: str) -> None:
        """The server has to be asked."""

    async def _answer_all(self) -> None:
        while self._waiting:
            batch, self._waiting = (
                self._waiting[:LARGEST_BATCH],
                self._waiting[LARGEST_BATCH:],
            )
            try:
                rows = await self._fetch([one[0] for one in batch], [one[1] for one in batch])
            except Exception as error:  # noqa: BLE001 - Whatever it is, somebody waits for it.
                await self._fail(batch, error)
            else:
                for (_, _, answer), row in zip(batch, rows, strict=True):
                    if not answer.done():
                        answer.set_result(LiveRow._make(row))

    async def _fetch(self, key_ids: list[str], link_ids: list[str]) -> list[Any]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        found: list[Any] = await self._connection.fetch(_POSTGRESQL, key_ids, link_ids)
        return found

    async def _fail(
        self, batch: list[tuple[str, str, asyncio.Future[LiveRow]]], error: Exception
    ) -> None:
        # What state the connection is in is not worth knowing: the next batch opens another.
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        for _, _, answer in batch:
            if not answer.done():
                # The driver's words may quote values; its class says enough.
                answer.set_exception(StorageError(f"the database failed: {type(error).__name__}"))

    async def close(self) -> None:
        """See `LiveReader`."""
        if self._work is not None:
            await self._work
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
