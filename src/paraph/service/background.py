"""The background work of a service: each task waits until its work is due.

`WakeUps` tells every task when there is something to do. A task runs once at start, then whenever
it is woken, with a pause after each run. So a failure that lasts is tried again at the same pace.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from paraph.errors import ParaphError
from paraph.events.retention import Retention, delete_expired_events
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.audit import HeadExport
from paraph.lifecycle.context import Context
from paraph.lifecycle.link import expire_pending
from paraph.lifecycle.link_request import FINISH_SECONDS
from paraph.lifecycle.shared_clock import SharedClock
from paraph.logs import get_logger
from paraph.operations.data_keys import add_data_keys, destroy_unowned_data_keys
from paraph.operations.housekeeping import (
    delete_expired,
    keep_alive,
    run_due_jobs,
)
from paraph.operations.receipt_export import ReceiptExport
from paraph.operations.replica import BEAT_SECONDS, Presence
from paraph.operations.restore import has_suspended, prove_suspended
from paraph.operations.wake_ups import WakeUps, after, earliest
from paraph.service.context import freshness_of
from paraph.settings.model import Settings
from paraph.storage.hot_reads.due_times import DueTimes

DUE_JOBS_SECONDS = 2.0
# Only frees space. Each run is a write, and access tokens wait for it.
RETENTION_SECONDS = 15.0
# A pause between batches lets others write: a replica deletes ten thousand events a second.
RETENTION_BUSY_SECONDS = 0.05
KEEP_ALIVE_SECONDS = 600.0
KEEP_ALIVE_BUSY_SECONDS = 5.0
CLOCK_SECONDS = 3.0

_log = get_logger("service")

Job = Callable[[], Awaitable[None]]


@asynccontextmanager
async def background_work(
    settings: Settings,
    context: Context,
    refresher: Refresher,
    export: ReceiptExport | None,
    shared_clock: SharedClock,
) -> AsyncIterator[WakeUps]:
    """Do the background work until the block ends.

    Args:
        settings: checked settings.
        context: the open context.
        refresher: proves and keeps grants.
        export: copies removal receipts; None if no folder is set for them.
        shared_clock: is compared with the database's clock.

    Yields:
        The wake-ups, for further work that may become due.
    """
    presence = Presence(context, f"{socket.gethostname()}:{os.getpid()}")
    # Before the first request: no key may be rotated while this replica is unknown.
    await asyncio.create_task(presence.beat(), name="presence")
    wake_ups = WakeUps(context, presence.replica_id)
    jobs = {
        "due jobs": _due_jobs(context, export, wake_ups),
        "retention": _delete_expired(context, wake_ups),
        "event retention": _delete_events(settings, context, wake_ups),
        "keep alive": _keep_alive(context, refresher),
        "prove": _prove(context, refresher),
        "data keys": _add_data_keys(context, wake_ups),
        "presence": _be_present(presence, wake_ups),
        "clock": _compare_clocks(context, shared_clock),
        "pending links": _expire_links(context, wake_ups),
        "wake-ups": wake_ups.run(),
    }
    work = [asyncio.create_task(job, name=name) for name, job in jobs.items()]
    try:
        yield wake_ups
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await refresher.close()
        with suppress(ParaphError):
            await presence.end()


async def _whenever(signal: asyncio.Event, job: Job, *, pause: float) -> None:
    while True:
        signal.clear()
        await _outlived(job)
        await asyncio.sleep(pause)
        await signal.wait()


async def _due_jobs(context: Context, export: ReceiptExport | None, wake_ups: WakeUps) -> None:
    heads = HeadExport(context.store)

    def due(times: DueTimes) -> int | None:
        return earliest(
            times.revocation,
            times.ownerless,
            0 if heads.is_behind(times.audit_head) else None,
            None if export is None else export.due(times),
        )

    async def run() -> None:
        await _outlived(partial(run_due_jobs, context))
        await _outlived(heads.export)
        if export is not None:
            await _outlived(export.export)

    signal = wake_ups.wake(asyncio.Event(), due)
    try:
        await _whenever(signal, run, pause=DUE_JOBS_SECONDS)
    finally:
        with suppress(ParaphError):
            await heads.export()
            if export is not None:
                await export.export(closing=True)


async def _delete_expired(context: Context, wake_ups: WakeUps) -> None:
    signal = wake_ups.wake(
        asyncio.Event(),
        lambda times: earliest(after(times.request, FINISH_SECONDS), times.state, times.answer),
    )
    await _whenever(signal, partial(delete_expired, context), pause=RETENTION_SECONDS)


async def _expire_links(context: Context, wake_ups: WakeUps) -> None:
    async def expire() -> None:
        await expire_pending(context)

    signal = wake_ups.wake(asyncio.Event(), lambda times: times.link)
    await _whenever(signal, expire, pause=RETENTION_SECONDS)


async def _delete_events(settings: Settings, context: Context, wake_ups: WakeUps) -> None:
    retention = Retention.of(
        settings.event_retention,
        freshness_of(settings),
        dead_letter_retention=settings.dead_letter_retention,
    )
    more, looked_at = False, 0

    async def delete_some() -> None:
        nonlocal more, looked_at
        now = context.now()
        more = await delete_expired_events(context, retention)
        if not more:
            looked_at = now

    async def delete_all() -> None:
        nonlocal more
        await _outlived(delete_some)
        while more:
            more = False
            await asyncio.sleep(RETENTION_BUSY_SECONDS)
            await _outlived(delete_some)

    signal = wake_ups.wake(asyncio.Event(), lambda times: retention.due(times, looked_at=looked_at))
    await _whenever(signal, delete_all, pause=RETENTION_SECONDS)


async def _keep_alive(context: Context, refresher: Refresher) -> None:
    while True:
        try:
            due = await keep_alive(context, refresher)
        except ParaphError as error:
            _log.warning("keep_alive.interrupted", error_code=error.code, why=error.detail)
            due = 0
        # Many may have become idle on one day: they are processed batch by batch.
        await asyncio.sleep(KEEP_ALIVE_BUSY_SECONDS if due else KEEP_ALIVE_SECONDS)


async def _prove(context: Context, refresher: Refresher) -> None:
    """Check every grant of a restored backup against Zoom, one by one.

    A restore refuses to run beside a service, so without a suspended grant at start there is
    nothing to do.
    """
    remaining = True

    async def prove() -> None:
        nonlocal remaining
        await prove_suspended(context, refresher)
        remaining = await has_suspended(context)

    while remaining:
        await _outlived(prove)
        await asyncio.sleep(DUE_JOBS_SECONDS)


async def _add_data_keys(context: Context, wake_ups: WakeUps) -> None:
    """Give every grant its data keys.

    Consents bring their own, but not at replicas of version 0.1. They may run until `paraph
    migrate`, so after it all grants are looked through once more.
    """
    is_over = False

    def due(_times: DueTimes) -> int | None:
        return 0 if context.store.uses_data_keys and not is_over else None

    signal = wake_ups.wake(asyncio.Event(), due)
    while not is_over:
        signal.clear()
        # Asked before: it may change meanwhile.
        will_be_over = context.store.uses_data_keys
        await _add_every_data_key(context)
        is_over = will_be_over
        while not (is_over or context.store.uses_data_keys):
            await signal.wait()
            signal.clear()


async def _add_every_data_key(context: Context) -> None:
    """Add those that lack, batch by batch."""
    pause: float | None = DUE_JOBS_SECONDS

    async def add() -> None:
        nonlocal pause
        await destroy_unowned_data_keys(context)
        pause = RETENTION_BUSY_SECONDS if await add_data_keys(context) else None

    while pause is not None:
        pause = DUE_JOBS_SECONDS
        await _outlived(add)
        if pause is not None:
            await asyncio.sleep(pause)


async def _be_present(presence: Presence, wake_ups: WakeUps) -> None:
    signal = wake_ups.wake(asyncio.Event(), presence.due)
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        await signal.wait()
        signal.clear()
        try:
            await presence.beat()
        except ParaphError as error:
            _log.warning("presence.interrupted", error_code=error.code, why=error.detail)
        except Exception as error:  # noqa: BLE001 - A replica that is not known may lose its key.
            _log.error("presence.failed", why=type(error).__name__)


async def _compare_clocks(context: Context, shared_clock: SharedClock) -> None:
    if context.store.has_own_clock:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            await shared_clock.compare(context.store)


async def _outlived(job: Callable[[], Awaitable[object]]) -> None:
    """Run one job; its failure stops neither the next job nor the service."""
    try:
        await job()
    except ParaphError as error:
        _log.warning("due_jobs.interrupted", error_code=error.code, why=error.detail)
    except Exception as error:  # noqa: BLE001 - Housekeeping must outlive a bad row.
        _log.error("due_jobs.failed", why=type(error).__name__)
