"""Connections to SQLite: how one is opened, begun, asked and ended.

Two promises of the store are kept here, at the driver, so that nothing above can break them:

- *Nothing is interrupted half-way.* A statement runs in the driver's thread whether or not its
  task still waits. So a cancelled task waits until the driver is done, undoes its transaction,
  and only then goes: the lock that it held is free when the next writer asks for it.
- *One error.* Whatever the driver raises arrives as `StorageError`, a broken uniqueness or
  reference as `Conflict`, and from the very call that caused it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, CursorResult, event
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.base import Executable

from paraph.errors import ConfigurationError, Conflict, StorageError

T = TypeVar("T")

BUSY_SECONDS = 10


class Connection:
    """What the stores of one transaction speak through."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Run one statement to its end and return its buffered result.

        Raises:
            Conflict: a unique or foreign key refused it.
            StorageError: anything else that went wrong.
        """
        with storage_errors():
            return await finish(self._connection.execute(statement, parameters))


@asynccontextmanager
async def begun(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction of its own: committed at the end, undone by any exception."""
    connection = engine.connect()
    try:
        with storage_errors():
            await finish(_start(connection))
        yield connection
        with storage_errors():
            await finish(connection.commit())
    finally:
        # Rolls back what was not committed. Where the start itself failed there is nothing.
        if connection.sync_connection is not None:
            with storage_errors():
                await finish(connection.close())


async def _start(connection: AsyncConnection) -> None:
    await connection.start()
    await connection.begin()


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Await work to its end even if the awaiting task is cancelled; that is raised afterwards.

    Cancelling SQLAlchemy inside a driver call makes it throw the connection away in the
    background, while its thread may still hold the database's write lock.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Looked at, so that asyncio does not report it as never retrieved.
        _ = task.cancelled() or task.exception()
        raise cancelled
    return task.result()


@contextmanager
def storage_errors() -> Iterator[None]:
    """One error outside for whatever the driver raises. The driver's words may quote values."""
    try:
        yield
    except IntegrityError:
        raise Conflict("another row stands in the way, or the row that it needs is gone") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StorageError(f"the database failed: {_driver_words(error)}") from None
    except (OverflowError, UnicodeEncodeError) as error:
        # The driver's own refusals of a value: an integer beyond 64 bits, half a surrogate pair.
        raise StorageError(f"a value cannot be stored: {type(error).__name__}") from None


def _driver_words(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    # SQLite's operational errors are fixed sentences; others may hold values.
    words = f": {original}" if isinstance(original, sqlite3.OperationalError) else ""
    return f"{type(original).__name__}{words}"


def file_of(database_url: str) -> str:
    """The file that a `sqlite:///relative.db` or `sqlite:////absolute.db` names, as it stands.

    Raises:
        ConfigurationError: it names none. The URL is not repeated: it may hold a password.
    """
    scheme, _, path = database_url.partition(":///")
    if database_url.startswith("postgresql"):
        problem = "database_url: PostgreSQL is not supported yet; use sqlite:///…"
    elif scheme != "sqlite" or not path:
        problem = "database_url must be sqlite:/// and the path of a file"
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


def open_engine(path: str, begin: str, *, connections: int, read_only: bool) -> AsyncEngine:
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
            for pragma in (
                "journal_mode = WAL",
                # FULL: an answered webhook must survive the loss of power, not only of the process.
                "synchronous = FULL",
                "foreign_keys = ON",
                # A deleted token's bytes are overwritten in the file, not only unlinked.
                "secure_delete = ON",
                f"query_only = {'ON' if read_only else 'OFF'}",
            ):
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
