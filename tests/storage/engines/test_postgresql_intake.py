"""Batches of events on PostgreSQL: in one round trip, or in steps where there is no function."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from paraph.errors import StorageError
from paraph.model.event import Outcome
from paraph.storage.database import Database, open_store
from paraph.storage.engines.postgresql import _BARE_SETTINGS
from paraph.storage.engines.postgresql_intake import _statement
from paraph.storage.event_tables import BY_TIME
from paraph.storage.scope import account
from postgres_server import PostgresServer
from storage import sample
from storage.sample import ACCOUNT, CLIENT, ring

pytestmark = pytest.mark.anyio

MARK = b"m" * 32
KEYS = 2_000


@pytest.fixture
def own_url(postgres: PostgresServer) -> Iterator[str]:
    """A database that the test may change."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
async def store(own_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """A store on it; with the parameter "steps" the server has no language for functions."""
    if getattr(request, "param", "") == "steps":
        await run(own_url, "DROP EXTENSION plpgsql")
    name = own_url.rpartition("/")[2]
    default = "SET default_transaction_isolation TO 'repeatable read'"
    await run(own_url, f"ALTER DATABASE {name} {default}")
    opened = await open_store(own_url, ring(), randomness=os.urandom)
    async with opened.transaction() as tx:
        await tx.grants.add(sample.grant())
    yield opened
    await opened.close()


async def run(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def queries_of_a_batch(store: Database, mark: str) -> list[str]:
    """What the intake asks for one more batch of one account."""
    seen: list[str] = []
    intake: Any = store._intake
    connection = intake._connection
    connection.add_query_logger(lambda record: seen.append(record.query))
    assert [Outcome.KEPT] == await store.keep_events([sample.event(mark)], client_id=CLIENT)
    # The driver reports a query in the next iteration.
    await asyncio.sleep(0)
    return seen


@pytest.mark.parametrize(("store", "trips"), [("function", 1), ("steps", 3)], indirect=["store"])
async def test_a_batch_takes_as_few_round_trips_as_the_server_allows(
    store: Database, log: io.StringIO, trips: int
) -> None:
    """One call locks, stores and commits; without functions it is a transaction, and a log line."""
    await store.keep_events([sample.event("1")], client_id=CLIENT)

    assert trips == len(await queries_of_a_batch(store, "2"))
    repeated = await store.keep_events([sample.event("1"), sample.event("3")], client_id=CLIENT)
    assert [Outcome.DUPLICATE, Outcome.KEPT] == repeated
    told = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert (trips - 1) // 2 == told.count("database.function_refused")


@pytest.mark.parametrize("store", ["function", "steps"], indirect=True)
async def test_a_batch_sees_the_removal_that_it_waited_for(store: Database) -> None:
    """Also where the database's default would let the whole transaction see its beginning only."""
    await store.keep_events([sample.event("1")], client_id=CLIENT)
    late = sample.event("late", concerned=("user-1",), marks=(("user-1", MARK),))
    async with store.transaction(account(CLIENT, ACCOUNT)) as tx:
        keeping = asyncio.create_task(store.keep_events([late], client_id=CLIENT))
        await until_a_lock_is_awaited(store)
        await tx.grants.delete(sample.grant().grant_id)
        await tx.removals.add_tombstone(MARK, zoom_time=None, now=1_000)

    assert [Outcome.REMOVED_USER] == await keeping


async def until_a_lock_is_awaited(store: Database) -> None:
    """Return when a block waits for a lock."""
    engine: Any = store._engine
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    while True:
        async with engine.readers.connect() as connection:
            if (await connection.exec_driver_sql(waiting)).scalar_one():
                return


async def test_a_batch_is_kept_after_its_session_was_reset(
    store: Database, log: io.StringIO
) -> None:
    """As by a pooler that was not recognised: the function is gone, and one log line says so."""
    await store.keep_events([sample.event("1")], client_id=CLIENT)
    intake: Any = store._intake
    await intake._connection.execute("DISCARD TEMPORARY")

    assert [Outcome.KEPT] == await store.keep_events([sample.event("2")], client_id=CLIENT)
    assert [Outcome.KEPT] == await store.keep_events([sample.event("3")], client_id=CLIENT)
    assert 1 == log.getvalue().count("database.function_refused")


async def test_a_batch_that_cannot_commit_is_not_kept(store: Database, own_url: str) -> None:
    """The outcome is that of the commit, not that of the statement before it."""
    await run(
        own_url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'at the commit'; END $$;"
        " CREATE CONSTRAINT TRIGGER late AFTER INSERT ON kept_events"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    with pytest.raises(StorageError):
        await store.keep_events([sample.event("1")], client_id=CLIENT)

    await run(own_url, "DROP TRIGGER late ON kept_events")
    assert [Outcome.KEPT] == await store.keep_events([sample.event("1")], client_id=CLIENT)


async def test_a_batch_reads_only_the_data_keys_of_its_owners(
    store: Database, own_url: str
) -> None:
    """Whatever the server knows of the table: it may have planned while there were few keys."""
    del store
    connection = await asyncpg.connect(own_url, server_settings=_BARE_SETTINGS)
    columns = "SELECT n::text, $1, n::text, '', ''"
    try:
        await connection.execute(
            f"INSERT INTO data_keys {columns} FROM generate_series(1, $2) n", CLIENT, KEYS
        )
        await connection.execute(f"PREPARE batch AS {_statement(BY_TIME)}")
        values = ", ".join(["NULL"] * len({*re.findall(r"\$\d+", _statement(BY_TIME))}))
        for step in ("SELECT 1", "ANALYZE"):
            await connection.execute(step)
            rows = await connection.fetch(f"EXPLAIN EXECUTE batch ({values})")
            plan = "\n".join(row[0] for row in rows)
            (condition,) = re.findall(r"on data_keys k.*\n +Index Cond: (.*)", plan)

            assert {"client_id", "account_id", "user_id"} == {*re.findall(r"\w+(?= = )", condition)}
    finally:
        await connection.close()
