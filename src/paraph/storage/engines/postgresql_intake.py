"""Inserts events on PostgreSQL: one INSERT of many rows for each batch.

It uses the driver directly, on a connection of its own. Columns are sent as arrays, so that
the statement is the same for every batch size. The driver prepares it once, unless the server is
behind a pooler. A batch takes three round trips: begin with its locks, the statement, commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

from paraph.errors import Conflict, StorageError
from paraph.model.event import KeptEvent, Outcome
from paraph.sealing.row import Sealing
from paraph.storage.engines.intake_rows import (
    Decided,
    GrantTime,
    assumed_keys,
    columns_of,
    decide,
    duplicate_key_of,
    marks_of,
    named_in,
    outcomes_of,
    owners_in,
    rows_of,
)
from paraph.storage.event_tables import POSITIONS_TRIED, EventTables, TablesInUse
from paraph.storage.hot_reads.data_key_lookup import DataKeyLookup, Keys, Owners, keys_statement
from paraph.storage.outage import failed
from paraph.storage.scope import NOTHING_READ, Scope, account

_TYPES = ["text", "text", "bigint", "bytea", "text", "text", "boolean", "bigint", "bigint", "text"]
_TYPES += ["text", "bigint", "bigint", "text"]
# SQLSTATE unique_violation.
_UNIQUE_VIOLATION = "23505"
_BY_TIME_TYPES = ["bigint", "bigint", "text"]
# One statement for three questions: which removals are recorded, which data keys are no longer
# those of their owners, and which events are new. If there is a removal or another key, nothing is
# inserted before it was examined.
_KEEP = """
WITH removed AS (
    SELECT identity_hash, created_at FROM tombstones WHERE identity_hash = ANY($1::bytea[])
), changed AS (
    SELECT FROM unnest($3::text[], $4::text[], $5::text[]) AS assumed (account_id, user_id, key_id)
    LEFT JOIN data_keys k ON k.client_id = $2::text
        AND k.account_id = assumed.account_id AND k.user_id = assumed.user_id
    WHERE k.key_id IS DISTINCT FROM assumed.key_id
), added AS (
    INSERT INTO {table} ({columns}, notice, attempts, failure)
    SELECT {columns}, false, 0, ''
    FROM unnest({arrays}) AS given ({columns})
    WHERE NOT EXISTS (SELECT FROM removed) AND NOT EXISTS (SELECT FROM changed){unknown}
    ON CONFLICT ({duplicate_key}) DO NOTHING
    RETURNING event_id
)
SELECT (SELECT array_agg(event_id) FROM added),
    (SELECT array_agg(identity_hash) FROM removed), (SELECT array_agg(created_at) FROM removed),
    EXISTS (SELECT FROM changed)
"""
_UNKNOWN = " AND NOT EXISTS (SELECT FROM {former} AS known WHERE known.event_id = given.event_id)"
_KEYS = keys_statement(
    "SELECT $1::text AS client_id, * FROM unnest($2::text[], $3::text[])"
    " AS asked (account_id, user_id)"
)
_GRANTS = (
    "SELECT account_id, user_id, coalesce(granted_zoom_time, granted_at) FROM grants"
    " WHERE client_id = $1 AND (account_id = ANY($2::text[]) OR user_id = ANY($3::text[]))"
)


@cache
def _statement(tables: EventTables) -> str:
    """Build it from constants and numbered placeholders; no value is ever written into it."""
    types = _TYPES + (_BY_TIME_TYPES if tables.are_by_time else [])
    former = tables.former
    return _KEEP.format(
        table=tables.current.name,
        columns=columns_of(tables),
        arrays=", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 6)),
        unknown="" if former is None else _UNKNOWN.format(former=former.name),
        duplicate_key=duplicate_key_of(tables),
    )


def _assumed(client_id: str, owners: Owners, keys: Keys) -> tuple[Any, ...]:
    """Return the client, and each column of the data keys that are assumed."""
    assumed = assumed_keys(owners, keys)
    return client_id, *([one[place] for one in assumed] for place in range(3))


class PostgresqlIntake:
    """Stores batches of events. It shares their accounts' scopes, so no removal overtakes it.

    Only one task at a time may call it.

    Args:
        connect: opens a connection to the server.
        locks: the statement that takes the locks of these scopes, as every writing block does.
        sealing: seals the bodies.
        tables: the tables of events.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        locks: Callable[[Sequence[Scope]], str],
        sealing: Sealing,
        tables: TablesInUse,
    ) -> None:
        self._connect = connect
        self._locks = locks
        self._sealing = sealing
        self._tables = tables
        self._keys = DataKeyLookup(self._fetch_keys)
        self._connection: Any = None

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Database.keep_events`."""
        # An event without an account shares the scope of all such events.
        accounts = sorted({one.account_id for one in events if not one.urgent})
        scopes = [account(client_id, one, shared=True) for one in accounts]
        begin = f"BEGIN; {self._locks(scopes or [NOTHING_READ])}"
        for attempt in range(POSITIONS_TRIED):
            try:
                decided, new = await self._keep_once(begin, events, client_id, attempt)
            except Conflict:
                if attempt == POSITIONS_TRIED - 1:
                    raise
            else:
                break
        return outcomes_of(events, dropped=decided.dropped, new=new)

    async def _keep_once(
        self, begin: str, events: Sequence[KeptEvent], client_id: str, attempt: int
    ) -> tuple[Decided, set[str]]:
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            # A statement of its own: the next one must read after the wait for the locks.
            await self._connection.execute(begin)
            decided, new = await self._insert(client_id, events, attempt)
            await self._connection.execute("COMMIT")
            self._connection.release()
        except BaseException as error:
            # The connection's state is unknown: the next batch opens another one.
            self._terminate()
            if isinstance(error, StorageError) or not isinstance(error, Exception):
                raise
            if getattr(error, "sqlstate", None) == _UNIQUE_VIOLATION:
                raise Conflict("another process has chosen this position") from None
            raise failed(error) from None
        return decided, new

    async def _insert(
        self, client_id: str, events: Sequence[KeptEvent], attempt: int
    ) -> tuple[Decided, set[str]]:
        tables = self._tables.now
        keep, owners = _statement(tables), owners_in(events, tables)
        keys = await self._keys.remembered(client_id, owners)
        columns = self._columns(events, tables, keys, attempt)
        assumed = _assumed(client_id, owners, keys)
        found = await self._connection.fetchrow(keep, marks_of(events), *assumed, *columns)
        removed, is_changed = dict(zip(found[1] or (), found[2] or (), strict=True)), found[3]
        if not removed and not is_changed:
            return decide(events, removed=removed), set(found[0] or ())
        grants: Sequence[GrantTime] = ()
        if removed:
            rows = await self._connection.fetch(_GRANTS, client_id, *named_in(events, removed))
            grants = [GrantTime(*row) for row in rows]
        decided = decide(events, removed=removed, grants=grants)
        if not decided.events:
            return decided, set()
        if is_changed:
            keys = self._keys.remember(owners, await self._fetch_keys(client_id, owners))
        # Without marks and assumptions: the removals have been examined, and the keys were read
        # after the arrival of these events.
        columns = self._columns(decided.events, tables, keys, attempt)
        assumed = _assumed(client_id, [], keys)
        found = await self._connection.fetchrow(keep, [], *assumed, *columns)
        return decided, set(found[0] or ())

    def _columns(
        self, events: Sequence[KeptEvent], tables: EventTables, keys: Keys, attempt: int
    ) -> list[list[Any]]:
        # Always in the same order: two replicas that store the same retries cannot deadlock.
        rows = sorted(rows_of(events, self._sealing, tables, keys, attempt))
        return list(map(list, zip(*rows, strict=True)))

    async def _fetch_keys(self, client_id: str, owners: Owners) -> Sequence[Any]:
        accounts, users = [owner[0] for owner in owners], [owner[1] for owner in owners]
        rows: Sequence[Any] = await self._connection.fetch(_KEYS, client_id, accounts, users)
        return rows

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _terminate(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
