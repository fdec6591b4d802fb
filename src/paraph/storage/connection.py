"""Connections to either kind of database: how a block begins, runs statements and ends.

Two promises of the store are kept here, at the driver, so that no caller can break them:

- *A statement is never interrupted.* It runs in the driver even if its task is cancelled. So a
  cancelled task waits until the driver is done, rolls its transaction back, and only then
  ends. Its lock is free when the next writer asks for it.
- *One error.* Every exception of the driver becomes `StorageError`. A violated unique or
  foreign key becomes `Conflict`. It is raised by the very call that caused it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    CursorResult,
    Table,
    TableValuedAlias,
    Text,
    any_,
    bindparam,
    case,
    exists,
    func,
    not_,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.base import Executable

from paraph.errors import Conflict, StorageError
from paraph.model.event import KeptEvent, Outcome
from paraph.sealing.row import Sealing
from paraph.storage.event_tables import TablesInUse
from paraph.storage.hot_reads.access_lookup import AccessLookup
from paraph.storage.hot_reads.commit_listener import CommitListener
from paraph.storage.hot_reads.due_times import DueTimesLookup
from paraph.storage.hot_reads.recipient_lookup import RecipientLookup
from paraph.storage.outage import known
from paraph.storage.scope import Scope

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

# SQLSTATE class 22, "data exception": the value is wrong, not the database.
_DATA_EXCEPTION = "22"
_LIST_OF_TEXTS = r'^\[ *("[^"\\]*"|null)( *, *("[^"\\]*"|null))* *\]$'


class Intake(Protocol):
    """Stores batches of events. Only one task at a time may call it."""

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Database.keep_events`."""

    async def close(self) -> None:
        """Close its connections."""


class Engine(Protocol):
    """One kind of database, for use by `Database`."""

    def writing(self, scopes: Sequence[Scope]) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction that writes within its scopes, or alone; commit at the end."""

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a consistent, read-only view."""

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin a transaction that changes the schema, one at a time among all processes."""

    def intake_lock(self) -> AbstractAsyncContextManager[None]:
        """Wait for the lock of a writer with a connection of its own."""

    def intake(self, sealing: Sealing, tables: TablesInUse) -> Intake:
        """Return the inbox's insert statement, as it is fastest on this kind of database."""

    def access_lookup(self) -> AccessLookup:
        """Return the access lookup, as it is fastest on this kind of database."""

    def recipient_lookup(self, tables: TablesInUse) -> RecipientLookup:
        """Return the recipient lookup, as it is fastest on this kind of database."""

    def due_times_lookup(self, tables: TablesInUse) -> DueTimesLookup:
        """Return the lookup of due times, as it is cheapest on this kind of database."""

    def commit_listener(self) -> CommitListener:
        """Return the listener, on the connection of the lookup of due times."""

    @property
    def clock(self) -> Executable | None:
        """The query for the server's clock; None if it is this machine's clock."""

    async def demand_writable(self, connection: AsyncConnection) -> None:
        """Raise `StorageUnavailable` if this writing transaction cannot write."""

    async def lock_audit_chain(self, connection: AsyncConnection) -> None:
        """Lock the end of the audit chain until this transaction ends."""

    async def dispose(self) -> None:
        """Close every connection."""


class Connection:
    """The connection that the stores of one transaction share."""

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
            StorageError: any other failure.
        """
        self.has_written |= getattr(statement, "is_dml", False)
        try:
            with storage_errors():
                return await finish(self._connection.execute(statement, parameters))
        except StorageError:
            self._failed = True
            raise

    def demand_whole(self) -> None:
        """Refuse to commit a block in which a statement failed, even if its error was caught.

        PostgreSQL would turn the COMMIT into a rollback without an error.

        Raises:
            StorageError: a statement of the block failed.
        """
        if self._failed:
            raise StorageError("a statement failed, so nothing of its transaction was kept")

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Begin an INSERT with a conflict clause, in this database's dialect."""
        if self._connection.dialect.name == "sqlite":
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    def any_of(
        self, column: Column[Any], values: Sequence[str] | Sequence[int]
    ) -> ColumnElement[bool]:
        """Build the condition that a column of texts or integers holds one of these values."""
        # One statement for any number of values. IN would be prepared once for each number, and
        # SQLite takes at most 32,766.
        if self._connection.dialect.name == "sqlite":
            return column.in_(select(_items_of(json.dumps(list(values))).c.value))
        kind = BigInteger if isinstance(column.type, BigInteger) else Text
        return column == any_(bindparam(None, list(values), type_=ARRAY(kind)))

    def has_one_of(self, column: Column[Any], key: Column[Any]) -> ColumnElement[bool]:
        """Build the condition that a row has a `key` that is in the JSON list of texts in a column.

        It is also true for a value that is no list of texts, so that its reader meets the damage.
        """
        found = select(key)
        if self._connection.dialect.name == "sqlite":
            is_json = func.json_valid(column) == 1
            items = _items_of(case((is_json, column), else_="[]"))
            others = select(items.c.type).where(items.c.type.not_in(["text", "null"]))
            is_list = is_json & (func.json_type(case((is_json, column))) == "array")
            is_damaged = not_(is_list) | exists(others)
            return exists(found.where(key == items.c.value)) | is_damaged
        # No function that reads JSON: it would raise, and fail the statement for all rows.
        texts = func.string_to_array(func.translate(column, '[]" ', ""), ",")
        return exists(found.where(key == any_(texts))) | ~column.regexp_match(_LIST_OF_TEXTS)


def _items_of(value: Any) -> TableValuedAlias:
    """Build the table of the items of a JSON list, on SQLite."""
    return func.json_each(value).table_valued("value", "type")


@asynccontextmanager
async def begun(
    engine: AsyncEngine, *, first: Executable | None = None
) -> AsyncIterator[AsyncConnection]:
    """Open a connection in a transaction: committed at the end, rolled back by an exception.

    Args:
        engine: opens the connection.
        first: a statement that takes the block's locks.
    """
    connection = engine.connect()
    try:
        with storage_errors():
            await finish(_start(connection, first))
        yield connection
        with storage_errors():
            await finish(_commit_and_close(connection))
    finally:
        # Rolls back what was not committed. If the start failed there is no transaction.
        if connection.sync_connection is not None and not connection.closed:
            with storage_errors():
                await finish(connection.close())


async def _commit_and_close(connection: AsyncConnection) -> None:
    await connection.commit()
    await connection.close()


async def _start(connection: AsyncConnection, first: Executable | None) -> None:
    await connection.start()
    await connection.begin()
    if first is not None:
        await connection.execute(first)


async def finish(work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
    """Await work to its end even if the awaiting task is cancelled, then raise the cancellation.

    A future needs no task of its own. If SQLAlchemy is cancelled inside a driver call, it drops the
    connection in the background while its thread may still hold the database's write lock.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Read the exception, so that asyncio does not report it as never retrieved.
        _ = task.cancelled() or task.exception()
        raise cancelled
    return task.result()


@contextmanager
def storage_errors() -> Iterator[None]:
    """Translate every exception of the driver, without its text, which may quote values.

    Raises:
        Conflict: a unique or foreign key refused a row.
        StorageError: any other failure.
    """
    try:
        yield
    except IntegrityError:
        raise Conflict("another row conflicts, or a row that it refers to is gone") from None
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _translated(error) from None
    except OSError as error:
        # A network error on the way to the server; a timeout is one too.
        raise _translated(error) from None
    except (OverflowError, UnicodeEncodeError) as error:
        # The driver refuses some values: an integer beyond 64 bits, half a surrogate pair.
        raise StorageError(f"a value cannot be stored: {type(error).__name__}") from None


def _translated(error: Exception) -> StorageError:
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    # SQLAlchemy wraps asyncpg's exception.
    cause = original.__cause__ or original
    found = known(cause)
    if found is not None:
        return found
    name = type(cause).__name__
    state = getattr(original, "sqlstate", None)
    if name == "DataError" or str(state or "").startswith(_DATA_EXCEPTION):
        return StorageError(f"a value cannot be stored: {name}")
    # SQLite's operational errors are fixed sentences; other texts may hold values.
    words = f": {original}" if isinstance(original, sqlite3.OperationalError) else ""
    return StorageError(f"the database failed: {name}{f' {state}' if state else ''}{words}")
