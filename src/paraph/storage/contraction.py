"""The contract step of the schema: removes what no version that still runs reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from paraph.storage import schema
from paraph.storage.connection import Connection, Engine, finish, storage_errors
from paraph.storage.database import engine_for
from paraph.storage.event_tables import find_event_tables
from paraph.storage.stores.events.event_move import MOVED_AT_ONCE, move_some


async def contract_schema(
    database_url: str, *, moved: Callable[[int], None] = lambda _count: None
) -> list[str]:
    """Remove the parts of the schema that no code uses any more; return the steps' names.

    Args:
        database_url: see `open_store`.
        moved: hears the number of events after each step of their move.

    Raises:
        ConfigurationError, StorageError: see `open_store`.
    """
    engine = engine_for(database_url)
    try:
        async with engine.migrating() as connection:
            with storage_errors():
                await finish(connection.run_sync(schema.expand))
                applied = await finish(connection.run_sync(schema.contract))
                event_tables = await finish(connection.run_sync(find_event_tables))
        if event_tables.former is not None:
            await _move_all(engine, moved)
        return applied
    finally:
        await finish(engine.dispose())


async def _move_all(engine: Engine, moved: Callable[[int], None]) -> None:
    """Move the events of the former table; see `event_move`."""
    clock = asyncio.get_running_loop()
    count = 1
    while count:
        began = clock.time()
        async with engine.writing(()) as begun:
            count = await move_some(Connection(begun), at_most=MOVED_AT_ONCE)
        moved(count)
        # The others write meanwhile.
        await asyncio.sleep((clock.time() - began) / 2)
