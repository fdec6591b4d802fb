"""A database that is being restored: one transaction from the first table to the last decision.

Until it ends nobody else sees anything of it, and if it fails nothing has happened. So no
process can ever start on a restored database whose grants were not suspended yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import Executable, MetaData, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from paraph.errors import ConfigurationError, UsageError
from paraph.storage import schema
from paraph.storage.backup_file import BackupReader
from paraph.storage.concerned_reader import ConcernedReader
from paraph.storage.connection import Connection, Engine, Intake, finish, storage_errors
from paraph.storage.database import Database, engine_for
from paraph.storage.encryption import KeyRing
from paraph.storage.live_reader import LiveReader
from paraph.storage.scope import Scope
from paraph.storage.sealing import Sealing
from paraph.storage.table_store import SqlTableStore
from paraph.storage.trust import BACKUP, Trust, demand_trusted

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
    randomness: Callable[[int], bytes],
    advance: Callable[[int], None],
) -> AsyncIterator[Database]:
    """Load a backup, and give the store of it for the rest of the one transaction.

    Args:
        database_url: where to.
        ring: must open what the backup's database had sealed.
        backup: read to its end.
        trust: the operator's word for what older keys have made.
        replace: whether a database that is there already may go.
        live_since: a replica that was seen since then runs, and nothing is replaced under it.
        randomness: the operating system's.
        advance: told how many rows were loaded since it was called last.

    Raises:
        UsageError: the backup is not whole, its key is not in force, or the place is taken.
        ConfigurationError: the backup is of a newer paraph.
        UnknownEncryptionKey, SealBroken: the ring is not the one of this backup.
        StorageError: the database failed.
    """
    demand_trusted(backup.head.key_id, ring, trust)
    engine = engine_for(database_url)
    try:
        async with engine.migrating() as connection:
            with storage_errors():
                await finish(
                    connection.run_sync(_make_room, replace=replace, live_since=live_since)
                )
                await finish(connection.run_sync(schema.expand, revision=backup.head.schema))
            await _load(connection, backup, advance)
            with storage_errors():
                await finish(connection.run_sync(schema.expand))
                database_id = await finish(
                    connection.run_sync(schema.identify, randomness=randomness, now=0)
                )
                await finish(connection.run_sync(schema.obey_turn, ring, now=0))
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
            yield Database(_Within(engine, connection), Sealing(ring, database_id), keys, epoch)
    finally:
        await finish(engine.dispose())


def _make_room(connection: SyncConnection, *, replace: bool, live_since: int) -> None:
    present = inspect(connection).get_table_names()
    if not present:
        return
    if "alembic_version" not in present:
        raise ConfigurationError(
            ["database_url names a database that holds somebody else's tables"],
            remedy="Name an empty database, or the one that paraph made.",
        )
    if not replace:
        raise UsageError(
            "there is a database already, and it was not touched",
            remedy="Move it away, or say --replace; then it is gone.",
        )
    refuse_under_replicas(connection, present, live_since)
    known = MetaData()
    known.reflect(connection)
    known.drop_all(connection)


def refuse_under_replicas(
    connection: SyncConnection, present: Sequence[str], live_since: int
) -> None:
    """`UsageError` when a service runs on this database."""
    if "replicas" not in present:
        return
    live = connection.execute(
        text("SELECT label FROM replicas WHERE seen_at >= :since"), {"since": live_since}
    )
    labels = [row.label for row in live]
    if labels:
        raise UsageError(
            f"a service runs on this database: {', '.join(labels)}",
            remedy="Stop every replica first; one that was killed counts as gone after 30 seconds.",
        )


async def _load(
    connection: AsyncConnection, backup: BackupReader, advance: Callable[[int], None]
) -> None:
    tables = SqlTableStore(Connection(connection))
    for batch in backup.batches(_BATCH):
        await tables.add(batch.table, batch.columns, batch.rows)
        advance(len(batch.rows))


class _Within:
    """`Engine` inside one transaction that somebody else began and will end."""

    def __init__(self, engine: Engine, connection: AsyncConnection) -> None:
        self._engine = engine
        self._connection = connection

    def writing(self, scopes: Sequence[Scope]) -> AbstractAsyncContextManager[AsyncConnection]:  # noqa: ARG002 - Nobody else is here.
        """The one transaction."""
        return nullcontext(self._connection)

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """The one transaction."""
        return nullcontext(self._connection)

    def migrating(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """The one transaction."""
        return nullcontext(self._connection)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Nobody else is here."""
        return nullcontext()

    def intake(self, sealing: Sealing) -> Intake:
        """Never used: no event arrives at a database that is being restored."""
        return self._engine.intake(sealing)

    def live_reader(self) -> LiveReader:
        """Never used: nothing is vended while it is being restored."""
        return self._engine.live_reader()

    def concerned_reader(self) -> ConcernedReader:
        """Never used: nothing is handed on while it is being restored."""
        return self._engine.concerned_reader()

    @property
    def clock(self) -> Executable | None:
        """The server's."""
        return self._engine.clock

    async def demand_writable(self, connection: AsyncConnection) -> None:
        """The transaction has written already."""

    async def lock_audit_chain(self, connection: AsyncConnection) -> None:
        """Nobody else is here."""

    async def dispose(self) -> None:
        """Whoever began it lets go of it."""
