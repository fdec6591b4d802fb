"""Restores a database in one transaction, from the first table to the last decision.

Until it ends no other process sees any of it, and if it fails nothing has changed. So no
process can ever start on a restored database whose grants were not suspended yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Executable, MetaData, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from paraph.errors import ConfigurationError, UsageError
from paraph.sealing.key_ring import KeyRing
from paraph.sealing.row import Sealing
from paraph.storage import schema
from paraph.storage.backup.backup_file import BackupReader
from paraph.storage.backup.trust import BACKUP, Trust, demand_trusted
from paraph.storage.connection import Connection, Engine, Intake, finish, storage_errors
from paraph.storage.database import Database, engine_for
from paraph.storage.event_tables import BY_DIGEST, TablesInUse, find_event_tables
from paraph.storage.hot_reads.access_lookup import AccessLookup
from paraph.storage.hot_reads.commit_listener import CommitListener, NoCommitListener
from paraph.storage.hot_reads.due_times import DueTimesLookup
from paraph.storage.hot_reads.recipient_lookup import RecipientLookup
from paraph.storage.scope import Scope
from paraph.storage.stores.whole_tables import TableStore

_BATCH = 500


@asynccontextmanager
async def restoring(
    database_url: str,
    ring: KeyRing,
    backup: BackupReader,
    *,
    trust: Trust,
    replace: bool,
    live_since: int,
    answer_seconds: int,
    randomness: Callable[[int], bytes],
    advance: Callable[[int], None],
) -> AsyncIterator[Database]:
    """Load a backup, and yield its store for the rest of the one transaction.

    Args:
        database_url: the database to write.
        ring: must open the sealed values of the backup.
        backup: read to its end.
        trust: the older keys that the operator trusts.
        replace: True if an existing database may be deleted.
        live_since: epoch seconds; a replica that reported since then runs, and prevents replacing.
        answer_seconds: seconds in which a running replica reports when it is asked.
        randomness: returns a number of random bytes of the operating system.
        advance: called with the number of rows loaded since its last call.

    Raises:
        UsageError: the backup is incomplete, its key is not trusted, or a database exists.
        ConfigurationError: the backup is of a newer paraph.
        UnknownEncryptionKey, SealBroken: the ring does not belong to this backup.
        StorageError: the database failed.
    """
    demand_trusted(backup.head.key_id, ring, trust)
    engine = engine_for(database_url)
    try:
        if replace:
            # Committed also if the restore is refused.
            async with engine.migrating() as connection:
                with storage_errors():
                    seen_at = live_since + answer_seconds
                    await finish(connection.run_sync(_ask_replicas, seen_at=seen_at))
            await engine.commit_listener().announce()
        async with engine.migrating() as connection:
            with storage_errors():
                await finish(
                    connection.run_sync(_make_room, replace=replace, live_since=live_since)
                )
                await finish(connection.run_sync(schema.expand, revision=backup.head.schema))
            await _load(connection, backup, advance)
            with storage_errors():
                await finish(connection.run_sync(schema.expand))
                # No replica of an older version can run on it: `_make_room` has looked.
                await finish(connection.run_sync(schema.contract))
                tables = await finish(connection.run_sync(find_event_tables))
                database_id = await finish(
                    connection.run_sync(schema.identify, randomness=randomness, now=0)
                )
                await finish(connection.run_sync(schema.adopt_sealing_key, ring, now=0))
                keys = await finish(
                    connection.run_sync(
                        schema.load_hash_keys, ring, database_id, randomness=randomness
                    )
                )
                epoch = await finish(connection.run_sync(schema.epoch_of))
            key_id = backup.head.key_id
            backup.demand_whole(
                ring.authentication_key(BACKUP, key_id) if key_id else keys["backup"]
            )
            within = _Within(engine, connection)
            yield Database(within, Sealing(ring, database_id), keys, epoch, tables)
    finally:
        await finish(engine.dispose())


def _make_room(connection: SyncConnection, *, replace: bool, live_since: int) -> None:
    present = inspect(connection).get_table_names()
    if not present:
        return
    if "alembic_version" not in present:
        raise ConfigurationError(
            ["database_url names a database that holds tables of another program"],
            remedy="Name an empty database, or the one that paraph made.",
        )
    if not replace:
        raise UsageError(
            "there is a database already, and it was not touched",
            remedy="Move it away, or say --replace, which deletes it.",
        )
    refuse_under_replicas(connection, present, live_since)
    known = MetaData()
    known.reflect(connection)
    known.drop_all(connection)


def _ask_replicas(connection: SyncConnection, *, seen_at: int) -> None:
    """Make all reports look old: a running replica then reports again."""
    if inspect(connection).has_table("replicas"):
        connection.execute(
            text("UPDATE replicas SET seen_at = :at WHERE seen_at > :at"), {"at": seen_at}
        )


def refuse_under_replicas(
    connection: SyncConnection, present: Sequence[str], live_since: int
) -> None:
    """Raise `UsageError` if a service runs on this database."""
    if "replicas" not in present:
        return
    live = connection.execute(
        text("SELECT label FROM replicas WHERE seen_at >= :since"), {"since": live_since}
    )
    labels = [row.label for row in live]
    if labels:
        raise UsageError(
            f"a service runs on this database: {', '.join(labels)}",
            remedy="Stop every replica first; one that was killed counts as gone "
            "75 seconds after this command asked for it.",
        )


async def _load(
    connection: AsyncConnection, backup: BackupReader, advance: Callable[[int], None]
) -> None:
    tables = TableStore(Connection(connection), BY_DIGEST)
    for batch in backup.batches(_BATCH):
        await tables.add(batch.table, batch.columns, batch.rows)
        advance(len(batch.rows))


class _Within:
    """`Engine` inside one transaction that its creator began and will end."""

    def __init__(self, engine: Engine, connection: AsyncConnection) -> None:
        self._engine = engine
        self._connection = connection

    def writing(self, scopes: Sequence[Scope]) -> AbstractAsyncContextManager[AsyncConnection]:  # noqa: ARG002 - There is no other writer.
        """Return the one transaction."""
        return nullcontext(self._connection)

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Return the one transaction."""
        return nullcontext(self._connection)

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Return the one transaction."""
        return nullcontext(self._connection)

    def intake_lock(self) -> AbstractAsyncContextManager[None]:
        """There is no other writer to wait for."""
        return nullcontext()

    def intake(self, sealing: Sealing, tables: TablesInUse) -> Intake:
        """Never used: no event arrives at a database that is being restored."""
        return self._engine.intake(sealing, tables)

    def access_lookup(self) -> AccessLookup:
        """Never used: no token is vended while the database is being restored."""
        return self._engine.access_lookup()

    def recipient_lookup(self, tables: TablesInUse) -> RecipientLookup:
        """Never used: no event is delivered while the database is being restored."""
        return self._engine.recipient_lookup(tables)

    def due_times_lookup(self, tables: TablesInUse) -> DueTimesLookup:
        """Never used: no background work runs while the database is being restored."""
        return self._engine.due_times_lookup(tables)

    def commit_listener(self) -> CommitListener:
        """Return none: there is no service to wake."""
        return NoCommitListener()

    @property
    def clock(self) -> Executable | None:
        """The query for the server's clock."""
        return self._engine.clock

    async def demand_writable(self, connection: AsyncConnection) -> None:
        """The transaction has already written."""

    async def lock_audit_chain(self, connection: AsyncConnection) -> None:
        """There is no other writer to lock out."""

    async def dispose(self) -> None:
        """The creator of the transaction closes its connection."""
