"""Notices of one installation are delivered in order, whatever fails, on every database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import pytest

from events.dispatch_kit import dispatching
from events.inbox_kit import keep, meeting, open_context
from lifecycle.test_outbox import installation, tell
from paraph.errors import TransportError, UsageError
from paraph.events import dispatch
from paraph.events.inbox import Inbox
from paraph.events.recipients import Recipients
from paraph.events.redelivery import redeliver
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import STALE_SECONDS
from paraph.model.event import EventStatus, KeptEvent

pytestmark = pytest.mark.anyio

FAR = 2**40


@pytest.fixture
async def context(database_url: str) -> AsyncIterator[Context]:
    """A context with one installation, `link-1` of `user-1`."""
    async with open_context(database_url) as opened:
        yield opened


class Listener:
    """A host that notes what it hears, and refuses the first deliveries of some sequences."""

    def __init__(self, **refusals: int) -> None:
        self.refusals = {int(key.lstrip("n")): times for key, times in refusals.items()}
        self.tried: list[int] = []
        self.heard: list[int] = []
        self._changed = asyncio.Event()

    async def forward(self, event: KeptEvent, recipients: Recipients) -> None:
        """Note the sequence; refuse it as often as was asked for."""
        del recipients
        sequence = json.loads(event.body or b"{}")["installation"]["sequence"]
        self.tried.append(sequence)
        self._changed.set()
        if self.refusals.get(sequence, 0) > 0:
            self.refusals[sequence] -= 1
            raise TransportError("the host did not answer: ConnectError")
        self.heard.append(sequence)

    async def until_tried(self, count: int) -> None:
        """Wait until so many attempts were made."""
        while len(self.tried) < count:
            self._changed.clear()
            await self._changed.wait()


async def claim(context: Context, *, at: int = FAR) -> list[KeptEvent]:
    """Everything that is due."""
    async with context.store.transaction() as tx:
        return list((await tx.events.claim(now=at, until=at + 42, limit=100, urgent=False)).events)


def marks(events: Sequence[KeptEvent]) -> list[tuple[str, int]]:
    """Installation and sequence of each, in the order of the installations."""
    about = [json.loads(one.body or b"{}")["installation"] for one in events]
    return sorted((one["id"], one["sequence"]) for one in about)


async def waiting(context: Context) -> list[KeptEvent]:
    """The notices that wait, as rows."""
    async with context.store.reading() as tx:
        return list(await tx.events.page(status=EventStatus.RECEIVED, limit=100))


async def test_one_notice_of_an_installation_is_given_out_at_a_time(context: Context) -> None:
    """The next one is due when the one before is delivered; other installations do not wait."""
    for kind in ("activated", "needs_reauthorization", "activated"):
        await tell(context, kind)
    await tell(context, "activated", installation("2"))
    first = await claim(context)
    assert [("link-1", 1), ("link-2", 1)] == marks(first)
    assert [] == await claim(context, at=FAR - 1)
    async with context.store.transaction() as tx:
        await tx.events.mark_forwarded(first, now=1)
    assert [("link-1", 2)] == marks(await claim(context))


async def test_one_that_is_to_be_tried_again_is_not_overtaken(context: Context) -> None:
    """A later notice waits as long as an earlier one may still be delivered."""
    for kind in ("activated", "removed"):
        await tell(context, kind)
    (first,) = await claim(context)
    async with context.store.transaction() as tx:
        await tx.events.postpone(first, next_attempt_at=FAR + 3600, failure="transport")
    assert [] == await claim(context, at=FAR + 3599)
    (again,) = await claim(context, at=FAR + 3600)
    assert first.event_id == again.event_id


async def test_a_dead_letter_lets_the_next_one_pass(context: Context) -> None:
    """What was given up is not waited for: the gap in `sequence` tells the host."""
    for kind in ("activated", "removed"):
        await tell(context, kind)
    (first,) = await claim(context)
    async with context.store.transaction() as tx:
        await tx.events.give_up(first, failure="transport")
    assert [("link-1", 2)] == marks(await claim(context))


async def test_a_subject_that_moves_hears_of_the_end_first(context: Context) -> None:
    """The old Zoom user's removal comes before the new one's activation of the same subject."""
    await tell(context, "removed", installation("1", subject="alice"))
    await tell(context, "activated", installation("2", subject="alice"))
    (first,) = await claim(context)
    assert [("link-1", 1)] == marks([first])
    async with context.store.transaction() as tx:
        await tx.events.mark_forwarded([first], now=1)
    assert [("link-2", 1)] == marks(await claim(context))


async def test_a_re_install_waits_for_the_removal(context: Context) -> None:
    """The same Zoom user under a new installation id: one after the other."""
    await tell(context, "removed")
    await tell(context, "activated", installation(link="link-again", subject="other"))
    assert [("link-1", 1)] == marks(await claim(context))


async def test_events_of_zooms_do_not_wait_for_notices(context: Context) -> None:
    """An event of the same user is given out while its notices wait."""
    await tell(context, "activated")
    await tell(context, "removed")
    await keep(Inbox(context), meeting("1"))
    assert ["installation.activated", "meeting.ended"] == sorted(
        one.name for one in await claim(context)
    )


async def test_replicas_together_keep_the_order(database_url: str) -> None:
    """Two dispatchers on one database: each notice once, and none before the one before it."""
    async with AsyncExitStack() as stack:
        contexts = [
            await stack.enter_async_context(open_context(database_url, installed=not number))
            for number in range(2)
        ]
        host = Listener()
        for _ in range(8):
            await tell(contexts[0], "activated")
            await tell(contexts[0], "activated", installation("2"))
        for context in contexts:
            await stack.enter_async_context(dispatching(context, host))  # type: ignore[arg-type]
        await host.until_tried(16)
    assert sorted(2 * [*range(1, 9)]) == sorted(host.heard)
    # Of two users, so each number is heard twice, and never a larger one twice before a smaller.
    assert all(host.heard[: 2 * number - 1].count(number + 1) < 2 for number in range(1, 9))


async def test_retries_keep_the_order(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that refuses the first notice three times hears the second one after it."""
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 0.02)
    now = [1_800_000_000.0]

    def clock() -> float:
        # Every look at the clock is a quarter of an hour later: what is postponed is due.
        now[0] += 900
        return now[0]

    async with open_context(database_url, clock=clock) as context:
        for kind in ("activated", "moved", "removed"):
            await tell(context, kind)
        host = Listener(n1=3, n2=2)
        async with dispatching(context, host):  # type: ignore[arg-type]
            while 3 not in host.heard:
                await host.until_tried(len(host.tried) + 1)
    # Leases run out on this clock as well: a delivery may come twice, and never too early.
    assert sorted(host.tried) == host.tried
    assert [1, 2, 3] == sorted(set(host.heard))
    assert (4, 3) <= (host.tried.count(1), host.tried.count(2))


async def test_a_stale_demand_is_dropped(context: Context) -> None:
    """Only the latest notice is true of whether somebody has to agree again."""
    for kind in ("needs_reauthorization", "activated", "needs_reauthorization"):
        await tell(context, kind)
    host = Listener()
    async with dispatching(context, host) as dispatcher:  # type: ignore[arg-type]
        await host.until_tried(2)
    assert [2, 3] == host.tried
    assert 1 == dispatcher.outcomes["stale"]
    async with context.store.reading() as tx:
        rows = sorted(await tx.events.page(limit=10), key=lambda one: one.arrival)
    assert "stale: a later notice followed" == rows[0].failure
    assert EventStatus.FORWARDED is rows[0].status


async def test_nothing_else_is_ever_dropped(context: Context) -> None:
    """A removal is delivered although the installation came back: the host has to delete."""
    for kind in ("activated", "removed", "activated", "moved", "activated", "removed"):
        await tell(context, kind)
    host = Listener()
    async with dispatching(context, host):  # type: ignore[arg-type]
        await host.until_tried(6)
    assert [1, 2, 3, 4, 5, 6] == host.heard


async def test_a_stale_demand_that_failed_does_not_hold_up_the_others(context: Context) -> None:
    """What is to be dropped anyway is not waited for until its next attempt."""
    await tell(context, "needs_reauthorization")
    (first,) = await claim(context)
    async with context.store.transaction() as tx:
        await tx.events.postpone(first, next_attempt_at=FAR, failure="transport")
    await tell(context, "activated")
    (old,) = [one for one in await waiting(context) if one.event_id == first.event_id]
    assert old.next_attempt_at <= context.now() + STALE_SECONDS


async def test_a_redelivered_notice_keeps_its_place(context: Context) -> None:
    """An operator's redelivery has the old sequence, and goes before what still waits."""
    for kind in ("activated", "removed"):
        await tell(context, kind)
    (first,) = await claim(context)
    async with context.store.transaction() as tx:
        await tx.events.give_up(first, failure="transport")
    await redeliver(context, first.event_id)
    assert [("link-1", 1)] == marks(await claim(context))


async def test_a_stale_demand_is_not_redelivered(context: Context) -> None:
    """The operator is told that a later notice made it untrue."""
    await tell(context, "needs_reauthorization")
    (first,) = await claim(context)
    async with context.store.transaction() as tx:
        await tx.events.give_up(first, failure="transport")
    await redeliver(context, first.event_id)
    await tell(context, "removed")
    with pytest.raises(UsageError, match="a later notice made it untrue"):
        await redeliver(context, first.event_id)


async def test_slow_events_of_a_notices_name_do_not_hold_up_notices(context: Context) -> None:
    """An event signed under the name of a notice is another kind of event."""
    await tell(context, "removed")
    await keep(Inbox(context), meeting("1") | {"event": "installation.removed"})
    async with context.store.transaction() as tx:
        claimed = (
            await tx.events.claim(
                now=FAR, until=FAR, limit=9, urgent=False, without=["installation.removed"]
            )
        ).events
    assert [True] == [one.notice for one in claimed]
