"""Connections, whichever database they lead to: how a block is begun, asked and ended.

Two promises of the store are kept here, at the driver, so that nothing above can break them:

- *Nothing is interrupted half-way.* A statement runs in the driver whether or not its task
  still waits. So a cancelled task waits until the driver is done, undoes its transaction, and
  only then goes: the lock that it held is free when the next writer asks for it.
- *One error.* Whatever the driver raises arrives as `StorageError`, a broken uniqueness or
  reference as `Conflict`, and from the very call that caused it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    CursorResult,
    Table,
    Text,
    any_,
    bindparam,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.base import Executable

from paraph.errors import Conflict, StorageError
from paraph.storage.concerned_reader import ConcernedReader
from paraph.storage.live_reader import LiveReader
from paraph.storage.outage import unavailable
from paraph.storage.records import KeptEvent, Outcome
from paraph.storage.scope import Scope
from paraph.storage.sealing import Sealing

T = TypeVar("T")

# SQLSTATE class 22, "data exception": the value is at fault, not the database.
_DATA_EXCEPTION = "22"


class Intake(Protocol):
    """Keeps batches of events. Called by one task at a time."""

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Store.keep_events`."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Engine(Protocol):
    """One kind of database, as `Database` drives it."""

    def writing(self, scopes: Sequence[Scope]) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that writes within its scopes, or alone; committed at the end."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A consistent view in which nothing can be written."""

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that changes the schema, one at a time among all processes."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """The turn of a writer with a connection of its own."""

    def intake(self, sealing: Sealing) -> Intake:
        """The inbox's hot statement, as this kind of database does it best."""

    def live_reader(self) -> LiveReader:
        """The read behind vends and proxied calls, as this kind of database does it best."""

    def concerned_reader(self) -> ConcernedReader:
        """The read before an event is handed on, as this kind of database does it best."""

    @property
    def clock(self) -> Executable | None:
        """The statement that reads the server's clock; None where it is this machine's."""

    async def demand_writable(self, connection: AsyncConnection) -> None:
        """Raise `StorageUnavailable` unless this writing transaction could write."""

    async def lock_audit_chain(self, connection: AsyncConnection) -> None:
        """Hold the end of the audit chain until this transaction's end."""

    async def dispose(self) -> None:
        """Let go of every connection."""


class Connection:
    """What the stores of one transaction speak through."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._failed = False
        self.has_written = False

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Run one statement to its end and return its buffered result.

        Raises:
            Conflict: a unique or foreign key refused it.
            StorageError: anything else that went wrong.
        """
        self.has_written |= getattr(statement, "is_dml", False)
        try:
            with storage_errors():
                return await finish(self._connection.execute(statement, parameters))
        except StorageError:
            self._failed = True
            raise

    def demand_whole(self) -> None:
        """Refuse to commit a block in which a statement failed, whoever caught its error.

        PostgreSQL would answer the COMMIT with a rollback, and say so to nobody.
        """
        if self._failed:
            raise StorageError("a statement failed, so nothing of its transaction was kept")

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that can say what happens on a conflict, in this database's dialect."""
        if self._connection.dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)

    def any_of(self, column: Column[str], values: Sequence[str]) -> ColumnElement[bool]:
        """That a column holds one of these."""
        if self._connection.dialect.name == "sqlite":
            return column.in_(values)
        # One statement for any number of them; with IN each length would be prepared anew.
        return column == any_(bindparam(None, list(values), type_=ARRAY(Text)))


@asynccontextmanager
async def begun(
    engine: AsyncEngine, *, first: Executable | None = None
) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction of its own: committed at the end, undone by any exception.

    Args:
        engine: whose connection.
        first: a statement that takes the block's locks.
    """
    connection = engine.connect()
    try:
        with storage_errors():
            await finish(_start(connection, first))
        yield connection
        with storage_errors():
            await finish(connection.commit())
    finally:
        # Rolls back what was not committed. Where the start itself failed there is nothing.
        if connection.sync_connection is not None:
            with storage_errors():
                await finish(connection.close())


async def _start(connection: AsyncConnection, first: Executable | None) -> None:
    await connection.start()
    await connection.begin()
    if first is not None:
        await connection.execute(first)


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
        raise _translated(error) from None
    except OSError as error:
        # Of the network, on the way to the server; a time that ran out is one too.
        raise _translated(error) from None
    except (OverflowError, UnicodeEncodeError) as error:
        # The driver's own refusals of a value: an integer beyond 64 bits, half a surrogate pair.
        raise StorageError(f"a value cannot be stored: {type(error).__name__}") from None


def _translated(error: Exception) -> StorageError:
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    # asyncpg's exception stands behind the one that SQLAlchemy made of it.
    cause = original.__cause__ or original
    known = unavailable(cause)
    if known is not None:
        return known
    name = type(cause).__name__
    state = getattr(original, "sqlstate", None)
    if name == "DataError" or str(state or "").startswith(_DATA_EXCEPTION):
        return StorageError(f"a value cannot be stored: {name}")
    # SQLite's operational errors are fixed sentences; others may hold values.
    words = f": {original}" if isinstance(original, sqlite3.OperationalError) else ""
    return StorageError(f"the database failed: {name}{f' {state}' if state else ''}{words}")
