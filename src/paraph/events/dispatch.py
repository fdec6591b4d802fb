"""Delivers kept events to the host, at least once, until each is delivered or dead.

Deauthorizations have a claim queue of their own: no backlog and no slow host delays them, and
paraph never gives up on them. Every other event is retried with growing waits and then becomes a
dead letter, which blocks no other event.

A worker claims events for the length of a lease (see `event_store`). So any number of processes
share one database, and when a process dies another one claims its events. Each process delivers
a bounded number of events at once. A handler that hangs delays only its own kind of event: a slow
delivery gives up its worker slot, up to a limit for each event name. The module `road` decides when
to claim and how many.

The notices of one installation are delivered in order. The store gives out a notice only when no
earlier one waits, is being delivered, or is to be retried. A notice that a later one made untrue is
dropped instead of delivered (`outbox.is_stale`).

Just before each delivery the dispatcher asks the store for the event's recipients (`recipients`),
and whether this claim still holds. So a removal also applies to events claimed before it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from msgspec.structs import replace
from opentelemetry.trace import SpanKind

from paraph.errors import ParaphError
from paraph.events.claims import Road, Work
from paraph.events.inbox import Inbox, reopen_deauthorization
from paraph.events.outcomes import Settlements, Verdict
from paraph.events.recipients import Recipients, find_recipients
from paraph.events.tracing import is_measured, span
from paraph.lifecycle import deauthorization
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import is_stale
from paraph.logs import get_logger
from paraph.model.event import KeptEvent
from paraph.operations.housekeeping import wait_before
from paraph.storage.scope import NOTHING_READ

ATTEMPTS = 12
FIRST_WAIT = 5
POLL_SECONDS = 1.0
NOBODY_BATCH = 1000
GRACE_SECONDS = 10.0
# The longest failure text that is kept, in characters.
LONGEST_FAILURE = 500

_log = get_logger("dispatch")


class Target(Protocol):
    """A destination of events: the host's URL, or handlers in this process."""

    async def hand_on(self, event: KeptEvent, recipients: Recipients) -> None:
        """Deliver the event. Return when the destination has accepted it; raise otherwise."""


class Dispatcher:
    """Claims due events from the inbox and delivers them.

    Args:
        context: the store and the clock.
        inbox: its arrivals wake the dispatcher.
        refresher: decides unclear deauthorizations.
        targets: each event is delivered to all of them; empty when the host wants no events.
        monotonic: a clock for durations.
        timeout: seconds after which one attempt has failed.
        ordered: deliver the events of one Zoom account one after the other, in order of arrival.
    """

    def __init__(
        self,
        context: Context,
        inbox: Inbox,
        refresher: Refresher,
        targets: Sequence[Target],
        *,
        monotonic: Callable[[], float],
        timeout: float = 30.0,
        ordered: bool = False,
    ) -> None:
        self._context = context
        self._inbox = inbox
        self._refresher = refresher
        self._targets = tuple(targets)
        self._timeout = timeout
        self._ordered = ordered
        self._stopping = asyncio.Event()
        self._travels: set[asyncio.Task[None]] = set()
        self._roads = {
            True: Road(urgent=True, monotonic=monotonic, pause=0.0),
            # An account's next event is due as soon as the previous outcome is stored: no pause.
            False: Road(urgent=False, monotonic=monotonic, pause=0.0 if ordered else None),
        }
        self._timers: dict[Road, asyncio.TimerHandle] = {}
        self._abandoned: set[asyncio.Task[bool]] = set()
        self._settlements = (
            Settlements(context, gather=0.0, written=self._written)
            if ordered
            else Settlements(context, written=self._written)
        )
        self._measured = False
        self.outcomes: Counter[str] = Counter()
        self.without_installation: Counter[str] = Counter()

    @property
    def under_way(self) -> int:
        """The number of events that are being delivered, or are claimed for delivery."""
        return sum(len(road) + road.in_hand for road in self._roads.values())

    async def run(self) -> None:
        """Deliver events until `stop` is called."""
        async with asyncio.TaskGroup() as tasks:
            for road in self._roads.values():
                self._travels.add(tasks.create_task(self._travel(road), name="claims"))

    async def stop(self, *, grace: float = GRACE_SECONDS) -> None:
        """Stop claiming, wait for running deliveries, and release all other claims."""
        self._stopping.set()
        for signal in self._inbox.arrived.values():
            signal.set()
        self._give_back()
        if self._travels:
            # A claim may be running at this moment: its events are released too.
            await asyncio.wait(self._travels, timeout=grace)
        self._give_back()
        roads = self._roads.values()
        tasks = [work.task for road in roads for work in road if work.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        # A delivery that ended just now is recorded by its task's callback.
        await asyncio.sleep(0)
        for timer in self._timers.values():
            timer.cancel()
        for road in roads:
            for work in road:
                self._leave(road, work)
                self._settlements.add(Verdict.released(work.event))
        await self._settlements.close()

    def _written(self, events: Sequence[KeptEvent]) -> None:
        """Wake the claim queue: the next event in order is due once this outcome is stored."""
        if self._ordered or any(event.notice for event in events):
            self._inbox.arrived[False].set()

    def _give_back(self) -> None:
        for road in self._roads.values():
            for event in road.give_back():
                self._settlements.add(Verdict.released(event))

    async def _travel(self, road: Road) -> None:
        arrived = self._inbox.arrived[road.urgent]
        while not self._stopping.is_set():
            arrived.clear()
            more = False
            try:
                more = await self._claim(road)
            except ParaphError as error:
                _log.warning("dispatch.interrupted", error_code=error.code, why=error.detail)
            except Exception as error:  # noqa: BLE001 - The road outlives whatever happens on it.
                _log.error("dispatch.failed", why=type(error).__name__)
            if not more:
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await arrived.wait()
                except TimeoutError:
                    continue
            if patience := road.patience():
                await asyncio.sleep(patience)

    async def _claim(self, road: Road) -> bool:
        """Start as many claimed and due events as there are free worker slots.

        Returns:
            True if there may be more events to claim at once.
        """
        now = self._context.now()
        if not self._targets and not road.urgent:
            return await self._hand_to_nobody(now)
        self._begin(road)
        # Asked once per batch, because it reads the environment.
        self._measured = is_measured()
        limit = road.reckon()
        if not limit:
            return False
        async with self._context.store.transaction(NOTHING_READ) as tx:
            claimed = await tx.events.claim(
                now=now,
                until=now + road.lease(self._timeout),
                limit=limit,
                urgent=road.urgent,
                ordered=self._ordered and not road.urgent,
                without=road.crowded,
            )
        road.take(claimed, asked=limit)
        self._begin(road)
        return road.hungry

    async def _hand_to_nobody(self, now: int) -> bool:
        """Mark waiting events as delivered, because the host wants no events.

        These are notices, and events kept when the host still wanted some. They are not claimed,
        decrypted or tried. New arrivals are stored as delivered at once.
        """
        async with self._context.store.transaction(NOTHING_READ) as tx:
            done = await tx.events.mark_due_forwarded(now=now, limit=NOBODY_BATCH)
        return done == NOBODY_BATCH

    def _begin(self, road: Road) -> None:
        if self._stopping.is_set():
            return
        begun, back = road.turn()
        for event in back:
            self._settlements.add(Verdict.released(event))
        for work in begun:
            event = work.event
            if event.attempts > ATTEMPTS and not event.urgent:
                road.end(work)
                self._failed(event, event.failure or "every worker that took it died")
                continue
            work.task = asyncio.create_task(self._attempt(event))
            work.task.add_done_callback(partial(self._ended, road, work))
        if begun and road not in self._timers:
            self._look_at_the_clock(road)

    def _look_at_the_clock(self, road: Road) -> None:
        """Set one timer for all running deliveries: the oldest one times out first."""
        self._timers.pop(road, None)
        late, left = road.overdue(self._timeout)
        for work in late:
            # Abandoned, not awaited: a handler that ignores cancellation must not keep this slot.
            self._leave(road, work)
            self._failed(work.event, f"timeout: not delivered within {self._timeout:g} s")
        if left is not None:
            loop = asyncio.get_running_loop()
            self._timers[road] = loop.call_later(left, self._look_at_the_clock, road)
        if late:
            self._go_on(road)

    def _leave(self, road: Road, work: Work) -> None:
        work.left = True
        road.end(work)
        if work.task is not None:
            self._abandoned.add(work.task)
            work.task.cancel()

    def _ended(self, road: Road, work: Work, task: asyncio.Task[bool]) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if work.left:
            self._abandoned.discard(task)
            return
        road.end(work)
        event = work.event
        if isinstance(error, ParaphError):
            self._failed(event, f"{error.code}: {error.detail}")
        elif error is not None:
            # The text of a foreign exception may contain secrets, so only its class is kept.
            self._failed(event, f"raised: {type(error).__name__}")
        elif task.result():
            self.outcomes["handed_on"] += 1
            self._settlements.add(Verdict.handed_on(event))
        self._go_on(road)

    def _go_on(self, road: Road) -> None:
        """Fill a free worker slot with a claimed event, or claim more from the store."""
        self._begin(road)
        if road.hungry:
            self._inbox.arrived[road.urgent].set()

    async def _attempt(self, event: KeptEvent) -> bool:
        """Deliver one event. Return False if this worker no longer holds its claim."""
        if event.urgent:
            await deauthorization.carry_out(
                self._context,
                self._refresher,
                reopen_deauthorization(event),
                received_at=event.received_at,
                signed_at=event.signed_at,
            )
            return True
        recipients = await find_recipients(self._context, event)
        if recipients is None or (event.notice and await self._dropped(event)):
            return False
        if not self._measured:
            await self._hand_on(event, recipients)
            return True
        with span(
            "paraph.hand_on",
            parent=event.trace,
            kind=SpanKind.PRODUCER,
            event_name=event.shown_name,
            attempt=event.attempts,
        ) as trace:
            await self._hand_on(replace(event, trace=trace), recipients)
        return True

    async def _dropped(self, notice: KeptEvent) -> bool:
        """Drop a notice if a later notice made it untrue."""
        async with self._context.store.reading() as tx:
            if not await is_stale(tx, self._context, notice):
                return False
        self.outcomes["stale"] += 1
        _log.info("notice.stale", event_id=notice.event_id[:16], event_name=notice.name)
        self._settlements.add(Verdict.dropped(notice, "stale: a later notice followed"))
        return True

    async def _hand_on(self, event: KeptEvent, recipients: Recipients) -> None:
        for target in self._targets:
            await target.hand_on(event, recipients)
        if recipients.lacking and not event.notice:
            self.without_installation[recipients.lacking] += 1

    def _failed(self, event: KeptEvent, failure: str) -> None:
        failure = _storable(failure)
        dead = not event.urgent and event.attempts >= ATTEMPTS
        self.outcomes["dead" if dead else "retried"] += 1
        _log.warning(
            "event.dead" if dead else "event.not_handed_on",
            event_id=event.event_id[:16],
            event_name=event.shown_name,
            attempts=event.attempts,
            why=failure,
        )
        if dead:
            self._settlements.add(Verdict.dead(event, failure))
            return
        wait = wait_before(event.attempts - 1, first=FIRST_WAIT)
        # Random jitter of a quarter either way: events that failed together retry apart.
        spread = wait * (self._context.random_bytes(1)[0] - 128) // 512
        at = self._context.now() + max(1, wait + spread)
        self._settlements.add(Verdict.postponed(event, failure, at=at))


def _storable(failure: str) -> str:
    """Return a failure text that every database accepts.

    A handler may raise a paraph error whose text contains parts of an event. If the database
    refused that text, the other outcomes of its batch would not be stored either.
    """
    return "".join(one if one.isprintable() else "?" for one in failure[:LONGEST_FAILURE])
