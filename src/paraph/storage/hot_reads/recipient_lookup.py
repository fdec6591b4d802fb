"""The recipient lookup before an event is forwarded: is the claim valid, and who receives it?

It runs for each event just before it is sent. So a removal takes effect at once, also for
events claimed before it. Like the access lookup (`access_lookup`) it is one statement that bypasses
the ORM layers. SQLite runs it in the event loop's thread, PostgreSQL in shared batches.

An installation that needs reauthorization is left out. Zoom has ended its grant, so it is
unknown who may receive the user's or the account's events now.

It also brings the data keys of the event that exist at this moment. Without one of them the body
is not opened, although this process may have opened it before.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, Protocol

from paraph.model.installation import Recipient
from paraph.sealing.data_key import SealedDataKey
from paraph.storage.event_tables import EventTables, TablesInUse
from paraph.storage.hot_reads.coalescing import Coalescing
from paraph.storage.outage import failed
from paraph.storage.stores.events.event_columns import users_in

_SQLITE = (
    "SELECT l.link_id, l.subject, g.user_id, g.account_id FROM {table} e"
    " LEFT JOIN grants g ON g.client_id = ? AND {condition}"
    " AND g.phase <> 'needs_reauthorization'"
    " LEFT JOIN links l ON l.grant_id = g.grant_id AND l.client_id = g.client_id"
    " AND l.phase = 'active'"
    " WHERE e.{key} = ? AND e.attempts = ? AND e.status = 'received' ORDER BY l.link_id"
)
_ACCOUNT = "g.account_id = e.account_id"
# A removal takes its user out of `concerned`, so their new installation is not selected.
_USERS = (
    "g.user_id IN (SELECT value FROM json_each(?))"
    " AND (e.account_id = '' OR g.account_id = e.account_id)"
    " AND (e.concerned IS NULL OR instr(e.concerned, ' ' || g.user_id || ' '))"
)
_INSTALLATIONS = (
    " SELECT g.account_id, l.link_id, l.subject, g.user_id, NULL, NULL FROM grants g"
    " JOIN links l ON l.grant_id = g.grant_id AND l.client_id = g.client_id"
    " AND l.phase = 'active'"
    " WHERE g.client_id = $3 AND g.phase <> 'needs_reauthorization' AND "
)
_KEY_COLUMNS = "key_id, client_id, account_id, user_id, sealed"
_SQLITE_KEYS = (
    f"SELECT {_KEY_COLUMNS} FROM data_keys"  # noqa: S608 - Constants alone.
    " WHERE key_id IN (SELECT value FROM json_each(?))"
)
# The rows of all results. Those of waiting events have no account, and hold index and users. Those
# of data keys have a ciphertext.
_POSTGRESQL = (
    "SELECT NULL, asked.place::text, e.concerned, NULL, NULL, NULL::bytea FROM"  # noqa: S608
    " unnest($1::{kind}[], $2::int[])"
    " WITH ORDINALITY AS asked (key, attempts, place)"
    " JOIN {table} e ON e.{key} = asked.key AND e.attempts = asked.attempts"
    " AND e.status = 'received'"
    f" UNION ALL{_INSTALLATIONS}g.account_id = ANY($4::text[])"
    f" UNION ALL{_INSTALLATIONS}g.user_id = ANY($5::text[])"
    " UNION ALL SELECT account_id, key_id, client_id, user_id, key_id, sealed FROM data_keys"
    " WHERE key_id = ANY($6::text[])"
)


class Asked(NamedTuple):
    """One claim and its recipients: users by `user_ids`, or the whole account without them.

    `position` is the key of an event in the table that is keyed by time. An event that was claimed
    before `paraph migrate` has position 0: it is claimed again when its lease has ended.
    `key_ids` are the data keys that seal its body.
    """

    event_id: str
    attempts: int
    account_id: str
    client_id: str
    user_ids: tuple[str, ...] | None = None
    position: int = 0
    key_ids: tuple[str, ...] = ()

    def key(self, tables: EventTables) -> str | int:
        """Return the primary key of the event."""
        return self.position if tables.are_by_time else self.event_id


class Found(NamedTuple):
    """The installations that an event is for now, and its data keys that exist, by their ids."""

    installations: Sequence[Recipient]
    keys: Mapping[str, SealedDataKey]


class RecipientLookup(Protocol):
    """`Database.read_recipients` of one kind of database."""

    async def read(self, asked: Asked) -> Found | None:
        """Return the installations; None if the event no longer waits under this claim."""

    async def close(self) -> None:
        """Close its connection."""


class SqliteRecipientLookup:
    """Reads in the event loop's thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], tables: TablesInUse) -> None:
        self._connect = connect
        self._tables = tables
        self._cursor: sqlite3.Cursor | None = None

    async def read(self, asked: Asked) -> Found | None:
        """See `RecipientLookup`."""
        try:
            if self._cursor is None:
                self._cursor = self._connect().cursor()
            tables = self._tables.now
            condition, more = _ACCOUNT, tuple[str, ...]()
            if asked.user_ids is not None:
                condition, more = _USERS, (json.dumps(asked.user_ids),)
            statement = _statement(_SQLITE, tables, condition)
            values = asked.client_id, *more, asked.key(tables), asked.attempts
            if not asked.key_ids:
                return _found_in(self._cursor.execute(statement, values).fetchall())
            # One view of the database for both: a removal is seen by both or by none.
            self._cursor.execute("BEGIN")
            try:
                rows = self._cursor.execute(statement, values).fetchall()
                keys = self._cursor.execute(_SQLITE_KEYS, (json.dumps(asked.key_ids),)).fetchall()
            finally:
                self._cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise failed(error) from None
        return _found_in(rows, keys)

    async def close(self) -> None:
        """See `RecipientLookup`."""
        if self._cursor is not None:
            self._cursor.connection.close()
            self._cursor = None


def _found_in(rows: Sequence[Any], keys: Sequence[Any] = ()) -> Found | None:
    if not rows:
        return None
    living = {row[0]: SealedDataKey._make(row) for row in keys}
    return Found([Recipient(*row) for row in rows if row[0] is not None], living)


class PostgresqlRecipientLookup:
    """Reads in batches on one connection."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], tables: TablesInUse) -> None:
        self._coalescing: Coalescing[Asked, Found | None] = Coalescing(
            connect, partial(_ask_postgresql, tables)
        )

    async def read(self, asked: Asked) -> Found | None:
        """See `RecipientLookup`."""
        return (await self._coalescing.ask([asked]))[0]

    async def close(self) -> None:
        """See `RecipientLookup`."""
        await self._coalescing.close()


@cache
def _statement(template: str, tables: EventTables, condition: str = "") -> str:
    key, kind = ("position", "bigint") if tables.are_by_time else ("event_id", "text")
    return template.format(table=tables.current.name, key=key, kind=kind, condition=condition)


async def _ask_postgresql(
    in_use: TablesInUse, connection: Any, asked: Sequence[Asked]
) -> list[Found | None]:
    tables = in_use.now
    rows = await connection.fetch_alone(
        _statement(_POSTGRESQL, tables),
        [one.key(tables) for one in asked],
        [one.attempts for one in asked],
        # A process serves one client.
        asked[0].client_id,
        list({one.account_id for one in asked if one.user_ids is None and one.account_id}),
        list({user_id for one in asked for user_id in one.user_ids or ()}),
        list({key_id for one in asked for key_id in one.key_ids}),
    )
    keys: dict[str, SealedDataKey] = {}
    waiting: dict[int, tuple[str, ...] | None] = {}
    by_account: defaultdict[str, set[Recipient]] = defaultdict(set)
    by_user: defaultdict[str, set[Recipient]] = defaultdict(set)
    for account_id, second, third, user_id, key_id, sealed in rows:
        if sealed is not None:
            keys[key_id] = SealedDataKey(key_id, third, account_id, user_id, sealed)
        elif account_id is None:
            waiting[int(second)] = users_in(third)
        else:
            found = Recipient(second, third, user_id, account_id)
            by_account[account_id].add(found)
            by_user[user_id].add(found)
    return [
        Found(
            _found(one, waiting[place], by_account, by_user),
            {key_id: keys[key_id] for key_id in one.key_ids if key_id in keys},
        )
        if place in waiting
        else None
        for place, one in enumerate(asked, 1)
    ]


def _found(
    asked: Asked,
    users_now: tuple[str, ...] | None,
    by_account: dict[str, set[Recipient]],
    by_user: dict[str, set[Recipient]],
) -> list[Recipient]:
    if asked.user_ids is None:
        return sorted(by_account.get(asked.account_id, ()))
    return sorted(
        one
        for user_id in asked.user_ids
        # A removal takes its user out of `concerned`.
        if users_now is None or user_id in users_now
        for one in by_user.get(user_id, ())
        if asked.account_id in ("", one.account_id)
    )
