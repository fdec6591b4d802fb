"""Where a destroyed data key may still be, and from when on it is gone there.

At the commit no reader of the live database finds it (`test_destroyed_keys`). Then the log and the
free pages follow, and at last every copy, once the encryption keys of its time are destroyed.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from paraph.errors import UnknownEncryptionKey
from paraph.model.event import EventStatus, KeptEvent
from paraph.sealing.data_key import SealedDataKey
from paraph.sealing.row import Sealing
from paraph.storage.database import Database, open_store
from postgres_server import PostgresServer
from storage.key_kit import get, install, is_readable, keep, remove
from storage.sample import NEW_KEY, OLD_KEY, ring
from tampering import tamper

pytestmark = pytest.mark.anyio

JANE, BOB = "user-1", "user-2"


async def stored_keys(url: str) -> list[SealedDataKey]:
    """Every data key, as its row holds it."""
    rows = await tamper(url, f"SELECT {', '.join(SealedDataKey._fields)} FROM data_keys")
    return [SealedDataKey(*row)._replace(sealed=bytes(row[4])) for row in rows]


def bytes_of(files: Sequence[Path]) -> bytes:
    """The content of those of these files that exist."""
    return b"".join(file.read_bytes() for file in files if file.exists())


def held_in(content: bytes, keys: Sequence[SealedDataKey]) -> int:
    """How many of these data keys are somewhere in the bytes."""
    return sum(key.sealed in content for key in keys)


@pytest.mark.parametrize("then", ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"])
async def test_sqlite_overwrites_a_key_at_the_checkpoint(
    sqlite_store: Database, tmp_path: Path, then: str
) -> None:
    """File, log and free pages hold no byte of a destroyed data key, and still the others."""
    file = tmp_path / "paraph.db"
    files = [file, tmp_path / "paraph.db-wal", tmp_path / "paraph.db-shm"]
    await install(sqlite_store, "1", "2")
    await keep(sqlite_store, "1", JANE)
    keys = await stored_keys(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert len(keys) == held_in(bytes_of(files), keys)

    assert 2 == await remove(sqlite_store, "1")
    left = await stored_keys(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(then)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    destroyed = [key for key in keys if key not in left]
    assert (0, 2) == (held_in(bytes_of(files), destroyed), len(destroyed))
    assert len(left) == held_in(bytes_of(files), left)


async def test_postgresql_has_no_key_left_in_the_table_after_a_full_vacuum(
    postgres: PostgresServer, postgresql_url: str
) -> None:
    """A deleted row stays in its page as a dead one until then."""
    store = await open_store(postgresql_url, ring(), randomness=os.urandom)
    try:
        await install(store, "1", "2")
        keys = await stored_keys(postgresql_url)
        await remove(store, "1")
    finally:
        await store.close()
    left = await stored_keys(postgresql_url)
    destroyed = [key for key in keys if key not in left]

    async def held() -> int:
        await tamper(postgresql_url, "CHECKPOINT")
        ((path,),) = await tamper(postgresql_url, "SELECT pg_relation_filepath('data_keys')")
        return held_in(bytes_of([postgres.data / path]), destroyed)

    assert 2 == await held()
    await tamper(postgresql_url, "VACUUM FULL data_keys")
    assert 0 == await held()


async def test_a_copy_is_readable_until_its_encryption_keys_are_destroyed(
    sqlite_store: Database, tmp_path: Path
) -> None:
    """A copy of the time before the removal: the old encryption key opens it, no later one does."""
    file, copy = tmp_path / "paraph.db", tmp_path / "copy.db"
    await install(sqlite_store, "1")
    event = await keep(sqlite_store, "1", JANE)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(file, copy)
    await remove(sqlite_store, "1")

    # The promise is no more than this: while the key exists, a copy is a copy.
    assert await opened_from(copy, event, OLD_KEY) == event.body
    with pytest.raises(UnknownEncryptionKey):
        await open_store(f"sqlite:///{copy}", ring(NEW_KEY), randomness=os.urandom)
    keys = await stored_keys(f"sqlite:///{copy}")
    ((body,),) = await tamper(f"sqlite:///{copy}", "SELECT body FROM kept_events")
    new = Sealing(ring(NEW_KEY), sqlite_store.database_id)
    for key in keys:
        with pytest.raises(UnknownEncryptionKey):
            new.bodies.open(
                "events.body",
                event.event_id,
                body,
                sealed_for=[key.key_id],
                keys={key.key_id: key},
            )


async def opened_from(file: Path, event: KeptEvent, *keys: str) -> bytes | None:
    """The body of an event in a database file."""
    store = await open_store(f"sqlite:///{file}", ring(*keys), randomness=os.urandom)
    try:
        return (await get(store, event)).body
    finally:
        await store.close()


async def test_what_is_sealed_again_needs_the_new_key_alone(database_url: str) -> None:
    """After a rotation the bodies open without the old key, though none of them was touched."""
    old = await open_store(database_url, ring(OLD_KEY), randomness=os.urandom)
    await install(old, "1", "2")
    events = [await keep(old, "1", JANE), await keep(old, "2", JANE, BOB), await keep(old, "3")]
    bodies = await tamper(database_url, "SELECT body FROM kept_events ORDER BY position")
    await old.close()
    both = ring(NEW_KEY, OLD_KEY)
    store = await open_store(database_url, both, randomness=os.urandom)
    both.seal_with("new")
    async with store.transaction() as tx:
        for place in tx.sealed.places:
            for value in await tx.sealed.outdated(place, after="", limit=99):
                assert await tx.sealed.reseal(value)
        assert {"new"} == {
            key for place in tx.sealed.places for key in await tx.sealed.counts(place, both.key_ids)
        }
    assert bodies == await tamper(database_url, "SELECT body FROM kept_events ORDER BY position")

    both._roots.pop("old")
    both._cipher.cache_clear()
    for event in events:
        assert await is_readable(store, event)
    await store.close()


@pytest.mark.parametrize("number", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_a_removal_writes_no_row_of_an_event(
    store: Database, database_url: str, number: int
) -> None:
    """However many events an account has, its removal destroys its keys and changes none of them.

    And not one of them is counted, listed or claimed any more.
    """
    await install(store, "1", "2")
    await keep(store, "1", JANE)
    names = "event_ts, name, received_at, body, account_id, user_id, notice, urgent, status"
    names += ", attempts, next_attempt_at, failure, arrival, trace, subject_key, concerned"
    names += ", sealed_for"
    await tamper(
        database_url,
        f"WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {number - 1})"
        f" INSERT INTO kept_events (position, event_id, {names})"
        f" SELECT position + n, 'copy-' || n, {names} FROM kept_events, n RETURNING 1",
    )
    other = await keep(store, "900000", BOB)

    await remove(store, "1")

    async with store.reading() as tx:
        backlog = await tx.events.backlog()
        listed = await tx.events.page(limit=10, status=EventStatus.RECEIVED)
    assert (1, [other.event_id]) == (backlog.waiting, [one.event_id for one in listed])
    ((waiting,),) = await tamper(
        database_url, "SELECT count(*) FROM kept_events WHERE status = 'received'"
    )
    assert number + 1 == waiting
