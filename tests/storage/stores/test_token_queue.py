from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace

import pytest

from paraph.errors import Conflict
from paraph.storage.database import Database
from paraph.storage.scope import NOTHING_READ
from storage.sample import ownerless, revocation, tokens

pytestmark = pytest.mark.anyio


async def test_ownerless_tokens_come_back_as_they_went(store: Database) -> None:
    """With a refresh token or without."""
    bare = ownerless("2", tokens=tokens(refresh_token=None, zoom_time=None), next_attempt_at=999)
    async with store.transaction() as tx:
        await tx.ownerless.add(ownerless())
        await tx.ownerless.add(bare)
        assert [bare, ownerless()] == list(await tx.ownerless.due(now=1_000, limit=9))


async def test_revocations_come_back_as_they_went(store: Database) -> None:
    """A token that must die is opened for whoever kills it."""
    async with store.transaction() as tx:
        await tx.revocations.add(revocation())
        assert [revocation()] == list(await tx.revocations.due(now=1_000, limit=9))


async def test_what_is_due_comes_in_order_and_in_portions(store: Database) -> None:
    """Longest waiting first, nothing before its time, at most so many."""
    async with store.transaction() as tx:
        for mark, due in (("1", 30), ("2", 10), ("3", 20), ("4", 31)):
            await tx.ownerless.add(ownerless(mark, next_attempt_at=due))
            await tx.revocations.add(revocation(mark, next_attempt_at=due))
        waiting = [one.ownerless_id for one in await tx.ownerless.due(now=30, limit=9)]
        some = [one.revocation_id for one in await tx.revocations.due(now=30, limit=2)]

    assert ["ownerless-2", "ownerless-3", "ownerless-1"] == waiting
    assert ["revocation-2", "revocation-3"] == some


async def test_an_attempt_is_counted_and_postponed(store: Database) -> None:
    """Later it is due again, with one attempt more, and no other row is touched."""
    async with store.transaction() as tx:
        for mark in "12":
            await tx.ownerless.add(ownerless(mark))
            await tx.revocations.add(revocation(mark))
        assert await tx.ownerless.claim("ownerless-1", attempts=0, next_attempt_at=2_000)
        assert await tx.revocations.claim("revocation-1", attempts=0, next_attempt_at=2_000)
        assert [ownerless("2")] == list(await tx.ownerless.due(now=1_999, limit=9))
        assert [revocation("2")] == list(await tx.revocations.due(now=1_999, limit=9))
        later = (await tx.ownerless.due(now=2_000, limit=9))[1]
        later_token = (await tx.revocations.due(now=2_000, limit=9))[1]

    assert replace(ownerless("1"), attempts=1, next_attempt_at=2_000) == later
    assert replace(revocation("1"), attempts=1, next_attempt_at=2_000) == later_token


async def test_of_parallel_replicas_one_claims_an_attempt(store: Database) -> None:
    """All saw the same row; one attempt is made and counted."""
    async with store.transaction() as tx:
        await tx.ownerless.add(ownerless())
        await tx.revocations.add(revocation())

    async def claim() -> tuple[bool, bool]:
        async with store.transaction(NOTHING_READ) as tx:
            return (
                await tx.ownerless.claim("ownerless-1", attempts=0, next_attempt_at=2_000),
                await tx.revocations.claim("revocation-1", attempts=0, next_attempt_at=2_000),
            )

    done = await asyncio.gather(*(claim() for _ in range(5)))

    assert [(False, False)] * 4 + [(True, True)] == sorted(done)


async def test_of_parallel_deleters_one_did_it(store: Database) -> None:
    """Two workers that finish the same row know who of them did."""
    async with store.transaction() as tx:
        await tx.ownerless.add(ownerless())
        await tx.revocations.add(revocation())

    async def delete() -> tuple[bool, bool]:
        async with store.transaction() as tx:
            return await tx.ownerless.delete("ownerless-1"), await tx.revocations.delete(
                "revocation-1"
            )

    done = await asyncio.gather(*(delete() for _ in range(5)))

    assert [(False, False)] * 4 + [(True, True)] == sorted(done)


async def test_an_id_is_used_once(store: Database) -> None:
    """A second row under an id is a `Conflict`."""
    for again in (False, True):
        with pytest.raises(Conflict) if again else nullcontext():
            async with store.transaction() as tx:
                await tx.ownerless.add(ownerless())
        with pytest.raises(Conflict) if again else nullcontext():
            async with store.transaction() as tx:
                await tx.revocations.add(revocation())
