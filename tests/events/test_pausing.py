"""The pause of forwarding: it holds on every replica and over restarts, and loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from events.dispatch_kit import Host, dispatching, until_status
from events.inbox_kit import keep, kept, meeting, open_context, removal
from paraph.events.inbox import Inbox
from paraph.events.pausing import pause_forwarding, read_pause, resume_forwarding
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus, KeptEvent
from paraph.storage.stores.events.event import Claimed, EventStore
from service_kit import running

pytestmark = pytest.mark.anyio


async def _claim(context: Context, *, urgent: bool) -> list[KeptEvent]:
    async with context.store.transaction() as tx:
        return list((await tx.events.claim(now=2**40, until=2**40, limit=9, urgent=urgent)).events)


async def test_it_holds_on_every_replica_and_over_restarts(
    context: Context, database_url: str
) -> None:
    """Another process claims nothing, and one that starts later neither."""
    async with open_context(database_url, installed=False) as other:
        assert await pause_forwarding(context, operator="key-1")
        await keep(Inbox(context), meeting())
        assert [] == await _claim(other, urgent=False)
    async with open_context(database_url, installed=False) as restarted:
        pause = await read_pause(restarted.store)
        assert pause is not None
        assert "key-1" == pause.paused_by
        assert [] == await _claim(restarted, urgent=False)
        assert await resume_forwarding(restarted)
    assert 1 == len(await _claim(context, urgent=False))


async def test_deauthorizations_are_not_paused(context: Context) -> None:
    """Paraph carries them out itself: a removal counts at once."""
    await pause_forwarding(context)
    await keep(Inbox(context), removal())
    assert 1 == len(await _claim(context, urgent=True))


async def test_nothing_is_lost(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """All events of the pause are forwarded after it, without an attempt in between."""
    claimed_nothing = asyncio.Event()
    claim = EventStore.claim

    async def noted(self: EventStore, **options: Any) -> Claimed:
        found = await claim(self, **options)
        if not options["urgent"]:
            claimed_nothing.set()
        return found

    monkeypatch.setattr(EventStore, "claim", noted)
    await pause_forwarding(context)
    inbox, host, marks = Inbox(context), Host(), ["1", "2", "3"]
    for mark in marks:
        await keep(inbox, meeting(mark))
    async with dispatching(context, host, inbox=inbox):
        await claimed_nothing.wait()
        assert [] == host.seen
        assert {(EventStatus.RECEIVED, 0)} == {
            (one.status, one.attempts) for one in await kept(context)
        }
        await resume_forwarding(context)
        inbox.arrived[False].set()
        await host.until(*marks)
        for mark in marks:
            await until_status(context, mark, EventStatus.FORWARDED)


async def test_without_a_host_they_wait_too(context: Context) -> None:
    """Events that no target wants are not marked as delivered during a pause."""
    await keep(Inbox(context), meeting())
    await pause_forwarding(context)
    async with context.store.transaction() as tx:
        assert 0 == await tx.events.mark_due_forwarded(now=2**40, limit=9)
    await resume_forwarding(context)
    async with context.store.transaction() as tx:
        assert 1 == await tx.events.mark_due_forwarded(now=2**40, limit=9)


async def test_a_pause_wakes_no_replica(context: Context) -> None:
    """Paused events are not due; deauthorizations are."""
    for content in (meeting(), removal()):
        await keep(Inbox(context), content)
    before = await context.store.read_due_times("no replica")
    await pause_forwarding(context)
    during = await context.store.read_due_times("no replica")
    await resume_forwarding(context)
    after = await context.store.read_due_times("no replica")
    assert before.other_event is not None
    assert (None, before.urgent_event) == (during.other_event, during.urgent_event)
    assert before.other_event == after.other_event


async def test_a_second_pause_changes_nothing(context: Context) -> None:
    """It keeps the time and the operator of the first one, and the audit has one entry of each."""
    assert await pause_forwarding(context, operator="key-1")
    first = await read_pause(context.store)
    assert not await pause_forwarding(context, operator="key-2")
    assert first == await read_pause(context.store)
    assert await resume_forwarding(context, operator="key-2")
    assert not await resume_forwarding(context)
    async with context.store.reading() as tx:
        entries = await tx.audit.page(after=0, limit=9)
    assert [
        ("forwarding.paused", {"operator": "key-1"}),
        ("forwarding.resumed", {"operator": "key-2"}),
    ] == [(one.action, one.details) for one in entries]


async def test_api_metrics_and_readiness_show_it(tmp_path: Path) -> None:
    """For an unlimited key that may read; a paused replica is ready."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        async with await kit.api("read") as api:
            assert {"paused": False, "paused_at": None, "paused_by": ""} == (
                await api.get("/v1/forwarding")
            ).json()
            paused = (await api.post("/v1/forwarding/pause")).json()
            assert (True, paused) == (paused["paused"], (await api.get("/v1/forwarding")).json())
            assert "paraph_forwarding_paused 1.0" in (await api.get("/metrics")).text
            ready = await browser.get("/readyz")
            assert (200, paused["paused_at"]) == (
                ready.status_code,
                ready.json()["forwarding_paused_since"],
            )
            assert not (await api.post("/v1/forwarding/resume")).json()["paused"]
            assert "paraph_forwarding_paused 0.0" in (await api.get("/metrics")).text
        for key in (await kit.api("link"), await kit.api("read", subject_prefix="tenant-")):
            async with key as api:
                assert 403 == (await api.post("/v1/forwarding/pause")).status_code
        assert await read_pause(kit.service.context.store) is None
