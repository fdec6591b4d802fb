"""The database: the same transactions on SQLite and PostgreSQL.

The modules `sqlite` and `postgresql` hold the differences: how a block begins, and how two
writers are kept apart. Statements, tables and schema steps are the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from paraph.errors import SchemaChanged, StorageError, StorageUnavailable
from paraph.model.deployment import Epoch
from paraph.model.event import KeptEvent, Outcome
from paraph.model.installation import AccessRow
from paraph.sealing.data_key import SealedDataKey
from paraph.sealing.key_ring import KeyRing
from paraph.sealing.row import Sealing
from paraph.secret import Secret
from paraph.settings.postgresql_url import is_postgresql
from paraph.storage import schema
from paraph.storage.connection import Connection, Engine, finish, storage_errors
from paraph.storage.event_tables import EventTables, TablesInUse, find_event_tables
from paraph.storage.hot_reads.commit_listener import Heard
from paraph.storage.hot_reads.due_times import DueTimes
from paraph.storage.hot_reads.recipient_lookup import Asked, Found
from paraph.storage.outage import OutageLog
from paraph.storage.scope import NOTHING_READ, Scope
from paraph.storage.stores.events.event_columns import BODY
from paraph.storage.stores.events.event_keys import present
from paraph.storage.stores.grant import ACCESS_TOKEN
from paraph.storage.transaction import Transaction


class Database:
    """A database on SQLite or PostgreSQL. Create it with `open_store`.

    Attributes:
        epoch: the number of restores of this database, and the time of the last one.
    """

    def __init__(
        self,
        engine: Engine,
        sealing: Sealing,
        keys: Mapping[str, bytes],
        epoch: Epoch,
        event_tables: EventTables,
    ) -> None:
        self._engine = engine
        self._tables = TablesInUse(event_tables)
        self._must_look = False
        self._intake = engine.intake(sealing, self._tables)
        self._live = engine.access_lookup()
        self._concerned = engine.recipient_lookup(self._tables)
        self._due_times = engine.due_times_lookup(self._tables)
        self._commits = engine.commit_listener()
        self._heard: Heard | None = None
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
        """A random id, created by the first migration; part of all associated data."""
        return self._sealing.database_id

    @property
    def hash_keys(self) -> Mapping[str, bytes]:
        """Long-lived keys, 32 bytes each, by use: "tombstone", "audit", "identifier"."""
        return self._keys

    @asynccontextmanager
    async def transaction(
        self, *scopes: Scope, adds_work: bool = True
    ) -> AsyncIterator[Transaction]:
        """Begin a write; commit at the end of the block.

        Without a scope no other block writes meanwhile; with scopes, no other block of the same
        scopes. Decisions that the block bases on a read must lie within them.

        Args:
            scopes: see above.
            adds_work: False if no background work is due earlier because of this write.
        """
        async with self._block():
            async with self._engine.writing(scopes) as begun:
                connection = Connection(begun)
                transaction = Transaction.on(connection, self._sealing, self._tables.now)
                yield transaction
                connection.demand_whole()
                if transaction.audit.waiting:
                    # As late as possible: while this lock is held no other block with audit
                    # entries commits, on any replica.
                    await self._engine.lock_audit_chain(begun)
                    await transaction.audit.write_waiting()
            if connection.has_written:
                self._outages.recover()
                if adds_work and self._heard is not None:
                    self._heard()
                elif adds_work:
                    # After the commit: a server that refuses NOTIFY fails no write.
                    await self._commits.announce()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Open a consistent, read-only view; a write inside raises `StorageError`."""
        async with self._block(), self._engine.reading() as begun:
            yield Transaction.on(Connection(begun), self._sealing, self._tables.now)

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """Store many new events of the inbox in one durable transaction.

        Each is inserted once, under its `event_id`. An event is dropped if it concerns only
        removed users, or a removed account (`intake_rows`). The outcomes have the order of the
        events.

        Raises:
            StorageError: the events may not have been stored.
        """
        async with self._block(), self._engine.intake_lock():
            try:
                outcomes = await self._keep(events, client_id)
            except SchemaChanged:
                await self._look_again()
                outcomes = await self._keep(events, client_id)
            if Outcome.KEPT in outcomes:
                self._outages.recover()
            return outcomes

    async def _keep(self, events: Sequence[KeptEvent], client_id: str) -> list[Outcome]:
        with storage_errors():
            return await self._intake.keep(events, client_id=client_id)

    def look_up_access(
        self, asked: Sequence[tuple[str, str]]
    ) -> Sequence[AccessRow] | asyncio.Future[Sequence[AccessRow]]:
        """Read API keys and installations in one statement, as they are at this moment.

        Returns the rows at once if no wait is needed, else a future.

        Args:
            asked: the ids of an API key and of a link, for each row in its order.

        Raises:
            StorageError: the database failed or was closed; a future raises it when awaited.
        """
        if self._closed:
            raise StorageError("the database was closed")
        return self._live.ask(asked)

    async def read_access(self, key_id: str, link_id: str) -> AccessRow:
        """Read one API key and one installation, and wait for the row."""
        rows = self.look_up_access([(key_id, link_id)])
        return (await rows if isinstance(rows, asyncio.Future) else rows)[0]

    async def read_recipients(
        self, event: KeptEvent, *, client_id: str, user_ids: Sequence[str] | None = None
    ) -> Found | None:
        """Return the active installations of a claimed event, and its data keys, as they are now.

        None if it no longer waits under this claim: it was purged, or another worker has it.

        Args:
            event: the claimed event.
            client_id: the app's client.
            user_ids: return only the installations of these users, in the event's account if it
                names one; None: those of its account.

        Raises:
            StorageError: the database failed or was closed.
        """
        if self._closed:
            raise StorageError("the database was closed")
        asked = Asked(
            event.event_id,
            event.attempts,
            event.account_id,
            client_id,
            None if user_ids is None else tuple(user_ids),
            event.position,
            present(event.sealed_for),
        )
        try:
            return await self._concerned.read(asked)
        except SchemaChanged:
            await self._look_again()
            return await self._concerned.read(asked)

    def open_body(self, event: KeptEvent, keys: Mapping[str, SealedDataKey]) -> bytes | None:
        """Open the body of a claimed event. Return None if it was destroyed with its data keys.

        Args:
            event: the claimed event.
            keys: those of its data keys that exist at this moment.

        Raises:
            UnknownEncryptionKey, SealBroken: the body cannot be opened.
        """
        if event.sealed is None:
            return event.body
        return self._sealing.bodies.open(
            BODY, event.event_id, event.sealed, sealed_for=present(event.sealed_for), keys=keys
        )

    def open_access_token(self, row: AccessRow) -> Secret:
        """Open the access token of a row.

        Raises:
            StorageError: the row has no installation.
            UnknownEncryptionKey, SealBroken: the token cannot be opened.
        """
        if row.grant_id is None or row.sealed_access_token is None:
            raise StorageError("there is no installation in this row")
        return self._sealing.open_secret(ACCESS_TOKEN, row.grant_id, row.sealed_access_token)

    @property
    def has_own_clock(self) -> bool:
        """True if the server's clock may differ from this machine's."""
        return self._engine.clock is not None

    @property
    def uses_data_keys(self) -> bool:
        """True if events are sealed with data keys: from `paraph migrate` on."""
        return self._tables.now.are_by_time

    @property
    def is_failing(self) -> bool:
        """True from a failure of the whole database until the next successful write."""
        return self._outages.is_current

    async def read_clock(self) -> float | None:
        """Return epoch seconds of the server's clock; None if it is this machine's clock."""
        if not self.has_own_clock:
            return None
        async with self._block():
            return await self._due_times.clock()

    def listen(self, heard: Heard | None) -> None:
        """Call `heard` after each write or outage here, and each announcement of another process.

        Without a listener this process announces its writes to those that have one.

        Args:
            heard: None ends listening.
        """
        self._heard = heard
        self._commits.listen(heard)

    @property
    def hears_others(self) -> bool:
        """True while the writes of commands are heard at once; else `read_version` shows them."""
        return self._commits.is_listening

    async def announce(self) -> None:
        """Wake the other services, because there is more work than this one can do."""
        async with self._block():
            await self._commits.announce()

    @property
    def announcements_failed(self) -> int:
        """The number of announcements that the server refused, or that did not reach it."""
        return self._commits.failed

    def _hear(self) -> None:
        if self._heard is not None:
            self._heard()

    async def read_version(self) -> object:
        """Return a value that is equal to an earlier one only if nothing was committed between.

        Raises:
            StorageError: the database failed or was closed.
        """
        async with self._block():
            return await self._due_times.version()

    async def read_due_times(self, replica_id: str) -> DueTimes:
        """Return when background work is due next; see `DueTimes`.

        Args:
            replica_id: the replica whose last report is read.

        Raises:
            StorageError: the database failed or was closed.
        """
        async with self._block():
            return await self._due_times.read(replica_id)

    async def ping(self) -> None:
        """Raise `StorageError` unless the database responds and accepts writes."""
        # Outside the block: an old failure repeated here is not a new one.
        self._outages.demand_room()
        async with self._block(), self._engine.writing((NOTHING_READ,)) as begun:
            await self._engine.demand_writable(begun)
        self._outages.recover()

    async def close(self) -> None:
        """Close every connection after the running blocks. No block can begin later."""
        self._closed = True
        await self._idle.wait()
        await finish(self._dispose())

    async def _dispose(self) -> None:
        await self._live.close()
        await self._concerned.close()
        await self._due_times.close()
        await self._intake.close()
        await self._engine.dispose()

    async def _look_again(self) -> None:
        """Read which event tables there are, after `paraph migrate` has changed them."""
        with storage_errors():
            async with self._engine.reading() as connection:
                self._tables.now = await finish(connection.run_sync(find_event_tables))
        self._must_look = False

    @asynccontextmanager
    async def _block(self) -> AsyncIterator[None]:
        """Count an open block. SQLAlchemy would silently reopen a disposed engine."""
        if self._closed:
            raise StorageError("the database was closed")
        self._blocks += 1
        self._idle.clear()
        try:
            if self._must_look:
                await self._look_again()
            yield
        except SchemaChanged:
            self._must_look = True
            raise
        except StorageUnavailable as error:
            self._outages.fail(error)
            self._hear()
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
    """Open a database, update its schema, and check that the key ring belongs to it.

    Args:
        database_url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or `postgresql://` with
            every parameter that libpq accepts.
        ring: the encryption keys.
        randomness: returns a number of random bytes of the operating system.
        now: epoch seconds, stored when the database is new.

    Raises:
        ConfigurationError: another kind of URL, no driver, or a database of a newer paraph.
        UnknownEncryptionKey, SealBroken: the ring does not belong to this database.
        StorageError: the database cannot be opened.
    """
    engine = engine_for(database_url)
    try:
        async with engine.migrating() as connection:
            with storage_errors():
                await finish(connection.run_sync(schema.prepare))
                event_tables = await finish(connection.run_sync(find_event_tables))
                database_id = await finish(
                    connection.run_sync(schema.identify, randomness=randomness, now=now)
                )
                epoch = await finish(connection.run_sync(schema.epoch_of))
                await finish(connection.run_sync(schema.adopt_sealing_key, ring, now=now))
                keys = await finish(
                    connection.run_sync(
                        schema.load_hash_keys, ring, database_id, randomness=randomness
                    )
                )
    except BaseException:
        await finish(engine.dispose())
        raise
    return Database(engine, Sealing(ring, database_id), keys, epoch, event_tables)


def engine_for(database_url: str) -> Engine:
    """Return the engine for the kind of database that a URL names."""
    # Imported here: one of them, and SQLAlchemy's dialect for it, is enough.
    if is_postgresql(database_url):
        from paraph.storage.engines.postgresql import PostgresqlEngine

        return PostgresqlEngine(database_url)
    from paraph.storage.engines.sqlite import SqliteEngine

    return SqliteEngine(database_url)
