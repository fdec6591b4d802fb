"""The database: one code path for transactions, whichever database is behind it.

The drivers' defaults begin no transaction at SELECT and lose updates silently. So the driver
is told to begin nothing, and every write begins with BEGIN IMMEDIATE: what was read inside
cannot have changed when it is written. Within a process writers queue in order before they
ask the database, so that none of them spins on its lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from paraph.errors import StorageError
from paraph.storage import schema
from paraph.storage.connection import (
    Connection,
    begun,
    create_private,
    file_of,
    finish,
    open_engine,
    storage_errors,
)
from paraph.storage.encryption import KeyRing
from paraph.storage.event_store import SqlEventStore
from paraph.storage.grant_store import SqlGrantStore
from paraph.storage.installation_store import SqlInstallationStore
from paraph.storage.link_store import SqlLinkStore
from paraph.storage.protocols import Transaction
from paraph.storage.record_store import (
    SqlApiKeyStore,
    SqlAuditStore,
    SqlRemovalStore,
    SqlUsedStateStore,
)
from paraph.storage.sealing import Sealing
from paraph.storage.token_queue_store import SqlOwnerlessStore, SqlRevocationStore

READERS = 4


def _stores(connection: Connection, sealing: Sealing) -> Transaction:
    return Transaction(
        grants=SqlGrantStore(connection, sealing),
        links=SqlLinkStore(connection),
        installations=SqlInstallationStore(connection, sealing),
        used_states=SqlUsedStateStore(connection),
        ownerless=SqlOwnerlessStore(connection, sealing),
        events=SqlEventStore(connection, sealing),
        revocations=SqlRevocationStore(connection, sealing),
        removals=SqlRemovalStore(connection),
        audit=SqlAuditStore(connection),
        api_keys=SqlApiKeyStore(connection),
    )


class Database:
    """`Store` on SQLite. Made by `open_store`."""

    def __init__(
        self, writer: AsyncEngine, readers: AsyncEngine, sealing: Sealing, keys: Mapping[str, bytes]
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._sealing = sealing
        self._keys = dict(keys)
        self._writing = asyncio.Lock()
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
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Begin a write; commit at the end of the block."""
        async with self._block(), self._writing, begun(self._writer) as connection:
            yield _stores(Connection(connection), self._sealing)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A consistent view for reading; a write inside raises `StorageError`."""
        async with self._block(), begun(self._readers) as connection:
            yield _stores(Connection(connection), self._sealing)

    async def ping(self) -> None:
        """Raise `StorageError` unless the database answers and its write lock can be had."""
        async with self.transaction():
            pass

    async def close(self) -> None:
        """Let go of every connection, after the blocks that have begun. Nothing opens later."""
        self._closed = True
        await self._idle.wait()
        await finish(self._dispose())

    async def _dispose(self) -> None:
        await self._readers.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def _block(self) -> AsyncIterator[None]:
        """Count an open block. SQLAlchemy would open a disposed engine again without a word."""
        if self._closed:
            raise StorageError("the database was closed")
        self._blocks += 1
        self._idle.clear()
        try:
            yield
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
        database_url: `sqlite:///relative.db` or `sqlite:////absolute.db`.
        ring: the encryption keys.
        randomness: the operating system's.
        now: epoch seconds, noted when the database is new.

    Raises:
        ConfigurationError: another kind of URL, or a database of a newer paraph.
        UnknownEncryptionKey, SealBroken: the ring is not the one of this database.
        StorageError: it cannot be opened.
    """
    path = file_of(database_url)
    create_private(path)
    writer = open_engine(path, "BEGIN IMMEDIATE", connections=1, read_only=False)
    try:
        # PostgreSQL takes its advisory lock here; SQLite has it already by BEGIN IMMEDIATE.
        async with begun(writer) as connection:
            with storage_errors():
                await finish(connection.run_sync(schema.migrate))
                database_id = await finish(
                    connection.run_sync(schema.identify, randomness=randomness, now=now)
                )
                keys = await finish(
                    connection.run_sync(
                        schema.load_hash_keys, ring, database_id, randomness=randomness
                    )
                )
    except BaseException:
        await finish(writer.dispose())
        raise
    readers = open_engine(path, "BEGIN", connections=READERS, read_only=True)
    return Database(writer, readers, Sealing(ring, database_id), keys)
