"""Background work is woken when it is due, and at no other time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from paraph.events.retention import Retention
from paraph.lifecycle.context import Context
from paraph.operations import wake_ups as wake_ups_module
from paraph.operations.replica import (
    ANSWER_SECONDS,
    BEAT_SECONDS,
    LIVE_SECONDS,
    REST_SECONDS,
    Presence,
    ask_replicas,
)
from paraph.operations.wake_ups import POLL_SECONDS, TICK_SECONDS, WakeUps, after, earliest
from paraph.service.context import open_context
from paraph.storage.hot_reads.due_times import DueTimes
from service_kit import give_back, settings_for, simulated_zoom
from storage import sample

pytestmark = pytest.mark.anyio

NOTHING = DueTimes(*[None] * len(DueTimes._fields))


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    """A context whose clock stands at 10,000."""
    zoom = simulated_zoom()
    async with open_context(settings_for(zoom, tmp_path), clock=lambda: 10_000.0) as (opened, _):
        yield opened
    give_back(zoom)


async def test_work_is_woken_at_its_time(context: Context) -> None:
    """Not before it is due, and each second from then on."""
    now = [10_000.0]
    wake_ups = WakeUps(replace(context, clock=lambda: now[0]), "r")
    signal = wake_ups.wake(asyncio.Event(), lambda times: times.other_event)
    async with context.store.transaction() as tx:
        await tx.events.add(sample.event(next_attempt_at=10_005))
    await wake_ups.look()
    assert not signal.is_set()

    now[0] = 10_005.0
    for _ in range(2):
        await wake_ups.look()
        assert signal.is_set()
        signal.clear()


async def test_any_failure_wakes_all_work_and_is_logged_once(
    context: Context, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this task no work would be done: an unexpected error does not end it."""

    async def fail() -> object:
        raise RuntimeError("of the driver")

    monkeypatch.setattr(wake_ups_module, "TICK_SECONDS", 0)
    monkeypatch.setattr(type(context.store), "read_version", lambda _store: fail())
    wake_ups = WakeUps(context, "r")
    signal = wake_ups.wake(asyncio.Event(), lambda times: times.revocation)
    task = asyncio.create_task(wake_ups.run())
    for _ in range(2):
        await signal.wait()
        signal.clear()
    task.cancel()
    assert 1 == log.getvalue().count("wake_ups.interrupted")
    assert "RuntimeError" in log.getvalue()


async def test_what_was_committed_since_is_seen(context: Context) -> None:
    """A commit of any process or command is noticed at the next look."""
    wake_ups = WakeUps(context, "r")
    signal = wake_ups.wake(asyncio.Event(), lambda times: times.revocation)
    await wake_ups.look()
    assert not signal.is_set()

    async with context.store.transaction() as tx:
        await tx.revocations.add(sample.revocation())
    await wake_ups.look()
    assert signal.is_set()


async def test_a_write_of_this_process_is_heard_at_once(context: Context) -> None:
    """Without waiting for the next second; a write that adds no work is not heard."""
    wake_ups = WakeUps(context, "r")
    heard = asyncio.Event()
    context.store.listen(heard.set)
    async with context.store.transaction(adds_work=False) as tx:
        await tx.revocations.add(sample.revocation())
    assert not heard.is_set()

    signal = wake_ups.wake(asyncio.Event(), lambda times: times.ownerless)
    task = asyncio.create_task(wake_ups.run())
    async with context.store.transaction() as tx:
        await tx.ownerless.add(sample.ownerless(next_attempt_at=9_000))
    async with asyncio.timeout(30):
        await signal.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_where_commits_are_heard_nothing_is_asked_until_work_is_due(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the latest after POLL_SECONDS, because a notification may be lost."""
    monkeypatch.setattr(type(context.store), "hears_others", True)
    at: list[int | None] = [None]
    wake_ups = WakeUps(context, "r")
    wake_ups.wake(asyncio.Event(), lambda _times: at[0])
    assert TICK_SECONDS == wake_ups.seconds_to_next()

    await wake_ups.look()
    assert POLL_SECONDS == wake_ups.seconds_to_next()
    for due, seconds in ((10_005, 5.0), (99_999, POLL_SECONDS), (10_000, TICK_SECONDS)):
        at[0] = due
        assert seconds == wake_ups.seconds_to_next()


async def test_a_lost_notification_delays_work_and_loses_none(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The due times are read again without any sign of a commit."""
    monkeypatch.setattr(type(context.store), "hears_others", True)
    wake_ups = WakeUps(context, "r")
    signal = wake_ups.wake(asyncio.Event(), lambda times: times.revocation)
    await wake_ups.look()
    async with context.store.transaction() as tx:
        await tx.revocations.add(sample.revocation())
    await wake_ups.look()
    assert not signal.is_set()

    monkeypatch.setattr(wake_ups_module, "POLL_SECONDS", 0.0)
    await wake_ups.look()
    assert signal.is_set()


async def test_work_that_was_due_is_read_again(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another service may have done it: it is not woken for ever."""
    monkeypatch.setattr(type(context.store), "hears_others", True)
    async with context.store.transaction() as tx:
        await tx.revocations.add(sample.revocation())
    wake_ups = WakeUps(context, "r")
    signal = wake_ups.wake(asyncio.Event(), lambda times: times.revocation)
    await wake_ups.look()
    assert signal.is_set()
    signal.clear()
    async with context.store.transaction() as tx:
        await tx.revocations.delete(sample.revocation().revocation_id)
    await wake_ups.look()
    assert not signal.is_set()


def test_a_replica_that_is_asked_has_time_to_answer_without_a_notification() -> None:
    """Else a live replica would count as stopped, and a key that it needs could be removed."""
    assert ANSWER_SECONDS > 2 * (POLL_SECONDS + BEAT_SECONDS)
    assert LIVE_SECONDS > REST_SECONDS + ANSWER_SECONDS


async def test_after_a_failure_all_work_is_woken(context: Context) -> None:
    """Each job then finds out for itself, logs the failure, and goes on when it is over."""
    wake_ups = WakeUps(context, "r")
    signal = wake_ups.wake(asyncio.Event(), lambda _times: None)
    await context.store.close()
    task = asyncio.create_task(wake_ups.run())
    await signal.wait()
    task.cancel()


async def test_a_replica_reports_when_it_is_asked_and_otherwise_rarely(context: Context) -> None:
    """A report is a write; one that was asked for is due at once."""
    presence = Presence(context, "here:1")
    await presence.beat()
    times = await context.store.read_due_times(presence.replica_id)
    assert 10_000 + REST_SECONDS == presence.due(times)

    await ask_replicas(context)
    times = await context.store.read_due_times(presence.replica_id)
    assert 0 == presence.due(times)

    await presence.beat()
    times = await context.store.read_due_times(presence.replica_id)
    assert 10_000 + REST_SECONDS == presence.due(times)
    assert 0 == presence.due(times._replace(sealing_key="another"))
    assert 0 == presence.due(times._replace(seen_at=None))


def test_events_are_deleted_at_the_first_of_three_times() -> None:
    """That of a forwarded body, of a dead letter's body, or of a row."""
    retention = Retention(body=10, row=100, dead_body=50)

    assert None is retention.due(NOTHING)
    assert 15 == retention.due(NOTHING._replace(forwarded_at=5, received_at=1))
    assert 101 == retention.due(NOTHING._replace(dead_since=60, received_at=1))


def test_times_that_are_missing_are_left_out() -> None:
    """None is not a time."""
    assert None is earliest(None, None)
    assert 3 == earliest(None, 5, 3)
    assert (None, 7) == (after(None, 2), after(5, 2))
