"""The access lookup of every vend and proxied call: installation active, API key live?

It reads the database each time, so that a removal or a revoked key takes effect at once on every
replica. To be fast it is one statement that bypasses the ORM layers:

- SQLite: on a bare read-only connection in the event loop's own thread. A reader of the WAL waits
  for no other connection, and a lookup by two primary keys is faster than a switch to another
  thread. A cached row is used only while `data_version` is unchanged: then no other connection of
  any process has committed to the file.
- PostgreSQL: queries that arrive while another one runs share the next statement
  (`coalescing`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from paraph.model.installation import AccessRow
from paraph.storage.hot_reads.coalescing import Coalescing
from paraph.storage.outage import failed

REMEMBERED = 10_000

# The ids of an API key and of a link.
Asked = tuple[str, str]

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


class AccessLookup(Protocol):
    """`Database.read_access` of one kind of database."""

    def ask(
        self, asked: Sequence[Asked]
    ) -> Sequence[AccessRow] | asyncio.Future[Sequence[AccessRow]]:
        """Return the present rows, or a future of them; missing values are empty."""

    async def close(self) -> None:
        """Close its connection."""


class SqliteAccessLookup:
    """Reads in the event loop's thread. Its cached rows are sealed as in the file."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._cursor: sqlite3.Cursor | None = None
        self._version = -1
        self._rows: dict[Asked, AccessRow] = {}

    def ask(self, asked: Sequence[Asked]) -> Sequence[AccessRow]:
        """See `AccessLookup`."""
        try:
            if self._cursor is None:
                self._cursor = self._connect().cursor()
            # Before the rows: a commit in between makes a row newer than its version, never older.
            version = self._cursor.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version or len(self._rows) >= REMEMBERED:
                self._version = version
                self._rows.clear()
            known = self._rows
            return [known.get(one) or self._read(self._cursor, one) for one in asked]
        except sqlite3.Error as error:
            raise failed(error) from None

    def _read(self, cursor: sqlite3.Cursor, asked: Asked) -> AccessRow:
        row = self._rows[asked] = AccessRow._make(cursor.execute(_SQLITE, asked).fetchone())
        return row

    async def close(self) -> None:
        """See `AccessLookup`."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


class PostgresqlAccessLookup:
    """Reads in batches on one connection."""

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._coalescing: Coalescing[Asked, AccessRow] = Coalescing(connect, _ask_postgresql)

    def ask(self, asked: Sequence[Asked]) -> asyncio.Future[Sequence[AccessRow]]:
        """See `AccessLookup`."""
        return self._coalescing.ask(asked)

    async def close(self) -> None:
        """See `AccessLookup`."""
        await self._coalescing.close()


async def _ask_postgresql(connection: Any, asked: Sequence[Asked]) -> list[AccessRow]:
    keys, links = zip(*asked, strict=True)
    return [AccessRow._make(row) for row in await connection.fetch_alone(_POSTGRESQL, keys, links)]
