"""The read before an event is handed on: true at this moment, on every kind of store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from paraph.errors import StorageError
from paraph.model.event import KeptEvent
from paraph.model.installation import Recipient
from paraph.model.phase import Phase
from paraph.storage.database import Database, open_store
from storage import sample
from storage.sample import CLIENT

pytestmark = pytest.mark.anyio


def concerned(mark: str) -> Recipient:
    """The installation of this mark as an event is forwarded with it."""
    identity = sample.grant(mark).identity
    subject = sample.link(mark).subject
    return Recipient(f"link-{mark}", subject, identity.user_id, identity.account_id)


async def claimed(store: Database, count: int = 1) -> list[KeptEvent]:
    """So many events of one account that a worker has claimed, and two installations of it."""
    async with store.transaction() as tx:
        for mark in "21":
            await tx.grants.add(sample.grant(mark))
            await tx.links.add(sample.link(mark, phase=Phase.ACTIVE))
        for number in range(count):
            await tx.events.add(sample.event(str(number)))
        return list((await tx.events.claim(now=1000, until=2000, limit=count, urgent=False)).events)


async def installations(
    store: Database, event: KeptEvent, *, client_id: str
) -> Sequence[Recipient] | None:
    """The installations that an event is for now; None if the claim is over."""
    found = await store.read_recipients(event, client_id=client_id)
    return None if found is None else found.installations


async def test_a_claimed_event_concerns_its_accounts_installations(store: Database) -> None:
    """Active ones, by id; none of another client, another account or an inactive link."""
    (event,) = await claimed(store)
    async with store.transaction() as tx:
        grant = sample.grant("3")
        other = replace(grant.identity, account_id="another-account")
        await tx.grants.add(replace(grant, identity=other))
        await tx.links.add(sample.link("3", phase=Phase.ACTIVE))
        await tx.grants.add(sample.grant("4"))
        await tx.links.add(sample.link("4", phase=Phase.PENDING))
    both = [concerned("1"), concerned("2")]
    assert both == await installations(store, event, client_id=CLIENT)
    assert [] == await installations(store, event, client_id="another")
    elsewhere = msgspec.structs.replace(event, account_id="another-account")
    assert await installations(store, elsewhere, client_id=CLIENT) is not None


async def test_a_removal_counts_at_once(store: Database, database_url: str) -> None:
    """What another process removed is named by no later read; what it purged is ours no more."""
    (event,) = await claimed(store)
    other = await open_store(database_url, sample.ring(), randomness=os.urandom)
    try:
        assert 2 == len(await installations(store, event, client_id=CLIENT) or ())
        async with other.transaction() as tx:
            await tx.grants.delete(sample.grant("1").grant_id)
        found = await installations(store, event, client_id=CLIENT)
        assert ["link-2"] == [one.link_id for one in found or ()]
        async with other.transaction() as tx:
            await tx.events.purge_account(event.account_id)
        assert None is await installations(store, event, client_id=CLIENT)
    finally:
        await other.close()


async def test_a_claim_that_was_taken_over_is_over(store: Database) -> None:
    """Another worker has claimed it since, or it was handed on: the late one hands nothing on."""
    (late,) = await claimed(store)
    async with store.transaction() as tx:
        (again,) = (await tx.events.claim(now=2000, until=3000, limit=1, urgent=False)).events
    assert None is await installations(store, late, client_id=CLIENT)
    assert 2 == len(await installations(store, again, client_id=CLIENT) or ())
    async with store.transaction() as tx:
        await tx.events.mark_forwarded([again], now=2001)
    assert None is await installations(store, again, client_id=CLIENT)


async def test_there_is_no_recipient_without_an_installation(store: Database) -> None:
    """A claim that is still good, of an account or a notice without an installation: nobody."""
    async with store.transaction() as tx:
        await tx.events.add(sample.event("1"))
        await tx.events.add(sample.event("2", account_id="", notice=True))
        events = (await tx.events.claim(now=1000, until=2000, limit=2, urgent=False)).events
    for event in events:
        assert [] == await installations(store, event, client_id=CLIENT)


async def test_many_lookups_at_once_get_their_own_results(store: Database) -> None:
    """However many ask together, each hears of its own claim."""
    events = await claimed(store, 600)
    async with store.transaction() as tx:
        await tx.events.mark_forwarded(events[::3], now=1001)
    answers = await asyncio.gather(*(installations(store, one, client_id=CLIENT) for one in events))
    assert [None if n % 3 == 0 else 2 for n in range(600)] == [
        None if one is None else len(one) for one in answers
    ]


async def test_a_closed_store_says_nothing(store: Database) -> None:
    """After close() it is a `StorageError`, as everywhere."""
    (event,) = await claimed(store)
    await store.close()
    with pytest.raises(StorageError):
        await installations(store, event, client_id=CLIENT)
