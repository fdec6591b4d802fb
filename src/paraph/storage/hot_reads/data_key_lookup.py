"""The data keys that seal the events of a batch, read by their owners.

They are read after the events have arrived, and before these are written. If a removal commits in
between, the bodies are sealed with a destroyed key and cannot be opened. That is correct: those
events are older than the removal. A key that was read earlier would be wrong: after a removal and
a new installation, genuine events would be sealed with the former key and lost.

SQLite reads them in the event loop's thread, for each batch. PostgreSQL would need a round trip.
So its keys are remembered, and the statement that inserts a batch does so only if every one of them
is still the present key of its owner (`postgresql_intake`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping
from typing import Any

from paraph.sealing.data_key import Owner, SealedDataKey
from paraph.storage.outage import failed

# From this number of owners on, all are read again.
REMEMBERED = 10_000

_COLUMNS = ", ".join(f"k.{name}" for name in SealedDataKey._fields)
_SQLITE_ONE = (
    f"SELECT {_COLUMNS} FROM data_keys k"  # noqa: S608 - Constants alone.
    " WHERE k.client_id = ? AND k.account_id = ? AND k.user_id = ?"
)
_SQLITE = (
    f"SELECT {_COLUMNS} FROM json_each(?) asked"  # noqa: S608 - Constants alone.
    " JOIN data_keys k ON k.client_id = ? AND k.account_id = json_extract(asked.value, '$[0]')"
    " AND k.user_id = json_extract(asked.value, '$[1]')"
)
_POSTGRESQL = (
    f"SELECT {_COLUMNS} FROM unnest($2::text[], $3::text[]) AS asked (account_id, user_id)"  # noqa: S608
    " JOIN data_keys k ON k.client_id = $1 AND k.account_id = asked.account_id"
    " AND k.user_id = asked.user_id"
)

Keys = Mapping[Owner, SealedDataKey]


class SqliteDataKeyLookup:
    """Reads in the event loop's thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._cursor: sqlite3.Cursor | None = None

    def read(self, client_id: str, owners: Collection[tuple[str, str]]) -> Keys:
        """Return the present keys of these owners.

        Raises:
            StorageError: the database failed.
        """
        if not owners:
            return {}
        try:
            if self._cursor is None:
                self._cursor = self._connect().cursor()
            if len(owners) == 1:
                (owner,) = owners
                rows = self._cursor.execute(_SQLITE_ONE, (client_id, *owner)).fetchall()
            else:
                asked = json.dumps(list(owners))
                rows = self._cursor.execute(_SQLITE, (asked, client_id)).fetchall()
        except sqlite3.Error as error:
            raise failed(error) from None
        return by_owner(rows)

    def close(self) -> None:
        """Close its connection."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


class PostgresqlDataKeyLookup:
    """Remembers keys. The caller checks at the insert whether they are the present ones."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], SealedDataKey | None] = {}

    async def remembered(
        self, connection: Any, client_id: str, owners: Collection[tuple[str, str]]
    ) -> Keys:
        """Return the keys of these owners as they were known last; read only unknown owners."""
        unknown = [owner for owner in owners if owner not in self._known]
        if unknown:
            await self.read(connection, client_id, unknown)
        return {Owner(*owner): key for owner in owners if (key := self._known[owner]) is not None}

    async def read(
        self, connection: Any, client_id: str, owners: Collection[tuple[str, str]]
    ) -> Keys:
        """Return the present keys of these owners, and remember them."""
        accounts, users = [owner[0] for owner in owners], [owner[1] for owner in owners]
        found = by_owner(await connection.fetch(_POSTGRESQL, client_id, accounts, users))
        if len(self._known) + len(owners) > REMEMBERED:
            self._known.clear()
        self._known.update({owner: found.get(Owner(*owner)) for owner in owners})
        return found


def by_owner(rows: Any) -> Keys:
    """Return the keys of rows of `data_keys`, by their owners."""
    return {key.owner: key for key in map(SealedDataKey._make, rows)}
