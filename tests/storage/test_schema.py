from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from paraph.errors import ConfigurationError, SealBroken, UnknownEncryptionKey
from paraph.sealing.key_ring import KeyRing
from paraph.storage.database import open_store
from storage.sample import NEW_KEY, OLD_KEY, ring

pytestmark = pytest.mark.anyio

TESTS = Path(__file__).parents[1]
SAME_ID_OTHER_KEY = "old:" + "A" * 43


async def _identity(url: str, keys: KeyRing) -> tuple[str, dict[str, bytes]]:
    store = await open_store(url, keys, randomness=os.urandom)
    await store.close()
    return store.database_id, dict(store.hash_keys)


async def test_a_database_keeps_its_id_and_hash_keys(empty_database_url: str) -> None:
    """Drawn once, found again, different keys of 32 bytes."""
    database_id, keys = await _identity(empty_database_url, ring())

    assert (database_id, keys) == await _identity(empty_database_url, ring())
    assert {"tombstone", "audit", "identifier", "receipts", "backup"} == set(keys)
    assert 5 == len(set(keys.values())) and {32} == {len(key) for key in keys.values()}
    assert 32 == len(database_id)


async def test_rotation_changes_no_hash_key(database_url: str) -> None:
    """What the long-lived keys hashed stays findable after the ring has turned."""
    before = await _identity(database_url, ring(OLD_KEY))

    assert before == await _identity(database_url, ring(NEW_KEY, OLD_KEY))


async def test_another_database_has_another_id(database_url: str, other_database_url: str) -> None:
    """Two databases under one ring do not open each other's rows."""
    other_id, other_keys = await _identity(other_database_url, ring())
    database_id, keys = await _identity(database_url, ring())

    assert database_id != other_id
    assert not set(keys.values()) & set(other_keys.values())


async def test_a_foreign_ring_is_refused_at_once(database_url: str) -> None:
    """A ring without the database's key, or with another under its id, opens nothing."""
    await _identity(database_url, ring(OLD_KEY))

    with pytest.raises(UnknownEncryptionKey):
        await _identity(database_url, ring(NEW_KEY))
    with pytest.raises(SealBroken):
        await _identity(database_url, ring(SAME_ID_OTHER_KEY))


async def test_the_hash_keys_stand_sealed(tmp_path: Path) -> None:
    """The file holds none of them in clear, and a swapped one is refused."""
    path = tmp_path / "paraph.db"
    _, keys = await _identity(f"sqlite:///{path}", ring())

    assert not [name for name, key in keys.items() if key in path.read_bytes()]
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute(
            "UPDATE stored_keys SET sealed ="
            " (SELECT sealed FROM stored_keys WHERE name = 'tombstone') WHERE name = 'audit'"
        )
    with pytest.raises(SealBroken):
        await _identity(f"sqlite:///{path}", ring())


@pytest.mark.parametrize(("newer", "starts"), [("9999", True), ("c9999", False)])
async def test_a_newer_database(tmp_path: Path, newer: str, *, starts: bool) -> None:
    """What newer code has added does not keep this one from starting; what it took away does."""
    path = tmp_path / "paraph.db"
    before = await _identity(f"sqlite:///{path}", ring())
    with closing(sqlite3.connect(path)) as plain, plain:
        if starts:
            plain.execute("DELETE FROM alembic_version")
        plain.execute("INSERT INTO alembic_version VALUES (?)", (newer,))

    if starts:
        assert before == await _identity(f"sqlite:///{path}", ring())
        return
    with pytest.raises(ConfigurationError) as caught:
        await _identity(f"sqlite:///{path}", ring())
    assert newer in caught.value.problems[0]


async def test_a_first_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Tables, id and keys are one transaction: a failure between them undoes all."""
    path = tmp_path / "paraph.db"

    def spent(_count: int) -> bytes:
        raise RuntimeError("no randomness")

    with pytest.raises(RuntimeError, match="no randomness"):
        await open_store(f"sqlite:///{path}", ring(), randomness=spent)
    with closing(sqlite3.connect(path)) as plain:
        assert [] == plain.execute("SELECT name FROM sqlite_master").fetchall()
    assert 32 == len((await _identity(f"sqlite:///{path}", ring()))[0])


@pytest.mark.slow_on_postgresql
async def test_processes_that_start_together_agree(empty_database_url: str) -> None:
    """Of several processes that open a new database at once, one makes it."""
    script = str(Path(__file__).parent / "other_process.py")
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            script,
            empty_database_url,
            "identity",
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        for _ in range(4)
    ]
    answers = {(await process.communicate())[0] for process in started}

    assert [0] * 4 == [process.returncode for process in started]
    assert {(await _identity(empty_database_url, ring()))[0].encode()} == answers
