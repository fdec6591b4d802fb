"""Delivers kept events to the host, at least once, until each is delivered or dead.

Deauthorizations have a claim queue of their own: no backlog and no slow host delays them, and
paraph never gives up on them. Every other event is retried with growing waits and then becomes a
dead letter, which blocks no other event.

A worker claims events for the length of a lease (`storage.stores.events.event`). So any number of
processes share one database, and when a process dies another one claims its events. Each process
delivers a bounded number of events at once. A handler that hangs delays only its own kind of event:
a slow delivery gives up its worker slot, up to a limit for each event name. The module `claims`
decides when to claim and how many.

The notices of one installation are delivered in order. The store gives out a notice only when no
earlier one waits, is being delivered, or is to be retried. A notice that a later one made untrue is
dropped instead of delivered (`outbox.is_stale`).

The module `forwarding` delivers one event.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from paraph.errors import ParaphError
from paraph.events.claims import Attempt, ClaimQueue
from paraph.events.forwarding import EventDelivery, Target
from paraph.events.inbox import Inbox
from paraph.events.outcomes import AttemptOutcome, OutcomeWriter
from paraph.events.tracing import is_measured
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.model.event import KeptEvent
from paraph.operations.housekeeping import wait_before
from paraph.storage.scope import NOTHING_READ

ATTEMPTS = 12
FIRST_WAIT = 5
# `WakeUps` wakes the queues when an event is due; this catches what it may have missed.
POLL_SECONDS = 300.0
# After a claim that failed: an event that has just arrived is among no due times that were read.
RETRY_SECONDS = 1.0
CALL_SECONDS = 1.0
UNWANTED_BATCH = 1000
GRACE_SECONDS = 10.0
# The longest failure text that is kept, in characters.
LONGEST_FAILURE = 500
# Outcomes under their former names, for the deprecated metric paraph_events_dispatched.
FORMER_OUTCOMES = {"forwarded": "handed_on"}

_log = get_logger("dispatch")


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
        self._delivery = EventDelivery(context, refresher, targets)
        # Without targets, events that are not urgent are only marked.
        self._wanted = bool(targets)
        self._timeout = timeout
        self._ordered = ordered
        self._monotonic = monotonic
        self._called_at = float("-inf")
        self._stopping = asyncio.Event()
        self._claimers: set[asyncio.Task[None]] = set()
        self._queues = {
            True: ClaimQueue(urgent=True, monotonic=monotonic, pause=0.0),
            # An account's next event is due as soon as the previous outcome is stored: no pause.
            False: ClaimQueue(urgent=False, monotonic=monotonic, pause=0.0 if ordered else None),
        }
        self._timers: dict[ClaimQueue, asyncio.TimerHandle] = {}
        self._abandoned: set[asyncio.Task[AttemptOutcome | None]] = set()
        self._writer = (
            OutcomeWriter(context, gather=0.0, written=self._written)
            if ordered
            else OutcomeWriter(context, written=self._written)
        )
        self._measured = False
        self.outcomes: Counter[str] = Counter()

    @property
    def without_installation(self) -> Mapping[str, int]:
        """The number of events forwarded without an installation, by reason."""
        return self._delivery.without_installation

    @property
    def under_way(self) -> int:
        """The number of events that are being delivered, or are prefetched."""
        return sum(len(queue) + queue.prefetched for queue in self._queues.values())

    async def run(self) -> None:
        """Deliver events until `stop` is called."""
        async with asyncio.TaskGroup() as tasks:
            for queue in self._queues.values():
                self._claimers.add(tasks.create_task(self._claim_repeatedly(queue), name="claims"))

    async def stop(self, *, grace: float = GRACE_SECONDS) -> None:
        """Stop claiming, wait for running deliveries, and release all other claims.

        Args:
            grace: seconds to wait for the running deliveries.
        """
        self._stopping.set()
        for signal in self._inbox.arrived.values():
            signal.set()
        self._release_prefetched()
        if self._claimers:
            # A claim may be running at this moment: its events are released too.
            await asyncio.wait(self._claimers, timeout=grace)
        self._release_prefetched()
        queues = self._queues.values()
        tasks = [attempt.task for queue in queues for attempt in queue if attempt.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        # A delivery that ended just now is recorded by its task's callback.
        await asyncio.sleep(0)
        for timer in self._timers.values():
            timer.cancel()
        for queue in queues:
            for attempt in queue:
                self._abandon(queue, attempt)
                self._writer.add(AttemptOutcome.released(attempt.event))
        await self._writer.close()

    def _written(self, events: Sequence[KeptEvent]) -> None:
        """Wake the claim queue: the next event in order is due once this outcome is stored."""
        if self._ordered or any(event.notice for event in events):
            self._inbox.arrived[False].set()

    def _release_prefetched(self) -> None:
        for queue in self._queues.values():
            for event in queue.release():
                self._writer.add(AttemptOutcome.released(event))

    async def _claim_repeatedly(self, queue: ClaimQueue) -> None:
        arrived = self._inbox.arrived[queue.urgent]
        while not self._stopping.is_set():
            arrived.clear()
            more, wait = False, RETRY_SECONDS
            try:
                more = await self._claim(queue)
                wait = POLL_SECONDS
            except ParaphError as error:
                _log.warning("dispatch.interrupted", error_code=error.code, why=error.detail)
            except Exception as error:  # noqa: BLE001 - No failure of one claim ends the queue.
                _log.error("dispatch.failed", why=type(error).__name__)
            if not more:
                try:
                    async with asyncio.timeout(wait):
                        await arrived.wait()
                except TimeoutError:
                    continue
            if pause := queue.seconds_to_claim():
                await asyncio.sleep(pause)

    async def _claim(self, queue: ClaimQueue) -> bool:
        """Start as many prefetched and due events as there are free worker slots.

        Returns:
            True if there may be more events to claim at once.
        """
        now = self._context.now()
        if not self._wanted and not queue.urgent:
            return await self._mark_unwanted(now)
        self._start(queue)
        # Asked once per batch, because it reads the environment.
        self._measured = is_measured()
        limit = queue.begin_claim()
        if not limit:
            # Each of its deliveries takes long: what has arrived waits, and others may be idle.
            await self._call_others()
            return False
        # A lease postpones work. If it runs out, this process has recorded why, or has died.
        async with self._context.store.transaction(NOTHING_READ, adds_work=False) as tx:
            claimed = await tx.events.claim(
                now=now,
                until=now + queue.lease(self._timeout),
                limit=limit,
                urgent=queue.urgent,
                ordered=self._ordered and not queue.urgent,
                without=queue.slow_kinds,
            )
        queue.add(claimed.events, limit=limit, is_rest=not claimed.destroyed)
        self._start(queue)
        if claimed.destroyed:
            # A transaction of its own: the claimed events have started.
            async with self._context.store.transaction(NOTHING_READ, adds_work=False) as tx:
                await tx.events.purge_destroyed(claimed.destroyed, now=now)
        if len(claimed.events) == limit:
            await self._call_others()
        return queue.wants_more

    async def _call_others(self) -> None:
        """Wake idle replicas, because more events wait than this process can deliver at once."""
        now = self._monotonic()
        if now - self._called_at >= CALL_SECONDS:
            self._called_at = now
            await self._context.store.announce()

    async def _mark_unwanted(self, now: int) -> bool:
        """Mark waiting events as delivered, because the host wants no events.

        These are notices, and events kept when the host still wanted some. They are not claimed,
        decrypted or tried. New arrivals are stored as delivered at once.
        """
        async with self._context.store.transaction(NOTHING_READ) as tx:
            done = await tx.events.mark_due_forwarded(now=now, limit=UNWANTED_BATCH)
        return done == UNWANTED_BATCH

    def _start(self, queue: ClaimQueue) -> None:
        if self._stopping.is_set():
            return
        started, released = queue.start()
        for event in released:
            self._writer.add(AttemptOutcome.released(event))
        for attempt in started:
            event = attempt.event
            if event.attempts > ATTEMPTS and not event.urgent:
                queue.end(attempt)
                self._failed(event, event.failure or "every worker that took it died")
                continue
            attempt.task = asyncio.create_task(
                self._delivery.deliver(event, measured=self._measured)
            )
            attempt.task.add_done_callback(partial(self._finished, queue, attempt))
        if started and queue not in self._timers:
            self._check_timeouts(queue)

    def _check_timeouts(self, queue: ClaimQueue) -> None:
        """Set one timer for all running deliveries: the oldest one times out first."""
        self._timers.pop(queue, None)
        late, left = queue.timed_out(self._timeout)
        for attempt in late:
            # Abandoned, not awaited: a handler that ignores cancellation must not keep this slot.
            self._abandon(queue, attempt)
            self._failed(attempt.event, f"timeout: not delivered within {self._timeout:g} s")
        if left is not None:
            loop = asyncio.get_running_loop()
            self._timers[queue] = loop.call_later(left, self._check_timeouts, queue)
        if late:
            self._refill(queue)

    def _abandon(self, queue: ClaimQueue, attempt: Attempt) -> None:
        attempt.abandoned = True
        queue.end(attempt)
        if attempt.task is not None:
            self._abandoned.add(attempt.task)
            attempt.task.cancel()

    def _finished(
        self, queue: ClaimQueue, attempt: Attempt, task: asyncio.Task[AttemptOutcome | None]
    ) -> None:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if attempt.abandoned:
            self._abandoned.discard(task)
            return
        queue.end(attempt)
        event = attempt.event
        if isinstance(error, ParaphError):
            self._failed(event, f"{error.code}: {error.detail}")
        elif error is not None:
            # The text of a foreign exception may contain secrets, so only its class is kept.
            self._failed(event, f"raised: {type(error).__name__}")
        elif (outcome := task.result()) is not None:
            if outcome.label:
                self.outcomes[outcome.label] += 1
            self._writer.add(outcome)
        self._refill(queue)

    def _refill(self, queue: ClaimQueue) -> None:
        """Fill a free worker slot with a prefetched event, or claim more from the store."""
        self._start(queue)
        if queue.wants_more:
            self._inbox.arrived[queue.urgent].set()

    def _failed(self, event: KeptEvent, failure: str) -> None:
        failure = _storable(failure)
        dead = not event.urgent and event.attempts >= ATTEMPTS
        self.outcomes["dead" if dead else "retried"] += 1
        _log.warning(
            "event.dead" if dead else "event.not_forwarded",
            event_id=event.event_id[:16],
            event_name=event.shown_name,
            attempts=event.attempts,
            why=failure,
        )
        if dead:
            self._writer.add(AttemptOutcome.dead(event, failure))
            return
        wait = wait_before(event.attempts - 1, first=FIRST_WAIT)
        # Random jitter of a quarter either way: events that failed together retry apart.
        spread = wait * (self._context.random_bytes(1)[0] - 128) // 512
        at = self._context.now() + max(1, wait + spread)
        self._writer.add(AttemptOutcome.postponed(event, failure, at=at))


def _storable(failure: str) -> str:
    """Return a failure text that every database accepts.

    A handler may raise a paraph error whose text contains parts of an event. If the database
    refused that text, the other outcomes of its batch would not be stored either.
    """
    return "".join(one if one.isprintable() else "?" for one in failure[:LONGEST_FAILURE])
