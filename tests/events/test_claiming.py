"""Events are claimed together and prefetched, and no claimed event is lost or delivered late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from events.dispatch_kit import Host, dispatching, hang, one_with, until_status
from events.inbox_kit import install, keep, kept, meeting
from paraph.errors import StorageError
from paraph.events import claims, dispatch
from paraph.events.dispatch import Dispatcher
from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus
from paraph.storage.database import Database
from paraph.storage.stores.events.event import Claimed, EventStore
from storage import sample

pytestmark = pytest.mark.anyio


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two worker slots, and a queue that prefetches all events after the first delivery."""
    monkeypatch.setattr(claims, "WORKER_SLOTS", 2)
    monkeypatch.setattr(claims, "PREFETCH_SECONDS", 1e6)


@asynccontextmanager
async def prefetching(
    context: Context, host: Host, waits: Sequence[str], **options: Any
) -> AsyncIterator[Dispatcher]:
    """A dispatcher that delivers two of these and has prefetched the others."""
    inbox = Inbox(context)
    for mark in ("good1", "good2", *waits):
        await keep(inbox, meeting(mark))
    async with dispatching(context, host, inbox=inbox, **options) as dispatcher:
        await host.until("good1", "good2", *waits[:2])
        while dispatcher._queues[False].prefetched < len(waits) - 2:  # noqa: ASYNC110 - No signal exists.
            await asyncio.sleep(0.01)
        yield dispatcher


async def test_many_events_share_a_claim(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog takes far fewer claims than there are events, and each is handed on once."""
    claims = 0
    claim = EventStore.claim

    async def counted(self: EventStore, **options: Any) -> Claimed:
        nonlocal claims
        claims += not options["urgent"]
        return await claim(self, **options)

    monkeypatch.setattr(EventStore, "claim", counted)
    inbox, host = Inbox(context), Host()
    marks = [str(number) for number in range(500)]
    await asyncio.gather(*(keep(inbox, meeting(mark)) for mark in marks))
    async with dispatching(context, host, inbox=inbox):
        await host.until(*marks)
    assert sorted(marks) == sorted(host.seen)
    assert claims <= 100
    assert {1} == {one.attempts for one in await kept(context, EventStatus.FORWARDED)}


async def test_with_more_events_than_worker_slots_other_replicas_are_called(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in a while, as a call makes transactions wait; and not for events that all begin."""
    calls = 0

    async def count(_store: Database) -> None:
        nonlocal calls
        calls += 1

    monkeypatch.setattr(Database, "announce", count)
    monkeypatch.setattr(dispatch, "CALL_SECONDS", 1e6)
    inbox, host = Inbox(context), Host()
    async with dispatching(context, host, inbox=inbox):
        await keep(inbox, meeting("alone"))
        await until_status(context, "alone", EventStatus.FORWARDED)
        assert 0 == calls
        marks = [str(number) for number in range(300)]
        await asyncio.gather(*(keep(inbox, meeting(mark)) for mark in marks))
        await host.until(*marks)
    assert 1 == calls


async def test_without_a_free_worker_slot_other_replicas_are_called(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For an event that arrives while every delivery of this process hangs."""
    called = asyncio.Event()

    async def call(_store: Database) -> None:
        called.set()

    monkeypatch.setattr(Database, "announce", call)
    monkeypatch.setattr(dispatch, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(claims, "WORKER_SLOTS", 1)
    monkeypatch.setattr(claims, "SLOW_SECONDS", 1e6)
    inbox, host = Inbox(context), Host(hangs=hang)
    async with dispatching(context, host, inbox=inbox):
        for mark in ("hangs", "later"):
            await keep(inbox, meeting(mark))
            async with asyncio.timeout(60):
                await called.wait()
            called.clear()
    assert ["hangs"] == host.seen


@pytest.mark.usefixtures("ahead")
async def test_a_stop_gives_back_what_has_not_begun(context: Context) -> None:
    """Claimed ahead and not begun: due at once for anybody, its attempt not counted."""
    gate = asyncio.Event()
    waits = [f"waits{number}" for number in range(30)]
    host = Host(**dict.fromkeys(waits, gate.wait))
    async with prefetching(context, host, waits):
        pass
    assert 4 == len(host.seen)
    rows = [await one_with(context, mark) for mark in waits]
    assert {(EventStatus.RECEIVED, 0)} == {(one.status, one.attempts) for one in rows}
    assert all(one.next_attempt_at <= time.time() for one in rows)


@pytest.mark.usefixtures("ahead")
async def test_a_removal_counts_for_what_was_claimed_before_it(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Purged while in hand: the host is not handed it, and the row stays as the purge left it."""
    # Without a service there are no wake-ups.
    monkeypatch.setattr("paraph.events.dispatch.POLL_SECONDS", 0.05)
    gate = asyncio.Event()
    await install(context, "2", account_id="another-account")
    waits = [f"waits{number}" for number in range(10)]
    host = Host(**dict.fromkeys(waits, gate.wait))
    async with prefetching(context, host, waits) as dispatcher:
        await keep(Inbox(context), meeting("other", account_id="another-account"))
        async with context.store.transaction() as tx:
            await tx.grants.delete(sample.grant("1").grant_id)
        gate.set()
        await host.until("other")
        while dispatcher.under_way:  # noqa: ASYNC110 - No signal exists.
            await asyncio.sleep(0.01)
    assert {"good1", "good2", *waits[:2], "other"} == set(host.seen)
    async with context.store.reading() as tx:
        rows = [one for one in await tx.events.page(limit=100) if one.account_id == sample.ACCOUNT]
    assert {EventStatus.FORWARDED} == {one.status for one in rows}
    assert len(waits[2:]) == sum(one.failure == "purged" for one in rows)
    async with context.store.reading() as tx:
        read = [await tx.events.get(one.event_id) for one in rows]
    assert {None} == {one and one.body for one in read}


@pytest.mark.usefixtures("ahead")
async def test_a_removed_installation_is_not_named(context: Context) -> None:
    """An installation that was removed after the claim is not among the event's installations."""
    gate = asyncio.Event()
    await install(context, "2", user_id="user-2")
    waits = [f"waits{number}" for number in range(3)]
    host = Host(waits0=gate.wait, waits1=gate.wait)
    async with prefetching(replace(context, level="account"), host, waits):
        async with context.store.transaction() as tx:
            await tx.grants.delete(sample.grant("1").grant_id)
        gate.set()
        await host.until("waits2")
    assert ["link-1", "link-2"] == [one.link_id for one in host.concerned["waits0"]]
    assert ["link-2"] == [one.link_id for one in host.concerned["waits2"]]


@pytest.mark.usefixtures("ahead")
async def test_what_is_held_too_long_goes_back_in_time(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow host holds nobody's lease: what found no place is given back, and comes again."""
    monkeypatch.setattr(claims, "HOLD_SECONDS", 0.2)
    monkeypatch.setattr("paraph.events.dispatch.POLL_SECONDS", 0.05)
    gate = asyncio.Event()
    waits = [f"waits{number}" for number in range(6)]
    host = Host(**dict.fromkeys(waits, gate.wait))
    async with prefetching(context, host, waits):
        # Given back undone while the two that are under way still are.
        while (await one_with(context, waits[5])).attempts:  # noqa: ASYNC110 - No signal exists.
            await asyncio.sleep(0.01)
        assert set(waits[:2]) <= set(host.seen)
        gate.set()
        for mark in waits:
            await until_status(context, mark, EventStatus.FORWARDED)
    assert sorted(["good1", "good2", *waits]) == sorted(host.seen)
    assert {1} == {one.attempts for one in await kept(context)}


@pytest.mark.usefixtures("ahead")
async def test_a_lease_is_longer_than_hold_and_attempt(context: Context) -> None:
    """Nobody else finds an event due before its hold, its whole attempt and a margin are over."""
    gate = asyncio.Event()
    waits = [f"waits{number}" for number in range(8)]
    host = Host(**dict.fromkeys(waits, gate.wait))
    before = int(time.time())
    async with prefetching(context, host, waits, timeout=20.0):
        rows = [await one_with(context, mark) for mark in waits]
        latest = before + claims.HOLD_SECONDS + 20 + claims.LEASE_MARGIN
        assert all(one.next_attempt_at >= latest for one in rows)
        assert {1} == {one.attempts for one in rows}
        gate.set()


async def test_a_claim_that_failed_is_tried_again_soon(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that has just arrived is among no due times: nothing else would wake its claim."""
    claim, failures = EventStore.claim, [StorageError("another block was in the way")]

    async def once(self: EventStore, **options: Any) -> Claimed:
        if failures and not options["urgent"]:
            raise failures.pop()
        return await claim(self, **options)

    monkeypatch.setattr(EventStore, "claim", once)
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.01)
    inbox, host = Inbox(context), Host()
    await keep(inbox, meeting("good"))
    async with dispatching(context, host, inbox=inbox):
        async with asyncio.timeout(60):
            await host.until("good")
    assert not failures
