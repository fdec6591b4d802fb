"""Inserts events on SQLite, and runs the checkpoints that would otherwise delay it.

One thread has a connection of its own and makes few calls for each batch. Every call into SQLite
releases the interpreter's lock and, beside a busy event loop, gets it back late. So the number of
calls matters, not the work in each. A batch is one INSERT of many rows, prepared once for
each power of two, and one SELECT before it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from paraph.model.event import KeptEvent, Outcome
from paraph.sealing.row import Sealing
from paraph.storage.connection import finish
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

T = TypeVar("T")

LARGEST_STATEMENT = 256
MOST_MARKS = 8192
# From this size on, a WAL that has changed is copied back, and truncated at a larger one. Under
# constant load no checkpoint ends by itself, and the WAL would grow without bound.
CHECKPOINT_BYTES = 4 << 20
TRUNCATE_BYTES = 32 << 20
CHECKPOINT_SECONDS = 0.25
# After so many looks at an unchanged WAL the thread waits for the next batch.
QUIET_LOOKS = 8

# One row of JSON: a call for each row would release the interpreter's lock each time.
_KEY_OF_OWNER = (
    "data_keys k ON k.client_id = ? AND k.account_id = json_extract(asked.value, '$[0]')"
    " AND k.user_id = json_extract(asked.value, '$[1]')"
)
_KNOWN = (
    "SELECT (SELECT count(*) FROM json_each(?) AS asked"  # noqa: S608 - Constants alone.
    f" LEFT JOIN {_KEY_OF_OWNER} WHERE k.key_id IS NOT json_extract(asked.value, '$[2]')),"
    " json_group_object(hex(identity_hash), created_at) FROM tombstones"
    " WHERE identity_hash IN ({places})"
)
_KEYS = keys_statement(
    "SELECT ?2 AS client_id, json_extract(value, '$[0]') AS account_id,"
    " json_extract(value, '$[1]') AS user_id FROM json_each(?1)"
)
_THERE = (
    "SELECT json_group_object(event_id, arrival) FROM {table}"
    " WHERE event_id IN (SELECT value FROM json_each(?))"
)
_AT = (
    "SELECT json_group_array(event_id) FROM kept_events"
    " WHERE position IN (SELECT value FROM json_each(?))"
)
_GRANTS = (
    "SELECT account_id, user_id, coalesce(granted_zoom_time, granted_at) FROM grants"
    " WHERE client_id = ?1 AND (account_id IN (SELECT value FROM json_each(?2))"
    " OR user_id IN (SELECT value FROM json_each(?3)))"
)


class SqliteIntake:
    """Stores batches of events in one file. Only one task at a time may call it.

    Args:
        path: the database file.
        connect: opens a connection to it, set up like all others.
        sealing: seals the bodies.
        tables: the tables of events.
    """

    def __init__(
        self,
        path: str,
        connect: Callable[[str], sqlite3.Connection],
        sealing: Sealing,
        tables: TablesInUse,
    ) -> None:
        self._sealing = sealing
        self._tables = tables
        self._keys = DataKeyLookup(self._fetch_keys)
        self._open = partial(connect, path)
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")
        self._checkpoints = Checkpoints(path, connect)

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Database.keep_events`."""
        loop, tables = asyncio.get_running_loop(), self._tables.now
        owners = owners_in(events, tables)
        keys = await self._keys.remembered(client_id, owners)
        for attempt in range(POSITIONS_TRIED):
            # Sealed here, because the thread holds the write lock.
            rows = rows_of(events, self._sealing, tables, keys, attempt)
            batch = _Batch(client_id, events, rows, tables, owners, keys, attempt)
            try:
                # To its end: the thread may hold the write lock.
                writing = loop.run_in_executor(self._thread, self._write, batch)
                decided, new = await finish(writing)
            except sqlite3.IntegrityError:
                if attempt == POSITIONS_TRIED - 1:
                    raise
            else:
                break
        self._checkpoints.start()
        return outcomes_of(events, dropped=decided.dropped, new=new)

    def _write(self, batch: _Batch) -> tuple[Decided, set[str]]:
        """Decide and insert, in the thread. Return the decisions and the new ids."""
        if self._connection is None:
            self._connection = self._open()
        run, tables = self._connection.execute, batch.tables
        run("BEGIN IMMEDIATE")
        try:
            removed, is_changed = _known(run, batch)
            grants: Iterable[GrantTime] = ()
            if removed:
                accounts, users = map(json.dumps, named_in(batch.events, removed))
                values = batch.client_id, accounts, users
                grants = [GrantTime(*row) for row in run(_GRANTS, values)]
            decided = decide(batch.events, removed=removed, grants=grants)
            rows = batch.rows
            if removed or is_changed:
                rows = self._seal_again(run, batch, decided, is_changed=is_changed)
            new = _insert(run, _unknown(run, rows, tables), tables)
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise
        return decided, new

    def _seal_again(
        self, run: Any, batch: _Batch, decided: Decided, *, is_changed: bool
    ) -> list[tuple[Any, ...]]:
        keys = batch.keys
        if is_changed:
            rows = _read_keys(run, batch.client_id, batch.owners)
            keys = self._keys.remember(batch.owners, rows)
        return rows_of(decided.events, self._sealing, batch.tables, keys, batch.attempt)

    async def _fetch_keys(self, client_id: str, owners: Owners) -> list[Any]:
        return await self.call(lambda connection: _read_keys(connection.execute, client_id, owners))

    async def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run other work on the connection, in its thread."""

        def inside() -> T:
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, inside)

    async def close(self) -> None:
        """End both threads and close their connections."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        self._checkpoints.stop()
        if self._connection is not None:
            self._connection.close()


class _Batch(NamedTuple):
    """A batch as the loop prepared it for the thread.

    Attributes:
        client_id: the app's client.
        events: the batch.
        rows: sealed for `owners` with `keys`, as these were known last.
        tables: the tables of events.
        owners: of the bodies.
        keys: by owner.
        attempt: chooses the positions.
    """

    client_id: str
    events: Sequence[KeptEvent]
    rows: list[tuple[Any, ...]]
    tables: EventTables
    owners: Owners
    keys: Keys
    attempt: int


def _read_keys(run: Any, client_id: str, owners: Owners) -> list[Any]:
    return list(run(_KEYS, (json.dumps(owners), client_id)).fetchall())


def _known(run: Any, batch: _Batch) -> tuple[dict[bytes, int], bool]:
    """Return the recorded removals among the marks of a batch, with their times.

    Also return True if a data key is not the present one of its owner.
    """
    marks = marks_of(batch.events)
    assumed = assumed_keys(batch.owners, batch.keys)
    removed: dict[bytes, int] = {}
    is_changed = False
    # Almost always once: an event that names thousands of users must not exceed SQLite's limit.
    for start in range(0, max(len(marks), 1), MOST_MARKS):
        some = marks[start : start + MOST_MARKS]
        # One statement for each power of two, so that it is prepared once. NULL equals nothing.
        places = 1 << max(len(some) - 1, 0).bit_length()
        values = [*some, *[None] * (places - len(some))]
        statement = _KNOWN.format(places=", ".join("?" * places))
        # The subquery stands first, so its values do.
        keys = (json.dumps(assumed) if not start else "[]"), batch.client_id
        changed, found = run(statement, [*keys, *values]).fetchone()
        is_changed = is_changed or bool(changed)
        for mark, noted_at in json.loads(found).items():
            removed[bytes.fromhex(mark)] = noted_at
    return removed, is_changed


def _unknown(run: Any, rows: list[tuple[Any, ...]], tables: EventTables) -> list[tuple[Any, ...]]:
    """Return the rows whose events are not in the former table."""
    if tables.former is None:
        return rows
    there = run(_THERE.format(table=tables.former.name), (json.dumps([row[0] for row in rows]),))
    known = json.loads(there.fetchone()[0])
    return [row for row in rows if row[0] not in known]


def _insert(run: Any, rows: list[tuple[Any, ...]], tables: EventTables) -> set[str]:
    new: set[str] = set()
    start = 0
    while start < len(rows):
        size = LARGEST_STATEMENT
        while size > len(rows) - start:
            size //= 2
        chunk = rows[start : start + size]
        start += size
        done = run(_statement(size, tables), [value for row in chunk for value in row])
        if done.rowcount < size:
            new |= _added(run, chunk, tables)
        else:
            new |= {row[0] for row in chunk}
    return new


def _added(run: Any, rows: list[tuple[Any, ...]], tables: EventTables) -> set[str]:
    """Return the ids of the rows that were written just now."""
    ids = {row[0] for row in rows}
    if tables.are_by_time:
        # Rows that existed before have another position than the one just written.
        there = run(_AT, (json.dumps([row[14] for row in rows]),))
        return ids.intersection(json.loads(there.fetchone()[0]))
    there = run(_THERE.format(table=tables.current.name), (json.dumps(list(ids)),))
    stored = json.loads(there.fetchone()[0])
    # Rows that existed before have another arrival than the one just written.
    return {row[0] for row in rows if stored[row[0]] == row[8]}


@cache
def _statement(size: int, tables: EventTables) -> str:
    # Constants and a number of placeholders; no value is ever written into it.
    columns = columns_of(tables)
    row = f"({'?, ' * len(columns.split(','))}0, 0, '')"
    return (
        f"INSERT INTO {tables.current.name} ({columns}, notice, attempts, failure)"  # noqa: S608
        f" VALUES {', '.join([row] * size)} ON CONFLICT ({duplicate_key_of(tables)}) DO NOTHING"
    )


class Checkpoints:
    """Copies the WAL back into the file, in a thread of its own, so that no commit waits.

    While no events arrive the thread rests.

    It looks at the WAL by `stat` alone. Opening and closing the database, its WAL or its index
    would release the locks that SQLite holds in this process (sqlite.org/howtocorrupt.html 2.2).
    """

    def __init__(self, path: str, connect: Callable[[str], sqlite3.Connection]) -> None:
        self._log = Path(f"{path}-wal")
        self._open = partial(connect, path)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._is_resting = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, or wake it; a process that stores no events needs no thread."""
        if self._is_resting:
            self._is_resting = False
            self._wake.set()
        elif self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection = self._open()
        last, quiet = (0, 0), 0
        while not self._stopping.wait(CHECKPOINT_SECONDS):
            found = size, _ = self._log_state()
            quiet = quiet + 1 if found == last else 0
            last = found
            if quiet >= QUIET_LOOKS:
                self._rest()
                quiet = 0
            try:
                if size > CHECKPOINT_BYTES and not quiet:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if size > TRUNCATE_BYTES:
                    # Almost all was copied just now: writers wait only for the rest.
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error:
                # A full disk or a held lock: the WAL stays longer, nothing is lost.
                continue
        connection.close()

    def _rest(self) -> None:
        self._wake.clear()
        self._is_resting = True
        if not self._stopping.is_set():
            self._wake.wait()

    def _log_state(self) -> tuple[int, int]:
        """Return the size of the WAL, and the time of its last write in nanoseconds."""
        try:
            state = self._log.stat()
        except OSError:
            return 0, 0
        return state.st_size, state.st_mtime_ns
