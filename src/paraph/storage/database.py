"""The database: one code path for transactions, whichever database is behind it.

The drivers' defaults begin no transaction at SELECT and lose updates silently. So the driver
is told to begin nothing, and every write begins with BEGIN IMMEDIATE: what was read inside
cannot have changed when it is written. Within a process writers queue in order before they
ask the database, so that none of them spins on its lock.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from paraph.errors import ConfigurationError, Conflict, StorageError
from paraph.storage import schema
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

BUSY_SECONDS = 10
READERS = 4


def _stores(connection: AsyncConnection, sealing: Sealing) -> Transaction:
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
        with _as_storage_errors():
            async with self._writing, self._writer.begin() as connection:
                yield _stores(connection, self._sealing)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A consistent view for reading; a write inside raises `StorageError`."""
        with _as_storage_errors():
            async with self._readers.begin() as connection:
                yield _stores(connection, self._sealing)

    async def ping(self) -> None:
        """Raise `StorageError` unless the database answers and its write lock can be had."""
        with _as_storage_errors():
            async with self._writing, self._writer.begin() as connection:
                await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Let go of every connection."""
        await self._readers.dispose()
        await self._writer.dispose()


@contextmanager
def _as_storage_errors() -> Iterator[None]:
    """One error outside for whatever the driver raises. The driver's words may quote values."""
    try:
        yield
    except IntegrityError:
        raise Conflict("the row is there already") from None
    except (SQLAlchemyError, OSError) as error:
        raise StorageError(f"the database failed: {_driver_words(error)}") from None


def _driver_words(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(original).__name__}" + (f": {original}" if _is_plain(original) else "")


def _is_plain(error: BaseException | None) -> bool:
    """SQLite's operational errors are fixed sentences; others may hold values."""
    return type(error).__name__ == "OperationalError"


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
    scheme, _, path = database_url.partition(":///")
    if scheme != "sqlite" or not path:
        raise ConfigurationError(["database_url: only sqlite:///… is supported yet"])
    _create_private(path)
    writer = _engine(path, "BEGIN IMMEDIATE", connections=1, read_only=False)
    readers = _engine(path, "BEGIN", connections=READERS, read_only=True)
    try:
        with _as_storage_errors():
            async with writer.begin() as connection:
                await connection.run_sync(schema.migrate)
                database_id = await connection.run_sync(
                    lambda one: schema.identify(one, randomness=randomness, now=now)
                )
                keys = await connection.run_sync(
                    lambda one: schema.load_hash_keys(one, ring, database_id, randomness=randomness)
                )
    except BaseException:
        await writer.dispose()
        raise
    return Database(writer, readers, Sealing(ring, database_id), keys)


def _create_private(path: str) -> None:
    """Make the file readable by its owner alone before SQLite does; -wal and -shm take after it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(f"the database file cannot be opened: {error.strerror}") from None


def _engine(path: str, begin: str, *, connections: int, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=connections,
        max_overflow=0,
        connect_args={"timeout": BUSY_SECONDS},
        # A statement's parameters hold ciphertexts and ids, and belong in no message.
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver must begin nothing by itself: "begin" below does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            # FULL: an answered webhook must survive the loss of power, not only of the process.
            "synchronous = FULL",
            "foreign_keys = ON",
            f"query_only = {'ON' if read_only else 'OFF'}",
            # A deleted token's bytes are overwritten in the file, not only unlinked.
            "secure_delete = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
