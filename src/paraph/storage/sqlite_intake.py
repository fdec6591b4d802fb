"""The inbox's hot statement on SQLite, and the checkpoints that it would otherwise pay for.

One thread with a connection of its own, and few calls for each batch. Every call into SQLite
lets go of the interpreter's lock, and beside a busy event loop it comes back late: what matters
is how often it is let go of, not how much is done in between. So a batch is one INSERT of many
rows, prepared once for each power of two, and what has to be known before it is one SELECT.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from paraph.storage.intake_rows import (
    COLUMNS,
    Decided,
    GrantTime,
    decide,
    marks_of,
    named_in,
    outcomes_of,
    rows_of,
)
from paraph.storage.records import KeptEvent, Outcome
from paraph.storage.sealing import Sealing

T = TypeVar("T")

LARGEST_STATEMENT = 256
MOST_MARKS = 8192
# The log is copied back when it has this size, and cut when it has outgrown it: under constant
# load no checkpoint ever reaches its end by itself, and the log would grow without bound.
CHECKPOINT_BYTES = 4 << 20
TRUNCATE_BYTES = 32 << 20
CHECKPOINT_SECONDS = 0.25

_ALL_COLUMNS = f"{COLUMNS}, notice, attempts, failure"
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '')"
# One row of JSON: a call for each row would let go of the interpreter's lock each time.
_KNOWN = (
    "SELECT json_group_object(hex(identity_hash), created_at) FROM tombstones"
    " WHERE identity_hash IN ({places})"
)
_GRANTS = (
    "SELECT account_id, user_id, coalesce(granted_zoom_time, granted_at) FROM grants"
    " WHERE client_id = ?1 AND (account_id IN (SELECT value FROM json_each(?2))"
    " OR user_id IN (SELECT value FROM json_each(?3)))"
)


class SqliteIntake:
    """Keeps batches of events in one file. Called by one task at a time.

    Args:
        path: the database.
        connect: opens a connection to it, prepared as all of ours are.
        sealing: seals the bodies.
    """

    def __init__(
        self, path: str, connect: Callable[[str], sqlite3.Connection], sealing: Sealing
    ) -> None:
        self._sealing = sealing
        self._open = partial(connect, path)
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")
        self._checkpoints = Checkpoints(path, connect)

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Store.keep_events`."""
        # Sealed here, because the thread holds the write lock.
        rows = rows_of(events, self._sealing)
        loop = asyncio.get_running_loop()
        decided, new = await loop.run_in_executor(
            self._thread, self._write, client_id, events, rows
        )
        self._checkpoints.start()
        return outcomes_of(events, dropped=decided.dropped, new=new)

    def _write(
        self, client_id: str, events: Sequence[KeptEvent], rows: list[tuple[Any, ...]]
    ) -> tuple[Decided, set[str]]:
        """Decide and insert, in the thread; returns the decisions and the new ids."""
        if self._connection is None:
            self._connection = self._open()
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            removed = _known(run, events)
            grants: Iterable[GrantTime] = ()
            if removed:
                accounts, users = map(json.dumps, named_in(events, removed))
                grants = [GrantTime(*row) for row in run(_GRANTS, (client_id, accounts, users))]
            decided = decide(events, removed=removed, grants=grants)
            if removed:
                rows = rows_of(decided.events, self._sealing)
            elif decided.dropped:
                wanted = {event.event_id for event in decided.events}
                rows = [row for row in rows if row[0] in wanted]
            new = _insert(run, rows)
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise
        return decided, new

    async def call(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run something else on the connection, in its thread."""

        def inside() -> T:
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, inside)

    async def close(self) -> None:
        """End both threads and let go of their connections."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        self._checkpoints.stop()
        if self._connection is not None:
            self._connection.close()


def _known(run: Any, events: Sequence[KeptEvent]) -> dict[bytes, int]:
    """The removals among the marks of these events, and when each was noted."""
    marks = marks_of(events)
    removed: dict[bytes, int] = {}
    # Nearly always once: an event that names thousands of users must not be too much for SQLite.
    for start in range(0, len(marks), MOST_MARKS):
        some = marks[start : start + MOST_MARKS]
        # One statement for each power of two, so that it is prepared once. NULL equals nothing.
        places = 1 << (len(some) - 1).bit_length()
        values = [*some, *[None] * (places - len(some))]
        statement = _KNOWN.format(places=", ".join("?" * places))
        for mark, noted_at in json.loads(run(statement, values).fetchone()[0]).items():
            removed[bytes.fromhex(mark)] = noted_at
    return removed


def _insert(run: Any, rows: list[tuple[Any, ...]]) -> set[str]:
    new: set[str] = set()
    start = 0
    while start < len(rows):
        size = LARGEST_STATEMENT
        while size > len(rows) - start:
            size //= 2
        chunk = rows[start : start + size]
        start += size
        done = run(_statement(size), [value for row in chunk for value in row])
        ids = {row[0]: row[8] for row in chunk}
        if done.rowcount < size:
            # Which ones were there before? Those whose arrival is not the one just written.
            there = run(
                "SELECT json_group_object(event_id, arrival) FROM events"
                " WHERE event_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids)),),
            )
            stored = json.loads(there.fetchone()[0])
            new |= {event_id for event_id, arrival in ids.items() if stored[event_id] == arrival}
        else:
            new |= ids.keys()
    return new


def _statement(size: int) -> str:
    # Constants and a number of placeholders; no value is ever written into it.
    return (
        f"INSERT INTO events ({_ALL_COLUMNS}) VALUES {', '.join([_ROW] * size)}"  # noqa: S608
        " ON CONFLICT (event_id) DO NOTHING"
    )


class Checkpoints:
    """Copies the log back into the file, in a thread of its own, so that no commit waits for it."""

    def __init__(self, path: str, connect: Callable[[str], sqlite3.Connection]) -> None:
        self._log = Path(f"{path}-wal")
        self._open = partial(connect, path)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, once; a process that keeps no events needs none."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection = self._open()
        while not self._stopping.wait(CHECKPOINT_SECONDS):
            size = self._log_bytes()
            try:
                if size > CHECKPOINT_BYTES:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if size > TRUNCATE_BYTES:
                    # Almost all was copied just now: writers are kept waiting for the rest alone.
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error:
                # A full disk, or somebody holds the lock: the log stays longer, nothing is lost.
                continue
        connection.close()

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0
