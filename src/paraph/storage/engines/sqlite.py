"""SQLite: one file, one writer.

By default the driver begins no transaction at SELECT, and updates can be lost silently. So it is
set to begin none, and every write begins with BEGIN IMMEDIATE: a row read inside cannot have
changed when it is written. Within a process writers queue in order before they ask the
database, so that they do not poll its lock.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from paraph.errors import ConfigurationError, StorageError
from paraph.sealing.row import Sealing
from paraph.settings.sqlite_url import parse_sqlite_url
from paraph.storage.connection import Intake, begun, storage_errors
from paraph.storage.engines.sqlite_driver import DriverConnection
from paraph.storage.engines.sqlite_intake import SqliteIntake
from paraph.storage.event_tables import TablesInUse
from paraph.storage.hot_reads.access_lookup import AccessLookup, SqliteAccessLookup
from paraph.storage.hot_reads.commit_listener import CommitListener, NoCommitListener
from paraph.storage.hot_reads.due_times import DueTimesLookup, SqliteDueTimesLookup
from paraph.storage.hot_reads.recipient_lookup import RecipientLookup, SqliteRecipientLookup
from paraph.storage.scope import Scope

BUSY_SECONDS = 10
LOOKUP_SECONDS = 0.1
READERS = 4
_SWITCH_PAUSE = 0.01
_PRAGMAS = (
    # FULL: an event answered with 200 must survive a power failure, not only a crash.
    "synchronous = FULL",
    "foreign_keys = ON",
    # A deleted token's bytes are overwritten in the file, not only unlinked.
    "secure_delete = ON",
    # In pages. A service that stores events has a thread that copies earlier than any writer.
    "wal_autocheckpoint = 8000",
)


class SqliteEngine:
    """`Engine` on one file, which is created if it does not exist."""

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
        """Begin a transaction that writes; commit at the end."""
        async with self._writing, begun(self.writer) as connection:
            yield connection

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a consistent, read-only view."""
        return begun(self.readers)

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a write like any other: BEGIN IMMEDIATE locks other processes out."""
        return self.writing(())

    @asynccontextmanager
    async def intake_lock(self) -> AsyncIterator[None]:
        """Wait for the write lock, for a writer with a connection of its own."""
        async with self._writing:
            yield

    def intake(self, sealing: Sealing, tables: TablesInUse) -> Intake:
        """Return the inbox's insert statement, on a bare connection in a thread of its own."""
        return SqliteIntake(self._path, connect_driver, sealing, tables)

    def access_lookup(self) -> AccessLookup:
        """Return the access lookup, on a bare connection in the event loop's thread."""
        return SqliteAccessLookup(lambda: _connect_reader(self._path))

    def recipient_lookup(self, tables: TablesInUse) -> RecipientLookup:
        """Return the recipient lookup, on another such connection."""
        return SqliteRecipientLookup(lambda: _connect_reader(self._path), tables)

    def due_times_lookup(self, tables: TablesInUse) -> DueTimesLookup:
        """Return the lookup of due times, on another such connection."""
        return SqliteDueTimesLookup(lambda: _connect_reader(self._path), tables)

    def commit_listener(self) -> CommitListener:
        """Return none: see `NoCommitListener`."""
        return NoCommitListener()

    @property
    def clock(self) -> None:
        """There is no server clock: every process is on this machine."""
        return None

    async def demand_writable(self, connection: AsyncConnection) -> None:
        """BEGIN IMMEDIATE has already found out."""

    async def lock_audit_chain(self, connection: AsyncConnection) -> None:
        """The lock is already held: there is one writer."""

    async def dispose(self) -> None:
        """Close every connection."""
        await self.readers.dispose()
        await self.writer.dispose()


def file_of(database_url: str) -> str:
    """Return the path in a `sqlite:///relative.db` or `sqlite:////absolute.db`, unchanged.

    Raises:
        ConfigurationError: the URL names no file. It may hold a password, so it is not repeated.
    """
    try:
        return parse_sqlite_url(database_url)
    except ConfigurationError as error:
        raise ConfigurationError([f"database_url {one}" for one in error.problems]) from None


_NAME_A_FILE = "Let database_url name a file in a folder that the service can write to."


def create_private(path: str) -> None:
    """Create the file readable by its owner alone, before SQLite does; -wal and -shm inherit it.

    A file that exists is not opened. Closing it again would release the locks that SQLite holds on
    it in this process (sqlite.org/howtocorrupt.html 2.2).

    Raises:
        StorageError: it cannot be created.
    """
    if Path(path).is_file():
        return
    try:
        # Where a symbolic link leads to: O_EXCL follows none.
        os.close(os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        # Made by another process just now, unless it is no file.
        if not Path(path).is_file():
            raise StorageError(
                "the database file cannot be opened: it is not a file", remedy=_NAME_A_FILE
            ) from None
    except OSError as error:
        demand_folder(path)
        raise StorageError(
            f"the database file cannot be opened: {error.strerror}", remedy=_NAME_A_FILE
        ) from None


def demand_folder(path: str) -> None:
    """Check that a file that is missing can be created.

    Raises:
        StorageError: its folder does not exist, or cannot be written to.
    """
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise StorageError(
            f"the database file cannot be opened: there is no folder {folder}",
            remedy="Create the folder, or correct database_url: sqlite:////srv/paraph.db is "
            "absolute, and sqlite:///paraph.db is relative to the working directory.",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(
            f"the database file cannot be opened: the folder {folder} cannot be written to",
            remedy="Let the user of the service write to the folder, or name another folder in "
            "database_url.",
        )


def use_wal(path: str) -> None:
    """Switch the file to write-ahead logging, which is permanent.

    If several processes switch a new file at once, SQLite refuses some without waiting, because
    each holds what the other needs. So they retry.

    Raises:
        StorageError: it cannot be switched, or other processes keep it locked.
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
    """Open a bare connection for the inbox: same library and settings, no checkpoints."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    for pragma in (*_PRAGMAS, "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _connect_reader(path: str) -> sqlite3.Connection:
    """Open a bare read-only connection, with a timeout short enough for an event loop."""
    connection = sqlite3.connect(path, timeout=LOOKUP_SECONDS, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection


async def _connect_driver(path: str) -> DriverConnection:
    connection = DriverConnection(path, timeout=BUSY_SECONDS)
    # This starts its thread.
    await connection
    return connection


def _open(path: str, begin: str, *, connections: int, read_only: bool) -> AsyncEngine:
    """Open a pool of connections to one file; every transaction begins with `begin`."""
    engine = create_async_engine(
        # Built from parts: in a parsed URL, "%41" in a file's name would become "A".
        URL.create("sqlite+aiosqlite", database=path),
        pool_size=connections,
        max_overflow=0,
        # `reset` below rolls back if a transaction is open.
        pool_reset_on_return=None,
        async_creator=partial(_connect_driver, path),
        # A statement's parameters hold ciphertexts and ids, which must not appear in messages.
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver must not begin transactions itself: "begin" below does.
        connection.isolation_level = None
        try:
            cursor = connection.cursor()
            for pragma in (*_PRAGMAS, f"query_only = {'ON' if read_only else 'OFF'}"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            # The pool does not know this connection yet, so no other code would end its thread.
            connection.close()
            raise

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        # Directly at the driver: a cursor of SQLAlchemy would switch to the driver's thread three
        # times, and a switch costs more than the statement.
        connection.connection.dbapi_connection.run_async(lambda driver: driver.execute(begin))

    @event.listens_for(engine.sync_engine, "reset")
    def reset(connection: Any, _record: Any, _state: Any) -> None:
        # Reached with an open transaction if COMMIT itself failed.
        if connection.driver_connection.in_transaction:
            connection.rollback()

    return engine
