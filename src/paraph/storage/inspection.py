"""Reads the state of a database without changing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, select

from paraph.storage import schema
from paraph.storage.connection import storage_errors
from paraph.storage.database import engine_for
from paraph.storage.engines.postgresql import PostgresqlEngine
from paraph.storage.engines.sqlite import demand_folder, file_of
from paraph.storage.tables import key_rotations


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The state of a database.

    Attributes:
        exists: false for an SQLite file that the first start will create.
        taken: the newest schema steps that it has.
        missing: expanding steps that it does not have.
        removable: contracting steps that it does not have, and emptied tables of earlier ones.
        unknown: contracting steps that only newer code knows.
        sealing_key: the id of the key that seals; "" in a new database.
        pooler: "transaction", "session" or "".
        clock: epoch seconds of the server's clock; None if it is this machine's.
    """

    exists: bool
    taken: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    removable: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    sealing_key: str = ""
    pooler: str = ""
    clock: float | None = None


async def inspect_database(database_url: str) -> DatabaseState:
    """Read the state of a database. An SQLite file that is missing is not created.

    Raises:
        ConfigurationError: another kind of URL, or no driver.
        StorageError: the database cannot be opened or read, or its file cannot be created.
    """
    if database_url.startswith("sqlite:") and not _is_there(path := file_of(database_url)):
        demand_folder(path)
        return DatabaseState(exists=False)
    engine = engine_for(database_url)
    try:
        pooler = await engine.find_pooler() if isinstance(engine, PostgresqlEngine) else ""
        with storage_errors():
            async with engine.reading() as connection:
                state: dict[str, Any] = await connection.run_sync(_read)
                clock = engine.clock
                now = (
                    None if clock is None else float((await connection.execute(clock)).scalar_one())
                )
        return DatabaseState(exists=True, pooler=pooler, clock=now, **state)
    finally:
        await engine.dispose()


def _is_there(path: str) -> bool:
    return Path(path).exists()


def _read(connection: Connection) -> dict[str, Any]:
    taken = MigrationContext.configure(connection).get_current_heads()
    steps = schema.compare_steps(taken)
    has_keys = inspect(connection).has_table(key_rotations.name)
    newest = select(key_rotations.c.key_id).order_by(key_rotations.c.turn.desc()).limit(1)
    key_id = connection.execute(newest).scalar() if has_keys else None
    steps["removable"] += schema.removable_tables(connection)
    return {"taken": tuple(taken), "sealing_key": key_id or "", **steps}
