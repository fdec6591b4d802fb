"""Key rotation: first all can open, then the new key seals, then every value is sealed again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from paraph.errors import UnknownEncryptionKey, UsageError
from paraph.lifecycle.audit import walk_chain
from paraph.lifecycle.context import Context
from paraph.model.deployment import Replica
from paraph.model.grant import Grant
from paraph.operations import key_rotation
from paraph.operations.key_rotation import SHORT_LIVED_SECONDS
from paraph.operations.replica import LIVE_SECONDS, Presence
from paraph.secret import Secret
from paraph.service.context import open_context
from paraph.settings.model import Settings
from service_kit import Kit, running
from storage import sample
from storage.sample import NEW_KEY, OLD_KEY

pytestmark = pytest.mark.anyio

# Of today: an idle grant would be refreshed by the running service, and be refused.
FRESH = sample.grant(tokens=sample.tokens(received_at=int(time.time())))

THIRD_KEY = "third:" + "dGhp" * 10 + "dGg"


def silent(_count: int) -> None:
    """Ignore the progress."""


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """A running service that holds the old key alone."""
    async with running(
        tmp_path, database_url=database_url, encryption_keys=(Secret(OLD_KEY),)
    ) as kit:
        yield kit


@asynccontextmanager
async def opened(settings: Settings, *keys: str, ahead: int = 0) -> AsyncIterator[Context]:
    """Another process's view of the same database, with other keys, perhaps later."""
    given = replace(settings, encryption_keys=tuple(map(Secret, keys)))
    async with open_context(given, clock=lambda: time.time() + ahead) as (context, _readiness):
        yield context


async def granted(context: Context) -> Grant:
    """The grant that is kept, opened."""
    async with context.store.reading() as tx:
        found = await tx.grants.get("grant-1")
    assert found is not None
    return found


async def test_no_key_seals_that_a_live_replica_lacks(kit: Kit) -> None:
    """Otherwise that replica would meet rows that it cannot read."""
    async with opened(kit.settings, NEW_KEY, OLD_KEY) as operator:
        with pytest.raises(UsageError, match="these replicas do not hold the key new yet"):
            await key_rotation.begin_rotation(operator)

    assert "old" == kit.service.context.ring.key_id


async def test_a_replica_follows_a_rotation(kit: Kit) -> None:
    """At its next report it seals with the new key, and the rotation waits for that."""
    async with (
        opened(kit.settings, NEW_KEY, OLD_KEY) as replica,
        opened(kit.settings, NEW_KEY, OLD_KEY, ahead=2 * LIVE_SECONDS) as operator,
    ):
        assert await key_rotation.begin_rotation(operator)
        assert "old" == replica.ring.key_id

        await Presence(replica, "here:1").beat()
        assert "new" == replica.ring.key_id


async def test_a_rotation_waits_for_replicas_that_still_seal_with_another_key(kit: Kit) -> None:
    """They are named once; the rotation continues when they seal with the new key."""
    waited: list[list[str]] = []
    async with opened(kit.settings, NEW_KEY, OLD_KEY, ahead=2 * LIVE_SECONDS) as operator:
        await key_rotation.begin_rotation(operator)
        late = Replica("r", "here:1", ("new", "old"), "old", operator.now())

        async def put(replica: Replica) -> None:
            async with operator.store.transaction() as tx:
                await tx.replicas.put(replica)

        def rotate_late(labels: Sequence[str]) -> None:
            waited.append(list(labels))
            rotating.append(asyncio.create_task(put(replace(late, sealing_key="new"))))

        rotating: list[asyncio.Task[None]] = []
        await put(late)
        await key_rotation.await_replicas(operator, rotate_late)
        await asyncio.gather(*rotating)

    assert [["here:1"]] == waited


async def test_after_a_rotation_the_old_key_can_go(tmp_path: Path, database_url: str) -> None:
    """All rows readable, new writes under the new key, and after an hour nothing needs the old."""
    async with running(
        tmp_path, database_url=database_url, encryption_keys=(Secret(OLD_KEY),)
    ) as kit:
        settings = kit.settings
        async with kit.service.context.store.transaction() as tx:
            await tx.grants.add(FRESH)
            await tx.events.add(sample.event())
    async with opened(settings, NEW_KEY, OLD_KEY) as operator:
        assert await key_rotation.begin_rotation(operator)
        assert not await key_rotation.begin_rotation(operator)
        resealed = await key_rotation.reseal(operator, silent)
        new, old = (await key_rotation.ring_status(operator)).keys
    assert (9, {}, {}) == (resealed.done, resealed.unknown, resealed.broken)
    assert (True, {}) == (new.seals, dict(old.protects))
    assert ("cookies that it sealed may still come back",) == old.obstacles

    async with opened(settings, NEW_KEY, OLD_KEY, ahead=SHORT_LIVED_SECONDS) as operator:
        assert () == (await key_rotation.ring_status(operator)).keys[1].obstacles
    async with opened(settings, NEW_KEY) as context:
        assert FRESH == await granted(context)
        verdict = await walk_chain(context.store)
        assert (None, 1) == (verdict.broken_at, verdict.entries)
    with pytest.raises(UnknownEncryptionKey):
        async with opened(settings, OLD_KEY):
            pass


async def test_an_interrupted_rotation_is_taken_up_again(tmp_path: Path, database_url: str) -> None:
    """Half of the rows done: both halves are readable, and the next run does the rest alone."""
    async with running(
        tmp_path, database_url=database_url, encryption_keys=(Secret(OLD_KEY),)
    ) as kit:
        settings = kit.settings
        async with kit.service.context.store.transaction() as tx:
            for number in range(key_rotation.BATCH + 50):
                await tx.grants.add(sample.grant(f"{number:04}"))

    class Interrupted(BaseException):
        """As kill -9: nothing behind it runs."""

    def interrupt(_count: int) -> None:
        raise Interrupted

    async with opened(settings, NEW_KEY, OLD_KEY) as operator:
        await key_rotation.begin_rotation(operator)
        with pytest.raises(Interrupted):
            await key_rotation.reseal(operator, interrupt)
    async with opened(settings, NEW_KEY, OLD_KEY) as operator:
        new, old = (await key_rotation.ring_status(operator)).keys
        assert (key_rotation.BATCH, 50) == tuple(
            key.protects["grants.access_token"] for key in (new, old)
        )
        left = await key_rotation.count_outdated(operator)
        assert (
            left
            == (await key_rotation.reseal(operator, silent)).done
            == 2 * key_rotation.BATCH + 155
        )
        assert 0 == await key_rotation.count_outdated(operator)


async def test_a_missing_key_is_named_and_its_rows_are_kept(
    tmp_path: Path, database_url: str
) -> None:
    """Taken out too early: the rows wait, and are readable again when the key is back."""
    async with running(
        tmp_path, database_url=database_url, encryption_keys=(Secret(OLD_KEY),)
    ) as kit:
        settings = kit.settings
        async with kit.service.context.store.transaction() as tx:
            await tx.grants.add(FRESH)
    async with opened(settings, NEW_KEY, OLD_KEY) as operator:
        await key_rotation.begin_rotation(operator)
        async with operator.store.reading() as tx:
            hash_keys = await tx.sealed.outdated("stored_keys.sealed", after="", limit=9)
        async with operator.store.transaction() as tx:
            for value in hash_keys:
                await tx.sealed.reseal(value)

    async with opened(settings, NEW_KEY, THIRD_KEY) as operator:
        with pytest.raises(UnknownEncryptionKey):
            await granted(operator)
        resealed = await key_rotation.reseal(operator, silent)
        assert {"grants.access_token", "grants.refresh_token", "grants.profile"} == set(
            resealed.unknown
        )
        missing = {key.key_id: key.held for key in (await key_rotation.ring_status(operator)).keys}
        assert {"new": True, "third": True, "old": False} == missing

    async with opened(settings, NEW_KEY, OLD_KEY) as context:
        assert FRESH == await granted(context)
