from __future__ import annotations

import os

import pytest

from paraph.errors import Conflict, UnknownEncryptionKey
from paraph.model.deployment import KeyRotation, Replica
from paraph.storage.database import Database, open_store
from storage.sample import NEW_KEY, OLD_KEY, ring

pytestmark = pytest.mark.anyio


def replica(replica_id: str = "1", seen_at: int = 1_000) -> Replica:
    """A replica that can open with two keys."""
    return Replica(replica_id, f"host:{replica_id}", ("new", "old"), "old", seen_at)


async def test_a_new_database_is_sealed_with_the_newest_key(database_url: str) -> None:
    """The first turn is the newest key's."""
    keys = ring(NEW_KEY, OLD_KEY)
    store = await open_store(database_url, keys, randomness=os.urandom, now=1_000)

    async with store.reading() as tx:
        assert [KeyRotation(1, "new", 1_000)] == list(await tx.key_rotations.all())
    await store.close()
    assert "new" == keys.key_id


async def test_a_key_in_front_opens_and_does_not_seal_yet(database_url: str) -> None:
    """Phase one of two: only a turn, written in the database, lets a new key seal."""
    await (await open_store(database_url, ring(OLD_KEY), randomness=os.urandom)).close()
    both = ring(NEW_KEY, OLD_KEY)
    store = await open_store(database_url, both, randomness=os.urandom)

    assert ("new", "old") == (both.newest, both.key_id)
    async with store.transaction() as tx:
        await tx.key_rotations.add(KeyRotation(2, "new", 2_000))
    await store.close()
    again = ring(OLD_KEY, NEW_KEY)
    await (await open_store(database_url, again, randomness=os.urandom)).close()
    assert "new" == again.key_id


async def test_a_ring_without_the_sealing_key_opens_no_store(database_url: str) -> None:
    """What it would seal, nobody else could open; the message names the missing key."""
    store = await open_store(database_url, ring(NEW_KEY, OLD_KEY), randomness=os.urandom)
    await store.close()

    with pytest.raises(UnknownEncryptionKey, match="the key new, which is not in encryption_keys"):
        await open_store(database_url, ring(OLD_KEY), randomness=os.urandom)


async def test_of_two_rotations_at_once_one_is_refused(store: Database) -> None:
    """The number of the turn decides, whoever writes second."""
    async with store.transaction() as tx:
        await tx.key_rotations.add(KeyRotation(2, "new", 2_000))

    with pytest.raises(Conflict):
        async with store.transaction() as tx:
            await tx.key_rotations.add(KeyRotation(2, "other", 2_000))


async def test_replicas_come_back_as_they_were_seen_last(store: Database) -> None:
    """One row each, the newest word counts, silent ones are left out."""
    async with store.transaction() as tx:
        await tx.replicas.put(replica("1", 1_000))
        await tx.replicas.put(replica("2", 1_000))
        await tx.replicas.put(replica("1", 1_010))

        assert [replica("1", 1_010)] == list(await tx.replicas.seen_since(1_001))
        assert 2 == len(await tx.replicas.seen_since(1_000))


async def test_replicas_are_deleted(store: Database) -> None:
    """By their own word, or because they have been silent for long."""
    async with store.transaction() as tx:
        for number, seen_at in (("1", 1_000), ("2", 2_000), ("3", 3_000)):
            await tx.replicas.put(replica(number, seen_at))
        await tx.replicas.delete("3")
        await tx.replicas.delete_before(2_000)

        assert [replica("2", 2_000)] == list(await tx.replicas.seen_since(0))
