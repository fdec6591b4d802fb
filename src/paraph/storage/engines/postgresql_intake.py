"""Inserts events on PostgreSQL: one INSERT of many rows for each batch.

It uses the driver directly, on a connection of its own. Columns are sent as arrays, so that
the statement is the same for every batch size. The driver prepares it once, unless the server is
behind a pooler.

A batch takes one round trip. A statement sees what was committed before it began, and a removal may
commit while it waits for a lock. So the locks need a statement of their own. A function of the
session runs both, and its call commits by itself. It is temporary: each connection makes its own,
so replicas of different versions cannot meet in it, and no backup and no privilege on the schema
knows of it.

A batch with a removal or a changed data key takes a transaction of several round trips. So does
every batch behind a pooler, where nothing outlives a transaction, and where the function cannot be
made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from paraph.errors import Conflict, StorageError
from paraph.logs import get_logger
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

_log = get_logger("storage")

# Also where the database has another default: a statement must see what was committed before it.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_STEPS_COST = (
    "each batch of events takes three round trips to the database instead of one; "
    "GRANT TEMPORARY ON DATABASE to the user of database_url, and PL/pgSQL, make it one"
)
_ASKED_TYPES = ["bytea[]", "text", "text[]", "text[]", "text[]"]
_TYPES = ["text", "text", "bigint", "bytea", "text", "text", "boolean", "bigint", "bigint", "text"]
_TYPES += ["text", "bigint", "bigint", "text"]
# SQLSTATE unique_violation, undefined_function.
_UNIQUE_VIOLATION, _UNDEFINED_FUNCTION = "23505", "42883"
_BY_TIME_TYPES = ["bigint", "bigint", "text"]
# SQLSTATE classes of a statement that this server or this user cannot run: no privilege to create
# temporary objects, no PL/pgSQL, no such functions.
_NOT_POSSIBLE = ("42", "0A")
# One statement for three questions: which removals are recorded, which data keys are no longer
# those of their owners, and which events are new. If there is a removal or another key, nothing is
# inserted before it was examined.
_KEEP = """
WITH removed AS (
    SELECT identity_hash, created_at FROM tombstones WHERE identity_hash = ANY($1::bytea[])
), changed AS (
    SELECT FROM unnest($3::text[], $4::text[], $5::text[]) AS assumed (account_id, user_id, key_id)
    WHERE key_id IS DISTINCT FROM (
        SELECT k.key_id FROM data_keys k WHERE k.client_id = $2::text
            AND k.account_id = assumed.account_id AND k.user_id = assumed.user_id
    )
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
# Each statement of a volatile function sees what was committed before that statement, if the
# transaction is READ COMMITTED. A loop, because locks are taken in one order everywhere.
_FUNCTION = """
CREATE OR REPLACE FUNCTION pg_temp.keep_batch({types})
RETURNS TABLE (added_ids text[], removed_marks bytea[], removed_at bigint[], has_changed boolean)
LANGUAGE plpgsql VOLATILE AS $function$
DECLARE
    lock bigint;
BEGIN
    FOREACH lock IN ARRAY ${locks} LOOP
        PERFORM pg_advisory_xact_lock_shared(lock);
    END LOOP;
    RETURN QUERY {keep};
END
$function$
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


def _types(tables: EventTables) -> list[str]:
    """Return the types of the arrays with the rows' columns."""
    return [f"{kind}[]" for kind in _TYPES + (_BY_TIME_TYPES if tables.are_by_time else [])]


@cache
def _function(tables: EventTables) -> tuple[str, str]:
    """Build the statement that makes the function, and the one that calls it."""
    types = [*_ASKED_TYPES, *_types(tables), "bigint[]"]
    made = _FUNCTION.format(types=", ".join(types), locks=len(types), keep=_statement(tables))
    values = ", ".join(f"${number + 1}" for number in range(len(types)))
    return made, f"SELECT * FROM pg_temp.keep_batch({values})"  # noqa: S608 - Placeholders alone.


@cache
def _statement(tables: EventTables) -> str:
    """Build it from constants and numbered placeholders; no value is ever written into it."""
    former = tables.former
    return _KEEP.format(
        table=tables.current.name,
        columns=columns_of(tables),
        arrays=", ".join(f"${number}::{kind}" for number, kind in enumerate(_types(tables), 6)),
        unknown="" if former is None else _UNKNOWN.format(former=former.name),
        duplicate_key=duplicate_key_of(tables),
    )


def _assumed(client_id: str, owners: Owners, keys: Keys) -> tuple[Any, ...]:
    """Return the client, and each column of the data keys that are assumed."""
    assumed = assumed_keys(owners, keys)
    return client_id, *([one[place] for one in assumed] for place in range(3))


def _locks(keys: Sequence[int]) -> str:
    """Build the statement for these locks, without parameters: the keys are integers."""
    return f"SELECT {', '.join(f'pg_advisory_xact_lock_shared({key})' for key in keys)}"


class _Found(NamedTuple):
    """The row that the statement returns; see `_KEEP`."""

    added: list[str] | None
    removed_marks: list[bytes] | None
    removed_at: list[int] | None
    has_changed: bool

    @property
    def removed(self) -> dict[bytes, int]:
        return dict(zip(self.removed_marks or (), self.removed_at or (), strict=True))


class PostgresqlIntake:
    """Stores batches of events. It shares their accounts' scopes, so no removal overtakes it.

    Only one task at a time may call it.

    Args:
        connect: opens a connection to the server.
        lock_keys: returns the keys of the locks of these scopes, in locking order, as every writing
            block takes them.
        sealing: seals the bodies.
        tables: the tables of events.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        lock_keys: Callable[[Sequence[Scope]], list[int]],
        sealing: Sealing,
        tables: TablesInUse,
    ) -> None:
        self._connect = connect
        self._lock_keys = lock_keys
        self._sealing = sealing
        self._tables = tables
        self._keys = DataKeyLookup(self._fetch_keys)
        self._connection: Any = None
        # The tables for which the connection has a function; None without a function.
        self._function_for: EventTables | None = None
        self._has_functions = True

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Database.keep_events`."""
        # An event without an account shares the scope of all such events.
        accounts = sorted({one.account_id for one in events if not one.urgent})
        scopes = [account(client_id, one, shared=True) for one in accounts]
        locks = self._lock_keys(scopes or [NOTHING_READ])
        for attempt in range(POSITIONS_TRIED):
            try:
                decided, new = await self._keep_once(locks, events, client_id, attempt)
            except Conflict:
                if attempt == POSITIONS_TRIED - 1:
                    raise
            else:
                break
        return outcomes_of(events, dropped=decided.dropped, new=new)

    async def _keep_once(
        self, locks: list[int], events: Sequence[KeptEvent], client_id: str, attempt: int
    ) -> tuple[Decided, set[str]]:
        try:
            await self._prepare()
            kept = await self._call(locks, events, client_id, attempt)
            if kept is None:
                kept = await self._keep_in_steps(locks, events, client_id, attempt)
            self._connection.release()
        except BaseException as error:
            # The connection's state is unknown: the next batch opens another one.
            self._terminate()
            if isinstance(error, StorageError) or not isinstance(error, Exception):
                raise
            if getattr(error, "sqlstate", None) == _UNIQUE_VIOLATION:
                raise Conflict("another process has chosen this position") from None
            raise failed(error) from None
        return kept

    async def _prepare(self) -> None:
        """Open the connection and make its function, if that has not been done."""
        if self._connection is None or self._connection.is_closed():
            self._connection, self._function_for = await self._connect(), None
        tables = self._tables.now
        if self._function_for == tables or self._connection.is_pooled or not self._has_functions:
            return
        try:
            await self._connection.execute(_function(tables)[0])
        except Exception as error:
            if not str(getattr(error, "sqlstate", "")).startswith(_NOT_POSSIBLE):
                raise
            self._continue_without(error)
        else:
            self._function_for = tables

    def _continue_without(self, error: Exception) -> None:
        self._has_functions, self._function_for = False, None
        _log.info("database.function_refused", error=type(error).__name__, cost=_STEPS_COST)

    async def _call(
        self, locks: list[int], events: Sequence[KeptEvent], client_id: str, attempt: int
    ) -> tuple[Decided, set[str]] | None:
        """Store a batch by one call, which commits. Return None if it stored nothing."""
        tables = self._function_for
        if tables is None:
            return None
        asked, _ = await self._ask(events, client_id, tables, attempt)
        try:
            # Not `fetchrow`, which lets the server stop after the first row.
            (row,) = await self._connection.fetch(_function(tables)[1], *asked, locks)
        except Exception as error:
            if getattr(error, "sqlstate", None) != _UNDEFINED_FUNCTION:
                raise
            # Something resets the session between batches, for example an unrecognised pooler.
            self._continue_without(error)
            return None
        found = _Found(*row)
        if found.removed_marks or found.has_changed:
            return None
        return decide(events, removed={}), set(found.added or ())

    async def _keep_in_steps(
        self, locks: list[int], events: Sequence[KeptEvent], client_id: str, attempt: int
    ) -> tuple[Decided, set[str]]:
        """Store a batch in a transaction, in which its removals and data keys can be examined."""
        # A statement of its own: the next one must read after the wait for the locks.
        await self._connection.execute(f"{_BEGIN}; {_locks(locks)}")
        kept = await self._insert(client_id, events, attempt)
        await self._connection.execute("COMMIT")
        return kept

    async def _insert(
        self, client_id: str, events: Sequence[KeptEvent], attempt: int
    ) -> tuple[Decided, set[str]]:
        tables = self._tables.now
        keep = _statement(tables)
        asked, keys = await self._ask(events, client_id, tables, attempt)
        found = _Found(*await self._connection.fetchrow(keep, *asked))
        removed = found.removed
        if not removed and not found.has_changed:
            return decide(events, removed=removed), set(found.added or ())
        grants: Sequence[GrantTime] = ()
        if removed:
            rows = await self._connection.fetch(_GRANTS, client_id, *named_in(events, removed))
            grants = [GrantTime(*row) for row in rows]
        decided = decide(events, removed=removed, grants=grants)
        if not decided.events:
            return decided, set()
        if found.has_changed:
            owners = owners_in(events, tables)
            keys = self._keys.remember(owners, await self._fetch_keys(client_id, owners))
        # Without marks and assumptions: the removals have been examined, and the keys were read
        # after the arrival of these events.
        columns = self._columns(decided.events, tables, keys, attempt)
        found = _Found(
            *await self._connection.fetchrow(keep, [], *_assumed(client_id, [], keys), *columns)
        )
        return decided, set(found.added or ())

    async def _ask(
        self, events: Sequence[KeptEvent], client_id: str, tables: EventTables, attempt: int
    ) -> tuple[list[Any], Keys]:
        """Return the values of the statement for a batch, and the data keys that it assumes."""
        owners = owners_in(events, tables)
        keys = await self._keys.remembered(client_id, owners)
        columns = self._columns(events, tables, keys, attempt)
        return [marks_of(events), *_assumed(client_id, owners, keys), *columns], keys

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
