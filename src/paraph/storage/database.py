"""The database: one code path for transactions, whichever kind is behind it.

What is different between the kinds stands in `sqlite` and `postgresql`: how a block is begun,
and what keeps two writers apart. Statements, tables and schema steps are the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from paraph.errors import StorageError, StorageUnavailable
from paraph.postgresql_url import is_postgresql
from paraph.secret import Secret
from paraph.storage import schema
from paraph.storage.audit_store import SqlAuditStore
from paraph.storage.concerned_reader import Asked
from paraph.storage.connection import Connection, Engine, finish, storage_errors
from paraph.storage.encryption import KeyRing
from paraph.storage.event_store import SqlEventStore
from paraph.storage.grant_store import ACCESS_TOKEN, SqlGrantStore
from paraph.storage.idempotency_store import SqlIdempotencyStore
from paraph.storage.installation_store import SqlInstallationStore
from paraph.storage.key_store import SqlKeyTurnStore, SqlReplicaStore
from paraph.storage.link_store import SqlLinkStore
from paraph.storage.notice_store import SqlNoticeStore
from paraph.storage.outage import OutageLog
from paraph.storage.postgresql import PostgresqlEngine
from paraph.storage.protocols import Transaction
from paraph.storage.record_store import SqlApiKeyStore, SqlRemovalStore, SqlUsedStateStore
from paraph.storage.records import Concerned, Epoch, KeptEvent, LiveRow, Outcome
from paraph.storage.refresh_store import SqlRefreshStore
from paraph.storage.scope import NOTHING_READ, Scope
from paraph.storage.sealed_columns import SqlSealedStore
from paraph.storage.sealing import Sealing
from paraph.storage.sqlite import SqliteEngine
from paraph.storage.table_store import SqlTableStore
from paraph.storage.token_queue_store import SqlOwnerlessStore, SqlRevocationStore


def _stores(connection: Connection, sealing: Sealing, audit: SqlAuditStore) -> Transaction:
    return Transaction(
        grants=SqlGrantStore(connection, sealing),
        refreshes=SqlRefreshStore(connection),
        links=SqlLinkStore(connection),
        installations=SqlInstallationStore(connection, sealing),
        used_states=SqlUsedStateStore(connection),
        ownerless=SqlOwnerlessStore(connection, sealing),
        events=SqlEventStore(connection, sealing),
        notices=SqlNoticeStore(connection),
        revocations=SqlRevocationStore(connection, sealing),
        removals=SqlRemovalStore(connection),
        audit=audit,
        api_keys=SqlApiKeyStore(connection),
        idempotency=SqlIdempotencyStore(connection, sealing),
        key_turns=SqlKeyTurnStore(connection),
        replicas=SqlReplicaStore(connection),
        sealed=SqlSealedStore(connection, sealing),
        tables=SqlTableStore(connection),
    )


class Database:
    """`Store` on SQLite or PostgreSQL. Made by `open_store`."""

    def __init__(
        self, engine: Engine, sealing: Sealing, keys: Mapping[str, bytes], epoch: Epoch
    ) -> None:
        self._engine = engine
        self._intake = engine.intake(sealing)
        self._live = engine.live_reader()
        self._concerned = engine.concerned_reader()
        self._sealing = sealing
        self._keys = dict(keys)
        self.epoch = epoch
        self._outages = OutageLog()
        self._closed = False
        self._blocks = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def database_id(self) -> str:
        """Random, made by the first migration; part of every associated data."""
        return self._sealing.database_id

    @property
    def hash_keys(self) -> Mapping[str, bytes]:
        """Long-lived keys, 32 bytes each, by use."""
        return self._keys

    @asynccontextmanager
    async def transaction(self, *scopes: Scope) -> AsyncIterator[Transaction]:
        """Begin a write, alone or within scopes; commit at the end of the block."""
        async with self._block():
            async with self._engine.writing(scopes) as begun:
                connection = Connection(begun)
                audit = SqlAuditStore(connection)
                yield _stores(connection, self._sealing, audit)
                connection.demand_whole()
                if audit.waiting:
                    # As late as can be: while this lock is held no other block with audit
                    # entries commits, on any replica.
                    await self._engine.lock_audit_chain(begun)
                    await audit.write_waiting()
            if connection.has_written:
                self._outages.recover()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A consistent view for reading; a write inside raises `StorageError`."""
        async with self._block(), self._engine.reading() as begun:
            connection = Connection(begun)
            yield _stores(connection, self._sealing, SqlAuditStore(connection))

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """Keep many new events in one durable transaction."""
        async with self._block(), self._engine.turn():
            with storage_errors():
                outcomes = await finish(self._intake.keep(events, client_id=client_id))
            if Outcome.KEPT in outcomes:
                self._outages.recover()
            return outcomes

    def ask_live(
        self, asked: Sequence[tuple[str, str]]
    ) -> Sequence[LiveRow] | asyncio.Future[Sequence[LiveRow]]:
        """API keys and installations as they stand at this moment, in one cheap read.

        At once where nobody has to be waited for.
        """
        if self._closed:
            raise StorageError("the database was closed")
        return self._live.ask(asked)

    async def read_live(self, key_id: str, link_id: str) -> LiveRow:
        """The same for one of each, waited for."""
        rows = self.ask_live([(key_id, link_id)])
        return (await rows if isinstance(rows, asyncio.Future) else rows)[0]

    async def read_concerned(
        self, event: KeptEvent, *, client_id: str, user_ids: Sequence[str] | None = None
    ) -> Sequence[Concerned] | None:
        """The active installations of a claimed event; None when the claim is over."""
        if self._closed:
            raise StorageError("the database was closed")
        return await self._concerned.read(
            Asked(
                event.event_id,
                event.attempts,
                event.account_id,
                client_id,
                None if user_ids is None else tuple(user_ids),
            )
        )

    def open_access_token(self, row: LiveRow) -> Secret:
        """The access token of such a row, which must have an installation."""
        if row.grant_id is None or row.sealed_access_token is None:
            raise StorageError("there is no installation in this row")
        return self._sealing.open_secret(ACCESS_TOKEN, row.grant_id, row.sealed_access_token)

    async def read_clock(self) -> float | None:
        """Epoch seconds by the server's clock; None where it is this machine's."""
        statement = self._engine.clock
        if statement is None:
            return None
        async with self._block(), self._engine.reading() as begun:
            return float((await Connection(begun).execute(statement)).scalar_one())

    async def ping(self) -> None:
        """Raise `StorageError` unless the database answers and can be written."""
        # Outside the block: an old failure that is repeated here is no new one.
        self._outages.demand_room()
        async with self._block(), self._engine.writing((NOTHING_READ,)) as begun:
            await self._engine.demand_writable(begun)
        self._outages.recover()

    async def close(self) -> None:
        """Let go of every connection, after the blocks that have begun. Nothing opens later."""
        self._closed = True
        await self._idle.wait()
        await finish(self._dispose())

    async def _dispose(self) -> None:
        await self._live.close()
        await self._concerned.close()
        await self._intake.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _block(self) -> AsyncIterator[None]:
        """Count an open block. SQLAlchemy would open a disposed engine again without a word."""
        if self._closed:
            raise StorageError("the database was closed")
        self._blocks += 1
        self._idle.clear()
        try:
            yield
        except StorageUnavailable as error:
            self._outages.fail(error)
            raise
        finally:
            self._blocks -= 1
            if not self._blocks:
                self._idle.set()


async def open_store(
    database_url: str,
    ring: KeyRing,
    *,
    randomness: Callable[[int], bytes],
    now: int = 0,
) -> Database:
    """Open a database, bring its schema up to date, and check that the ring belongs to it.

    Args:
        database_url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or `postgresql://` with
            all that libpq takes there.
        ring: the encryption keys.
        randomness: the operating system's.
        now: epoch seconds, noted when the database is new.

    Raises:
        ConfigurationError: another kind of URL, no driver, or a database of a newer paraph.
        UnknownEncryptionKey, SealBroken: the ring is not the one of this database.
        StorageError: it cannot be opened.
    """
    engine = engine_for(database_url)
    try:
        async with engine.migrating() as connection:
            with storage_errors():
                await finish(connection.run_sync(schema.expand))
                database_id = await finish(
                    connection.run_sync(schema.identify, randomness=randomness, now=now)
                )
                epoch = await finish(connection.run_sync(schema.epoch_of))
                await finish(connection.run_sync(schema.obey_turn, ring, now=now))
                keys = await finish(
                    connection.run_sync(
                        schema.load_hash_keys, ring, database_id, randomness=randomness
                    )
                )
    except BaseException:
        await finish(engine.dispose())
        raise
    return Database(engine, Sealing(ring, database_id), keys, epoch)


async def contract_schema(database_url: str) -> list[str]:
    """Take away what no code uses any more; the names of the steps.

    Raises:
        ConfigurationError, StorageError: as `open_store`.
    """
    engine = engine_for(database_url)
    try:
        async with engine.migrating() as connection:
            with storage_errors():
                await finish(connection.run_sync(schema.expand))
                return await finish(connection.run_sync(schema.contract))
    finally:
        await finish(engine.dispose())


def engine_for(database_url: str) -> Engine:
    """The engine of the kind that a URL names."""
    if is_postgresql(database_url):
        return PostgresqlEngine(database_url)
    return SqliteEngine(database_url)
