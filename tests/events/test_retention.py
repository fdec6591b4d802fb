"""Nothing is kept longer than the settings say, however much of it comes."""

from __future__ import annotations

from typing import Any

import pytest

from events.inbox_kit import delivery_of, meeting, open_context
from paraph.events.inbox import Inbox
from paraph.events.retention import (
    AGAIN_SECONDS,
    AT_ONCE,
    ROW_MARGIN_SECONDS,
    Retention,
    delete_expired_events,
)
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus, Outcome
from paraph.zoom.webhook_verification import Freshness

pytestmark = pytest.mark.anyio

DAY = 86400
RETENTION = Retention(body=7 * DAY, row=8 * DAY, dead_body=30 * DAY)


async def _left(context: Context) -> tuple[int, int]:
    """How many rows there are, and how many of them have a body."""
    async with context.store.reading() as tx:
        found = await tx.events.page(limit=10_000)
        bodies = [await tx.events.get(one.event_id) for one in found]
    return len(found), sum(one is not None and one.body is not None for one in bodies)


async def _keep(context: Context, *marks: str, wanted: bool = False) -> list[Outcome]:
    inbox = Inbox(context, wanted=wanted)
    return [await inbox.keep(*delivery_of(meeting(mark))) for mark in marks]


async def test_bodies_go_before_their_rows(database_url: str) -> None:
    """A body after its retention; the row, by which replays are known, later."""
    now = [1_800_000_000.0]
    async with open_context(database_url, clock=lambda: now[0]) as context:
        await _keep(context, "old")
        now[0] += 7 * DAY - 1
        await _keep(context, "new")
        assert not await delete_expired_events(context, RETENTION)
        assert (2, 2) == await _left(context)

        now[0] += 1
        assert not await delete_expired_events(context, RETENTION)
        assert (2, 1) == await _left(context)
        assert [Outcome.DUPLICATE] == await _keep(context, "old")

        now[0] += DAY
        await delete_expired_events(context, RETENTION)
        assert (1, 1) == await _left(context)


async def test_a_waiting_event_is_never_deleted(database_url: str) -> None:
    """However old it is: somebody has still to be told."""
    now = [1_800_000_000.0]
    async with open_context(database_url, clock=lambda: now[0]) as context:
        await _keep(context, "waiting", wanted=True)
        now[0] += 400 * DAY
        await delete_expired_events(context, RETENTION)
        async with context.store.reading() as tx:
            (one,) = await tx.events.page(limit=10)
        assert EventStatus.RECEIVED is one.status
        assert (1, 1) == await _left(context)


async def test_the_body_of_a_dead_letter_expires(database_url: str) -> None:
    """A dead letter loses its body when its own retention is over, and its row follows."""
    now = [1_800_000_000.0]
    async with open_context(database_url, clock=lambda: now[0]) as context:
        await _keep(context, "1", wanted=True)
        # It fails for the last time ten days after it came.
        now[0] += 10 * DAY
        async with context.store.transaction() as tx:
            at = int(now[0])
            (one,) = (await tx.events.claim(now=at, until=at + 40, limit=1, urgent=False)).events
            await tx.events.give_up(one, failure="refused")
        now[0] += 30 * DAY
        await delete_expired_events(context, RETENTION)
        assert (1, 1) == await _left(context)
        async with context.store.reading() as tx:
            assert 1 == (await tx.events.backlog()).dead
        now[0] += 40
        # Body and row in one run: no replay of it can be fresh any more.
        await delete_expired_events(context, RETENTION)
        assert (0, 0) == await _left(context)


@pytest.mark.slow_on_postgresql
async def test_a_row_that_stays_wakes_nothing_each_second(database_url: str) -> None:
    """An old event that waits is the oldest row, and cannot be deleted: look again later."""
    now = [1_800_000_000.0]
    async with open_context(database_url, clock=lambda: now[0]) as context:
        await _keep(context, "waiting", wanted=True)
        now[0] += 9 * DAY
        times = await context.store.read_due_times("")
        due = RETENTION.due(times)
        assert due is not None
        assert due <= now[0]

        assert not await delete_expired_events(context, RETENTION)

        times = await context.store.read_due_times("")
        assert now[0] + AGAIN_SECONDS == RETENTION.due(times, looked_at=context.now())


async def test_many_events_are_deleted_in_batches(database_url: str) -> None:
    """A batch says that there is more, and the last one that there is not."""
    now = [1_800_000_000.0]
    count = AT_ONCE + 200
    async with open_context(database_url, clock=lambda: now[0]) as context:
        inbox = Inbox(context, wanted=False)
        events: list[Any] = [delivery_of(meeting(str(number))) for number in range(count)]
        for delivery, event in events:
            await inbox.keep(delivery, event)
        now[0] += 8 * DAY
        assert await delete_expired_events(context, RETENTION)
        rounds = 1
        while await delete_expired_events(context, RETENTION):
            rounds += 1
        assert (0, 0) == await _left(context)
        assert rounds <= 3


def test_a_row_outlives_every_fresh_delivery() -> None:
    """A short retention of bodies does not shorten the memory of replays."""
    freshness = Freshness(past=7200, future=300)
    for seconds, row in ((60, 7500 + ROW_MARGIN_SECONDS), (9 * DAY, 9 * DAY)):
        made = Retention.of(seconds, freshness, dead_letter_retention=DAY)
        assert Retention(seconds, row, DAY) == made
