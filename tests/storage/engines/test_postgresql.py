from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from paraph.errors import ConfigurationError, StorageError, StorageUnavailable
from paraph.extras import MissingExtra
from paraph.model.event import Outcome
from paraph.storage import outage
from paraph.storage.database import Database, open_store
from paraph.storage.engines import postgresql, postgresql_connection
from paraph.storage.scope import NOTHING_READ, Scope, account
from postgres_server import PostgresServer
from storage import sample
from storage.sample import ring

pytestmark = pytest.mark.anyio

A, B = account("client", "a"), account("client", "b")
A_SHARED = account("client", "a", shared=True)


@pytest.fixture
async def store(postgresql_url: str) -> AsyncIterator[Database]:
    """An open store on PostgreSQL, as one replica has it."""
    opened = await open_store(postgresql_url, ring(), randomness=os.urandom)
    yield opened
    await opened.close()


@pytest.fixture
async def replica(postgresql_url: str, store: Database) -> AsyncIterator[Database]:
    """The same database as another replica has it: no lock of Python's is shared."""
    opened = await open_store(postgresql_url, ring(), randomness=os.urandom)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ((A,), (B,)),
        ((A_SHARED,), (A_SHARED,)),
        ((A,), (NOTHING_READ,)),
        ((A_SHARED,), (B, A_SHARED)),
    ],
)
async def test_blocks_of_other_scopes_run_beside_each_other(
    store: Database, replica: Database, held: tuple[Scope, ...], asked: tuple[Scope, ...]
) -> None:
    """Nobody waits for a block that touches nothing of theirs."""
    async with store.transaction(*held), replica.transaction(*asked):
        pass


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ((), ()),
        ((), (A,)),
        ((), (NOTHING_READ,)),
        ((A,), ()),
        ((NOTHING_READ,), ()),
        ((A,), (A,)),
        ((A,), (A_SHARED,)),
        ((A_SHARED,), (A,)),
        ((A, B), (B,)),
    ],
)
async def test_blocks_that_touch_wait(
    store: Database, replica: Database, held: tuple[Scope, ...], asked: tuple[Scope, ...]
) -> None:
    """A block without a scope is alone; one with a scope is alone in it."""
    order = []

    async def ask() -> None:
        async with replica.transaction(*asked):
            order.append("asked")

    async with store.transaction(*held):
        asking = asyncio.create_task(ask())
        await _until_a_writer_waits(store)
        order.append("held")
    await asking

    assert ["held", "asked"] == order


async def _until_a_writer_waits(store: Database) -> None:
    engine = store._engine
    assert isinstance(engine, postgresql.PostgresqlEngine)
    while True:
        async with engine.readers.connect() as connection:
            waiting = await connection.exec_driver_sql(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            if waiting.scalar_one():
                return


async def test_a_lock_that_is_never_given_is_a_storage_error(
    store: Database, replica: Database, monkeypatch: pytest.MonkeyPatch, postgresql_url: str
) -> None:
    """A block that cannot begin says so in a while, and the next one goes on."""
    monkeypatch.setitem(postgresql_connection._SETTINGS, "lock_timeout", "50ms")
    hasty = await open_store(postgresql_url, ring(), randomness=os.urandom)

    async with store.transaction(A):
        with pytest.raises(StorageError, match="another transaction held a lock"):
            async with hasty.transaction(A):
                raise AssertionError
    async with hasty.transaction(A):
        pass
    await hasty.close()


async def test_an_abandoned_block_lets_go(
    store: Database, monkeypatch: pytest.MonkeyPatch, postgresql_url: str
) -> None:
    """A process that stands still in the middle of a block loses it, not everybody else."""
    monkeypatch.setitem(
        postgresql_connection._SETTINGS, "idle_in_transaction_session_timeout", "500ms"
    )
    sleepy = await open_store(postgresql_url, ring(), randomness=os.urandom)
    stands, rests = asyncio.Event(), asyncio.Event()

    async def stand_still() -> None:
        async with sleepy.transaction() as tx:
            await tx.events.add(sample.event())
            stands.set()
            await rests.wait()

    standing = asyncio.create_task(stand_still())
    await stands.wait()
    async with store.transaction():
        rests.set()
    with pytest.raises(StorageError):
        await standing
    async with sleepy.reading() as tx:
        assert await tx.events.get("event-1") is None
    await sleepy.close()


async def test_texts_compare_byte_for_byte(store: Database, postgresql_url: str) -> None:
    """Every column, in whatever language the database was made: Zoom's ids differ in case alone."""
    odd = await _ask(
        postgresql_url,
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'text'"
        " AND collation_name IS DISTINCT FROM 'C'",
    )

    assert [] == odd
    assert await _ask(
        postgresql_url, "SELECT 1 FROM information_schema.columns WHERE collation_name = 'C'"
    )


async def test_event_bodies_are_stored_as_they_are(store: Database, postgresql_url: str) -> None:
    """A ciphertext does not compress; trying it would cost more than writing it."""
    storage = await _ask(
        postgresql_url,
        "SELECT attstorage::text FROM pg_attribute"
        " WHERE attrelid = 'kept_events'::regclass AND attname = 'body'",
    )

    assert [("e",)] == storage


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that may be killed, beside the one that all tests share."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


async def test_a_server_that_was_away_is_found_again(own_server: PostgresServer) -> None:
    """After a restart no block fails because of a connection that was open before it."""
    store = await open_store(own_server.url("postgres"), ring(), randomness=os.urandom)
    await asyncio.gather(*(store.ping() for _ in range(postgresql.WRITERS)))
    own_server.kill()
    with pytest.raises(StorageError):
        await store.ping()
    await asyncio.to_thread(own_server.start)
    await asyncio.gather(*(store.ping() for _ in range(postgresql.WRITERS)))
    async with store.reading() as tx:
        assert [] == list(await tx.api_keys.all())
    await store.close()


async def test_a_server_that_cannot_be_reached_is_said_plainly() -> None:
    """One sentence and its remedy, and nothing of the URL in them."""
    url = "postgresql://canary-user:canary-password@127.0.0.1:9/canary-database"
    with pytest.raises(StorageUnavailable, match="nothing listens at the address") as caught:
        await open_store(url, ring(), randomness=os.urandom)

    assert "canary" not in str(caught.value) + caught.value.remedy
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("wrong", ["[canary-host/database", "h/d?sslmode=canary", "h/d?a=canary"])
async def test_a_url_with_problems_is_a_configuration_error(wrong: str) -> None:
    """Whoever opens a store without the settings' own look is told the same."""
    with pytest.raises(ConfigurationError) as caught:
        await open_store(f"postgresql://u:canary-pw@{wrong}", ring(), randomness=os.urandom)

    assert caught.value.problems[0].startswith("database_url ")
    assert "canary" not in str(caught.value)


async def test_an_unknown_database_is_a_storage_error(postgres: PostgresServer) -> None:
    """What the server refuses at the door arrives as one error."""
    with pytest.raises(StorageError, match="does not exist on its server"):
        await open_store(postgres.url("missing"), ring(), randomness=os.urandom)


async def test_a_server_that_became_read_only_is_noticed_on_open_connections(
    own_server: PostgresServer,
) -> None:
    """A demoted primary, or a setting: writes and `ping` say so, and go on when it ends."""
    store = await open_store(own_server.url("postgres"), ring(), randomness=os.urandom)
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
    await store.keep_events([sample.event("1")], client_id=sample.CLIENT)

    own_server.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    own_server.ask("SELECT pg_reload_conf()")
    with pytest.raises(StorageUnavailable, match="read-only"):
        await _keep_until_refused(store)
    with pytest.raises(StorageUnavailable, match="read-only"):
        async with store.transaction() as tx:
            await tx.grants.add(sample.grant("2"))
    with pytest.raises(StorageUnavailable, match="read-only"):
        await store.ping()

    own_server.ask("ALTER SYSTEM RESET default_transaction_read_only")
    own_server.ask("SELECT pg_reload_conf()")
    again = await _until_kept(store)
    await store.ping()
    await store.close()
    assert [Outcome.KEPT] == again


async def _keep_until_refused(store: Database, *, body: bytes = b"{}") -> None:
    """Keep events, each of them new, until one is refused."""
    for number in itertools.count():
        event = sample.event(f"more-{number}", body=body)
        assert [Outcome.KEPT] == await store.keep_events([event], client_id=sample.CLIENT)


async def _until_kept(store: Database) -> list[Outcome]:
    while True:
        with contextlib.suppress(StorageUnavailable):
            return await store.keep_events([sample.event("2")], client_id=sample.CLIENT)
        await asyncio.sleep(0.01)


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with little room, as a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    folder = Path(tempfile.mkdtemp(prefix="paraph-small-disk-", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("this system allows no mount")
    yield folder
    _run("umount", "-l", str(folder))
    folder.rmdir()


@pytest.mark.slow
async def test_a_full_disk_loses_nothing(
    own_server: PostgresServer, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept stays; deliveries are refused by name until there is room again."""
    monkeypatch.setattr(outage, "FULL_SECONDS", 0.0)
    place = small_disk / "tablespace"
    place.mkdir()
    shutil.chown(place, 65534, 65534)
    own_server.ask(f"CREATE TABLESPACE small LOCATION '{place}'")
    own_server.ask("CREATE DATABASE small TABLESPACE small")
    store = await open_store(own_server.url("small"), ring(), randomness=os.urandom)
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
    body = b"x" * 100_000
    with pytest.raises(StorageUnavailable, match="disk is full"):
        await _keep_until_refused(store, body=body)
    with pytest.raises(StorageUnavailable, match="disk is full"):
        await store.ping()

    await asyncio.to_thread(_run, "mount", "-o", "remount,size=64m", str(small_disk))
    event = sample.event("again", body=body)
    again = await store.keep_events([event], client_id=sample.CLIENT)
    await store.ping()
    async with store.reading() as reader:
        kept = {one.event_id for one in await reader.events.page(limit=1_000)}
    await store.close()
    assert [Outcome.KEPT] == again
    assert kept == {"event-again", *(f"event-more-{number}" for number in range(len(kept) - 1))}
    assert len(kept) > 10


async def test_a_missing_driver_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database_url of PostgreSQL without its driver names the extra to install."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    with pytest.raises(MissingExtra, match="asyncpg, which is not installed") as caught:
        await open_store("postgresql:///paraph", ring(), randomness=os.urandom)
    assert "postgres" == caught.value.extra


async def _ask(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_a_batch_survives_the_loss_of_its_connection(
    store: Database, postgresql_url: str
) -> None:
    """The server ends it at rest: one batch may be refused, and the next has another connection."""
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
    await store.keep_events([sample.event("1")], client_id=sample.CLIENT)
    other = await asyncpg.connect(postgresql_url)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await other.close()
    with contextlib.suppress(StorageError):
        await store.keep_events([sample.event("2")], client_id=sample.CLIENT)
    again = await store.keep_events([sample.event("3")], client_id=sample.CLIENT)
    assert [Outcome.KEPT] == again


async def _write_over_a_dying_connection(store: Database) -> None:
    """The server's last message is read between two statements, before the connection's end."""
    last = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection\0\0"
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
        raw: Any = await tx.grants._connection._connection.get_raw_connection()
        raw.driver_connection._protocol.data_received(
            b"E" + (len(last) + 4).to_bytes(4, "big") + last
        )
        await tx.grants.get("another")


async def test_a_connection_that_ends_between_two_statements_is_an_outage(store: Database) -> None:
    """The block fails and leaves nothing; the next one has another connection."""
    with pytest.raises(StorageUnavailable, match="was lost"):
        await _write_over_a_dying_connection(store)
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())


async def test_a_batch_that_fails_leaves_no_lock(store: Database, replica: Database) -> None:
    """Between its locks and its end: its connection goes, and a removal need not wait."""
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
    bad = sample.event("1", name="half a name \0")
    with pytest.raises(StorageError):
        await store.keep_events([sample.event("2"), bad], client_id=sample.CLIENT)
    async with asyncio.timeout(5), replica.transaction(account(sample.CLIENT, sample.ACCOUNT)):
        pass
    assert [Outcome.KEPT] == await store.keep_events([sample.event("2")], client_id=sample.CLIENT)


async def test_a_server_that_went_away_without_a_word_holds_up_no_end(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that swallows everything: closing gives up after a while, on every connection."""
    monkeypatch.setattr(postgresql_connection, "CLOSE_SECONDS", 0.1)
    async with _swallowing(postgresql_url) as (url, swallow):
        opened = await open_store(url, ring(), randomness=os.urandom)
        async with opened.transaction() as tx:
            await tx.grants.add(sample.grant())
        await opened.keep_events([sample.event("1")], client_id=sample.CLIENT)
        await opened.read_access("", "")
        await opened.read_recipients(sample.event("1"), client_id=sample.CLIENT)
        swallow.set()
        async with asyncio.timeout(5):
            await opened.close()


@contextlib.asynccontextmanager
async def _swallowing(url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The same server behind a relay, which passes nothing on once the event is set."""
    swallow = asyncio.Event()
    _, _, place = url.partition("@")
    address, _, _ = place.partition("/")
    host, _, port = address.partition(":")
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while data := await reader.read(65536):
                if not swallow.is_set():
                    writer.write(data)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        for one in (pump(reader, far_writer), pump(far_reader, writer)):
            pumps.add(asyncio.ensure_future(one))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        near = server.sockets[0].getsockname()[1]
        yield url.replace(address, f"127.0.0.1:{near}"), swallow
    finally:
        for one in pumps:
            one.cancel()
        await asyncio.wait(pumps)
        server.close()
