"""SQLite: one file, one writer.

The driver's defaults begin no transaction at SELECT and lose updates silently. So it is told
to begin nothing, and every write begins with BEGIN IMMEDIATE: what was read inside cannot have
changed when it is written. Within a process writers queue in order before they ask the
database, so that none of them spins on its lock.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from paraph.errors import ConfigurationError, StorageError
from paraph.storage.concerned_reader import ConcernedReader, SqliteConcernedReader
from paraph.storage.connection import Intake, begun, storage_errors
from paraph.storage.live_reader import LiveReader, SqliteLiveReader
from paraph.storage.scope import Scope
from paraph.storage.sealing import Sealing
from paraph.storage.sqlite_intake import SqliteIntake

BUSY_SECONDS = 10
LIVE_READ_SECONDS = 0.1
READERS = 4
_SWITCH_PAUSE = 0.01
_PRAGMAS = (
    # FULL: an answered webhook must survive the loss of power, not only of the process.
    "synchronous = FULL",
    "foreign_keys = ON",
    # A deleted token's bytes are overwritten in the file, not only unlinked.
    "secure_delete = ON",
    # Pages. A service that keeps events has a thread that does this earlier, off every writer.
    "wal_autocheckpoint = 8000",
)


class SqliteEngine:
    """`Engine` on one file, which is made where there is none."""

    def __init__(self, database_url: str) -> None:
        path = file_of(database_url)
        create_private(path)
        use_wal(path)
        self._path = path
        self.writer = _open(path, "BEGIN IMMEDIATE", connections=1, read_only=False)
        self.readers = _open(path, "BEGIN", connections=READERS, read_only=True)
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def writing(self, scopes: Sequence[Scope]) -> AsyncIterator[AsyncConnection]:  # noqa: ARG002 - There is one writer, whatever its scope.
        """A transaction that writes; committed at the end."""
        async with self._writing, begun(self.writer) as connection:
            yield connection

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A consistent view in which nothing can be written."""
        return begun(self.readers)

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A write as any other: BEGIN IMMEDIATE keeps the other processes out."""
        return self.writing(())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The turn of a writer with a connection of its own."""
        async with self._writing:
            yield

    def intake(self, sealing: Sealing) -> Intake:
        """The inbox's hot statement, on a bare connection in a thread of its own."""
        return SqliteIntake(self._path, connect_driver, sealing)

    def live_reader(self) -> LiveReader:
        """On a bare connection, in the event loop's thread."""
        return SqliteLiveReader(lambda: _connect_reader(self._path))

    def concerned_reader(self) -> ConcernedReader:
        """The same, on another one."""
        return SqliteConcernedReader(lambda: _connect_reader(self._path))

    @property
    def clock(self) -> None:
        """No clock of a server: every process is on this machine."""
        return None

    async def demand_writable(self, connection: AsyncConnection) -> None:
        """BEGIN IMMEDIATE has found out already."""

    async def lock_audit_chain(self, connection: AsyncConnection) -> None:
        """Held already: there is one writer."""

    async def dispose(self) -> None:
        """Let go of every connection."""
        await self.readers.dispose()
        await self.writer.dispose()


def file_of(database_url: str) -> str:
    """The file that a `sqlite:///relative.db` or `sqlite:////absolute.db` names, as it stands.

    Raises:
        ConfigurationError: it names none. The URL is not repeated: it may hold a password.
    """
    scheme, _, path = database_url.partition(":///")
    if scheme != "sqlite" or not path:
        problem = "database_url must be sqlite:/// and the path of a file, or postgresql://"
    elif path == ":memory:" or path.startswith("file:") or "?" in path or "\0" in path:
        # In memory every connection would have a database of its own, and options could undo
        # what the engine sets.
        problem = "database_url must name a file on disk, without options"
    else:
        return path
    raise ConfigurationError([problem])


def create_private(path: str) -> None:
    """Make the file readable by its owner alone before SQLite does; -wal and -shm take after it.

    Raises:
        StorageError: it cannot be made or opened.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(f"the database file cannot be opened: {error.strerror}") from None


def use_wal(path: str) -> None:
    """Switch the file to write-ahead logging, which stays with it.

    Of several processes that switch a new file at once SQLite turns some away without letting
    them wait: each of them holds what the other needs. So they come again.

    Raises:
        StorageError: it cannot be switched, or others keep it locked.
    """
    with storage_errors(), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        for tries_left in reversed(range(int(BUSY_SECONDS / _SWITCH_PAUSE))):
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or not tries_left:
                    raise
                time.sleep(_SWITCH_PAUSE)
            else:
                return


def connect_driver(path: str) -> sqlite3.Connection:
    """A bare connection for the inbox: same library, same promises, no checkpoint of its own."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    for pragma in (*_PRAGMAS, "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _connect_reader(path: str) -> sqlite3.Connection:
    """A bare connection that only reads. It waits for nobody longer than an event loop may."""
    connection = sqlite3.connect(path, timeout=LIVE_READ_SECONDS, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open(path: str, begin: str, *, connections: int, read_only: bool) -> AsyncEngine:
    """A pool of connections to one file, whose every transaction begins with `begin`."""
    engine = create_async_engine(
        # Built from parts: in a parsed URL, "%41" in a file's name would become "A".
        URL.create("sqlite+aiosqlite", database=path),
        pool_size=connections,
        max_overflow=0,
        # `reset` below rolls back where there is something to roll back.
        pool_reset_on_return=None,
        connect_args={"timeout": BUSY_SECONDS},
        # A statement's parameters hold ciphertexts and ids, and belong in no message.
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver must begin nothing by itself: "begin" below does.
        connection.isolation_level = None
        try:
            cursor = connection.cursor()
            for pragma in (*_PRAGMAS, f"query_only = {'ON' if read_only else 'OFF'}"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            # The pool does not know it yet, so nobody else would end its thread.
            connection.close()
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        # Straight to the driver: through a cursor of SQLAlchemy's it would be three trips to
        # the driver's thread, and a trip costs more than the statement.
        connection.connection.dbapi_connection.run_async(lambda driver: driver.execute(begin))

    @event.listens_for(engine.sync_engine, "reset")
    def reset(connection: Any, _record: Any, _state: Any) -> None:
        # Reached with an open transaction when COMMIT itself failed.
        if connection.driver_connection.in_transaction:
            connection.rollback()

    return engine
