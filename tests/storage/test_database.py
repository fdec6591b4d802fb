from __future__ import annotations

import asyncio
import base64
import os
import random
import sqlite3
import stat
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from paraph.errors import Conflict, StorageError
from paraph.model.event import EventStatus, Outcome
from paraph.storage.database import Database, open_store
from paraph.storage.engines.sqlite import READERS, SqliteEngine
from postgres_server import PostgresServer
from storage import sample
from storage.other_process import increment

pytestmark = pytest.mark.anyio

TESTS = Path(__file__).parents[1]


async def _start(url: str, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parent / "other_process.py"),
        url,
        *words,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )


async def _granted_at(store: Database) -> int:
    async with store.reading() as tx:
        found = await tx.grants.get("grant-1")
    assert found is not None
    return found.granted_at


async def test_eight_writers_lose_nothing(store: Database) -> None:
    """Eight blocks that read and then write, in parallel: eight survivors."""
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())

    await asyncio.gather(*(increment(store) for _ in range(8)))

    assert 1_008 == await _granted_at(store)


@pytest.mark.slow_on_postgresql
async def test_two_processes_lose_nothing(store: Database, database_url: str) -> None:
    """The same across processes, where no lock of ours reaches."""
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())

    others = [await _start(database_url, "increment", "20") for _ in range(2)]
    for _ in range(20):
        await increment(store)
    await asyncio.gather(*(other.communicate() for other in others))

    assert [0, 0] == [other.returncode for other in others]
    assert 1_060 == await _granted_at(store)


async def test_batches_at_the_same_time_are_kept_each(store: Database) -> None:
    """A stream is carried on two roads beside the inbox: every batch is kept, by itself."""
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
    batches = [[sample.event(f"{batch}-{n}") for n in range(3)] for batch in range(8)]

    outcomes = await asyncio.gather(
        *(store.keep_events(batch, client_id=sample.CLIENT) for batch in batches)
    )

    assert [[Outcome.KEPT] * 3] * 8 == outcomes
    async with store.reading() as tx:
        assert 24 == len(await tx.events.page(limit=50))


async def test_writers_queue_in_order(store: Database) -> None:
    """Who asked first writes first."""
    order: list[int] = []

    async def write(number: int) -> None:
        async with store.transaction():
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(write(number) for number in range(20)))

    assert list(range(20)) == order


async def test_an_exception_undoes_the_whole_block(store: Database) -> None:
    """Leaving by an exception keeps nothing, passes the exception on, and frees the writer."""

    async def fail_half_way() -> None:
        async with store.transaction() as tx:
            await tx.grants.add(sample.grant())
            await tx.events.add(sample.event())
            raise TimeoutError("ours")

    with pytest.raises(TimeoutError, match="ours"):
        await fail_half_way()

    async with store.transaction() as tx:
        assert await tx.grants.get("grant-1") is None
        assert await tx.events.get("event-1") is None


async def test_a_caught_error_keeps_nothing(store: Database) -> None:
    """A block in which a statement failed cannot be committed as if nothing had been."""

    async def go_on_after_a_conflict() -> None:
        async with store.transaction() as tx:
            await tx.grants.add(sample.grant())
            with pytest.raises(Conflict):
                await tx.grants.add(sample.grant())

    with pytest.raises(StorageError, match="nothing of its transaction was kept"):
        await go_on_after_a_conflict()
    async with store.reading() as tx:
        assert await tx.grants.get("grant-1") is None


async def test_a_value_that_cannot_be_stored_is_a_storage_error(store: Database) -> None:
    """An integer beyond 64 bits or half a surrogate pair is no driver's exception outside."""
    with pytest.raises(StorageError, match="a value cannot be stored"):
        async with store.transaction() as tx:
            await tx.used_states.use(b"state", expires_at=2**63)
    with pytest.raises(StorageError, match="a value cannot be stored"):
        async with store.reading() as tx:
            await tx.events.get("\ud800")


async def test_a_used_state_is_known_until_it_expires(store: Database) -> None:
    """To whoever only looks, and nothing else with it."""
    async with store.transaction() as tx:
        await tx.used_states.use(b"one", expires_at=5)
    async with store.reading() as tx:
        assert (True, False) == (
            await tx.used_states.is_used(b"one"),
            await tx.used_states.is_used(b"another"),
        )
    async with store.transaction() as tx:
        await tx.used_states.delete_expired(now=5)
        assert not await tx.used_states.is_used(b"one")


async def test_reading_refuses_writes(store: Database) -> None:
    """A reader cannot write by mistake, and stays usable for reading afterwards."""
    for _ in range(READERS + 1):
        with pytest.raises(StorageError):
            async with store.reading() as tx:
                await tx.used_states.use(b"state", expires_at=1)

    async with store.reading() as tx:
        assert 0 == len(await tx.api_keys.all())


async def test_reading_neither_waits_for_a_writer_nor_sees_it(store: Database) -> None:
    """While a write is open a reader sees what was committed, and keeps that view to its end."""
    async with store.transaction() as writing:
        await writing.events.add(sample.event())
        async with store.reading() as tx:
            assert await tx.events.get("event-1") is None
    async with store.reading() as tx:
        assert await tx.events.get("event-1") is not None
        async with store.transaction() as writing:
            await writing.events.mark_forwarded([sample.event()], now=1)
        kept = await tx.events.get("event-1")
        assert kept is not None
        assert EventStatus.RECEIVED is kept.status


@pytest.mark.slow_on_postgresql
async def test_cancelled_tasks_leave_no_half_and_no_lock(store: Database) -> None:
    """Cancelled at any moment, a writer has done everything or nothing; the next one goes on."""
    moments = random.Random(20_260_101)
    threads = threading.active_count()

    async def write(number: int) -> None:
        async with store.transaction() as tx:
            await tx.events.add(sample.event(f"{number}-first"))
            await tx.events.add(sample.event(f"{number}-second"))

    async def read() -> None:
        async with store.reading() as tx:
            await tx.events.get("1-first")

    longest = 0.01
    for number in range(150):
        tasks = [asyncio.create_task(write(number)), asyncio.create_task(read())]
        # In real time, not in turns of the loop: the driver's thread keeps its own.
        await asyncio.sleep(moments.random() * longest)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # However fast the machine is just now, about half of them get to their end.
        longest *= 1.25 if tasks[0].cancelled() else 0.8

    async with store.transaction() as tx:
        kept = [one.event_id for one in await tx.events.page(limit=1_000)]
    assert 0 < len(kept) < 300
    for number in range(150):
        both = {f"event-{number}-first", f"event-{number}-second"}
        assert len(both & set(kept)) in {0, 2}
    assert threading.active_count() <= threads + READERS


async def test_a_writer_cancelled_in_the_queue_leaves_its_place(store: Database) -> None:
    """A task that gave up waiting does not keep the writers behind it from their turn."""
    inside, may_end = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with store.transaction():
            inside.set()
            await may_end.wait()

    async def write() -> None:
        async with store.transaction():
            pass

    holder = asyncio.create_task(hold())
    await inside.wait()
    waiting = asyncio.create_task(write())
    behind = asyncio.create_task(write())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (True, False) == (waiting.cancelled(), behind.done())
    may_end.set()

    await asyncio.gather(holder, behind)


@pytest.mark.slow_on_postgresql
async def test_a_killed_process_leaves_nothing_half(store: Database, database_url: str) -> None:
    """`kill -9` in the middle of a transaction: what was committed stays, the rest never was."""
    other = await _start(database_url, "write-and-wait")
    assert other.stdout is not None
    assert b"written" == await other.stdout.readexactly(7)
    other.kill()
    await other.wait()
    await other.communicate()

    async with store.transaction() as tx:
        assert await tx.events.get("event-kept") is not None
        assert await tx.events.get("event-half") is None
        assert await tx.grants.get("grant-half") is None
        assert await tx.links.get("link-half") is None
        await tx.grants.add(sample.grant("half"))


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Some other file under that name is a storage error, and is left as it was."""
    content = b"this is a letter, not a database" * 200
    (tmp_path / "letter.db").write_bytes(content)

    with pytest.raises(StorageError, match="is not an SQLite database"):
        await open_store(f"sqlite:///{tmp_path}/letter.db", sample.ring(), randomness=os.urandom)
    assert content == (tmp_path / "letter.db").read_bytes()


async def test_ping_succeeds_while_the_database_can_be_written(store: Database) -> None:
    """Nothing is raised, and nothing is written."""
    await store.ping()


async def test_ping_fails_while_the_write_lock_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readiness must fail when somebody else holds the database, and recover by itself."""
    monkeypatch.setattr("paraph.storage.engines.sqlite.BUSY_SECONDS", 0)
    path = tmp_path / "paraph.db"
    store = await open_store(f"sqlite:///{path}", sample.ring(), randomness=os.urandom)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="database is locked"):
            await store.ping()
        holder.execute("ROLLBACK")
    await store.ping()
    await store.close()


async def test_closing_waits_for_open_blocks_and_ends_every_thread(database_url: str) -> None:
    """Begun work is finished, later work refused, and no connection or thread stays behind."""
    before = set(threading.enumerate())
    store = await open_store(database_url, sample.ring(), randomness=os.urandom)
    async with store.transaction() as tx:
        closing_store = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        await tx.events.add(sample.event())
        assert not closing_store.done()
    await closing_store

    for block in (store.transaction, store.reading):
        with pytest.raises(StorageError, match="closed"):
            async with block():
                raise AssertionError
    with pytest.raises(StorageError, match="closed"):
        await store.ping()
    await store.close()
    # The event loop's own pool of threads ends with the loop.
    left = {
        one for one in set(threading.enumerate()) - before if not one.name.startswith("asyncio_")
    }
    for one in left:
        # A connection says that it is closed a moment before its thread ends.
        one.join(10)
    assert [] == [one.name for one in left if one.is_alive()]
    again = await open_store(database_url, sample.ring(), randomness=os.urandom)
    async with again.reading() as tx:
        assert await tx.events.get("event-1") is not None
    await again.close()


async def test_connections_are_durable_and_strict(sqlite_store: Database) -> None:
    """WAL, flushed at each commit, references enforced, deleted bytes overwritten."""
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    opened = sqlite_store._engine
    assert isinstance(opened, SqliteEngine)
    for engine, query_only in ((opened.writer, 0), (opened.readers, 1)):
        async with engine.connect() as connection:
            found = {
                name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
                for name in (*wanted, "query_only")
            }
        assert {**wanted, "query_only": query_only} == found


def _modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


async def test_all_files_are_private(tmp_path: Path) -> None:
    """The database, its log and its index are the owner's alone."""
    url = f"sqlite:///{tmp_path / 'paraph.db'}"
    store = await open_store(url, sample.ring(), randomness=os.urandom)
    await store.ping()

    modes = _modes(tmp_path)
    await store.close()
    assert dict.fromkeys(["paraph.db", "paraph.db-shm", "paraph.db-wal"], 0o600) == modes


@pytest.fixture
def files(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Path:
    """The folder where everything of a database stands."""
    if database_url.startswith("sqlite"):
        return tmp_path
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.data


@pytest.mark.slow_on_postgresql
async def test_nothing_secret_stands_in_the_files(store: Database, files: Path) -> None:
    """No token, profile or event body in clear: not in the database, its log or after deletion."""
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
        await tx.links.add(sample.link())
        await tx.ownerless.add(sample.ownerless())
        await tx.revocations.add(sample.revocation())
        await tx.events.add(sample.event())
    _demand_no_canary(files)
    async with store.transaction() as tx:
        await tx.grants.replace_tokens(
            "grant-1", sample.tokens("2"), expected_version=1, phase=sample.grant().phase
        )
        await tx.grants.renew_consent(replace(sample.grant(), tokens=sample.tokens("3")))
    _demand_no_canary(files)
    async with store.transaction() as tx:
        await tx.grants.delete("grant-1")
        await tx.revocations.delete("revocation-1")
        await tx.ownerless.delete("ownerless-1")
        await tx.events.purge_account(sample.ACCOUNT)
    _demand_no_canary(files)
    await store.close()
    _demand_no_canary(files)


def _demand_no_canary(folder: Path) -> None:
    content = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    # What may stand there in clear does: the scan looks where it should.
    assert sample.ACCOUNT.encode() in content
    # Whole words of the sample: other tests have a database on the same server.
    secrets = ("access-token", "refresh-token", "revoked-token", "body", "1@people")
    for word in (*(f"canary-{one}".encode() for one in secrets), "Näme".encode()):
        for spelling in _spellings(word):
            assert spelling not in content


def _spellings(word: bytes) -> list[bytes]:
    """A word in clear, in hex, and in base64 at each of its three alignments."""
    inner = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + word)
        # The characters at the borders depend on the neighbours, those between do not.
        inner.append(encoded[(shift * 8 + 5) // 6 : (shift + len(word)) * 8 // 6])
    return [word, word.hex().encode(), *inner]


def test_the_scan_would_find_a_secret() -> None:
    """The three base64 spellings are found in an encoded text wherever the word begins."""
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + b"canary and more")
        assert any(spelling in encoded for spelling in _spellings(b"canary"))
