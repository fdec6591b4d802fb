"""PostgreSQL: any number of replicas on one server.

Every transaction is READ COMMITTED and takes advisory locks before its first statement. So the
rows that a block reads within its scope stay true until it commits, and nothing has to be retried.
Blocks of different scopes do not wait for each other. With SERIALIZABLE some blocks would run first
and be undone at their end. Their code would have to be repeatable. Nearly all would be undone,
because every block reads the end of the audit chain.

Every block takes the writers' lock: shared with a scope, exclusive without one. All
timeouts are set at the server, so that a lost client blocks no other. The locks end with
their transaction, so they also work behind a pooler (`postgresql_connection`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy import Executable, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from paraph.sealing.row import Sealing
from paraph.storage.connection import Intake, begun, finish, storage_errors
from paraph.storage.engines.postgresql_connection import LOCK_SECONDS, Connector, read_only
from paraph.storage.engines.postgresql_intake import PostgresqlIntake
from paraph.storage.engines.postgresql_listener import PostgresqlCommitListener
from paraph.storage.event_tables import TablesInUse
from paraph.storage.hot_reads.access_lookup import AccessLookup, PostgresqlAccessLookup
from paraph.storage.hot_reads.commit_listener import CommitListener
from paraph.storage.hot_reads.due_times import DueTimesLookup, PostgresqlDueTimesLookup
from paraph.storage.hot_reads.recipient_lookup import PostgresqlRecipientLookup, RecipientLookup
from paraph.storage.scope import Scope, in_order

WRITERS = 8
READERS = 4
MIGRATION_LOCK_SECONDS = 120

_WRITERS, _AUDIT, _MIGRATION = (Scope((name,)).key for name in ("writers", "audit", "migration"))
# For the bare connections, which run the same few statements all day. Planning one for each batch
# takes the server as long as running it. Each statement must see what was committed before it,
# also where the database has another default.
_BARE_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "default_transaction_isolation": "read committed",
}
# SQLSTATE read_only_sql_transaction.
_READ_ONLY_TRANSACTION = "25006"


class PostgresqlEngine:
    """`Engine` on the server that `database_url` names, in libpq's form."""

    def __init__(self, database_url: str) -> None:
        self._connector = Connector(database_url)
        self.writer = _open(self._connector, connections=WRITERS, read_only=False)
        self.readers = _open(self._connector, connections=READERS, read_only=True)
        self._connect = partial(self._connector.connect, **_BARE_SETTINGS)
        self._listener = PostgresqlCommitListener(self._connect)
        self._alone = asyncio.Lock()
        self._intake_lock = asyncio.Lock()

    @asynccontextmanager
    async def writing(self, scopes: Sequence[Scope]) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that writes within its scopes, or alone; commit at the end."""
        if scopes:
            async with begun(self.writer, first=_locks(scopes)) as connection:
                yield connection
        else:
            # In order within the process; all waiting writers share one connection.
            alone = text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=_WRITERS)
            async with self._alone, begun(self.writer, first=alone) as connection:
                yield connection

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Open a consistent, read-only view."""
        return begun(self.readers)

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that changes the schema, one at a time among all processes."""
        timeout = f"{MIGRATION_LOCK_SECONDS}s"
        waiting = text(
            "SELECT set_config('lock_timeout', :timeout, true),"
            " set_config('statement_timeout', '0', true)"
        ).bindparams(timeout=timeout)
        # The first connection of all: it finds out whether there is a pooler.
        await finish(self._connector.look())
        async with begun(self.writer, first=waiting) as connection:
            # A statement of its own: the schema must be read after the wait for the lock.
            await _lock(connection, _MIGRATION)
            yield connection

    async def find_pooler(self) -> str:
        """Return the mode of the pooler in front of the server; "" without one."""
        await finish(self._connector.look())
        if self._connector.is_session_mode:
            return "session"
        return "transaction" if self._connector.is_pooled else ""

    @asynccontextmanager
    async def intake_lock(self) -> AsyncIterator[None]:
        """Wait for the intake's connection: two on one connection would share a transaction."""
        async with self._intake_lock:
            yield

    def intake(self, sealing: Sealing, tables: TablesInUse) -> Intake:
        """Return the inbox's insert statement, on a connection of its own."""
        return PostgresqlIntake(self._connect, _shared_keys, sealing, tables)

    def access_lookup(self) -> AccessLookup:
        """Return the access lookup: in batches, on a connection of its own."""
        return PostgresqlAccessLookup(self._connect)

    def recipient_lookup(self, tables: TablesInUse) -> RecipientLookup:
        """Return the recipient lookup: in batches, on another connection, to delay no vend."""
        return PostgresqlRecipientLookup(self._connect, tables)

    def due_times_lookup(self, tables: TablesInUse) -> DueTimesLookup:
        """Return the lookup of due times, on the connection of the listener."""
        return PostgresqlDueTimesLookup(self._listener.fetch, tables)

    def commit_listener(self) -> CommitListener:
        """Return the listener, on a connection of its own."""
        return self._listener

    @property
    def clock(self) -> Executable:
        """The query for the server's clock, which replicas on several machines share."""
        return text("SELECT extract(epoch FROM clock_timestamp())")

    async def demand_writable(self, connection: AsyncConnection) -> None:
        """Check as `Engine` says, also for a server that became read-only meanwhile."""
        setting = text("SELECT current_setting('transaction_read_only')")
        with storage_errors():
            found = await finish(connection.execute(setting))
        if found.scalar_one() == "on":
            raise read_only(is_standby=False)

    async def lock_audit_chain(self, connection: AsyncConnection) -> None:
        """Lock the end of the audit chain until this transaction ends."""
        await _lock(connection, _AUDIT)

    async def dispose(self) -> None:
        """Close every connection."""
        await self._listener.close()
        await self.readers.dispose()
        await self.writer.dispose()


def _lock_calls(scopes: Sequence[Scope]) -> list[tuple[str, int]]:
    """Return a block's locks as server functions and their keys, in locking order."""
    return [
        ("pg_advisory_xact_lock_shared", _WRITERS),
        *(
            (f"pg_advisory_xact_lock{'_shared' if scope.shared else ''}", scope.key)
            for scope in in_order(scopes)
        ),
    ]


def _locks(scopes: Sequence[Scope]) -> Executable:
    """Build one statement for all locks of a block; columns are evaluated left to right."""
    calls = _lock_calls(scopes)
    columns = ", ".join(f"{name}(:key_{number})" for number, (name, _) in enumerate(calls))
    keys = {f"key_{number}": key for number, (_, key) in enumerate(calls)}
    return text(f"SELECT {columns}").bindparams(**keys)


def _shared_keys(scopes: Sequence[Scope]) -> list[int]:
    """Return the keys of a block's locks, in locking order; all of them are shared."""
    return [key for _, key in _lock_calls(scopes)]


async def _lock(connection: AsyncConnection, key: int) -> None:
    statement = text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=key)
    with storage_errors():
        await finish(connection.execute(statement))


def _open(connector: Connector, *, connections: int, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connector.connect,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=LOCK_SECONDS,
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
        connect_args={"prepared_statement_name_func": connector.statement_name},
        # A statement's parameters hold ciphertexts and ids, which must not appear in messages.
        hide_parameters=True,
    )
    if read_only:
        engine = engine.execution_options(postgresql_readonly=True)

    @event.listens_for(engine.sync_engine, "do_connect")
    def size_cache(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        parameters["prepared_statement_cache_size"] = connector.cached_statements

    @event.listens_for(engine.sync_engine, "checkout")
    def demand_open(connection: Any, _record: Any, _proxy: Any) -> None:
        # The server closed it, or it was given back to a pooler: silently open another one.
        if connection.driver_connection.is_closed():
            raise DisconnectionError("this connection is closed")
        connection.driver_connection.take()

    @event.listens_for(engine.sync_engine, "checkin")
    def release(connection: Any, _record: Any) -> None:
        if connection is not None:
            connection.driver_connection.release()

    @event.listens_for(engine.sync_engine, "handle_error")
    def leave_read_only(context: Any) -> None:
        # A demoted primary keeps its connections; new ones find the present primary.
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY_TRANSACTION:
            context.is_disconnect = True

    return engine
