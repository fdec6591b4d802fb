"""Dispatch: what was kept is handed on, at least once, until it is done or dead.

Deauthorizations have a road of their own: no backlog and no slow host delays them, and they
are never given up. Everything else is retried with growing waits and then kept as a dead
letter, which blocks nobody.

A worker claims what it takes for the length of a lease (see `event_store`), so any number of
processes share one database, and what a dead one had in hand is taken up by another. Within a
process a bounded number is under way at once. One that takes long gives its place back, up to
a limit for its name: a handler that hangs keeps only its own kind of event waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace
from opentelemetry.trace import SpanKind

from paraph.errors import ParaphError
from paraph.events.inbox import Inbox, reopen_deauthorization
from paraph.events.settlement import Settlements, Verdict
from paraph.events.tracing import span
from paraph.lifecycle import deauthorization
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.housekeeping import wait_before
from paraph.logs import get_logger
from paraph.storage.records import KeptEvent
from paraph.storage.scope import NOTHING_READ

ATTEMPTS = 12
FIRST_WAIT = 5
PLACES = 32
SLOW_SECONDS = 1.0
MOST_SLOW = 256
MOST_SLOW_OF_A_NAME = 32
POLL_SECONDS = 1.0
NOBODY_BATCH = 1000
GRACE_SECONDS = 10.0
# A lease outlasts the attempt by so much: time to write down what became of it.
LEASE_MARGIN = 10

_log = get_logger("dispatch")


class Target(Protocol):
    """Who is handed an event: the host's URL, or handlers in this process."""

    async def hand_on(self, event: KeptEvent) -> None:
        """Return when the other side has it; raise when it has not."""


@dataclass(eq=False, slots=True)
class _Work:
    """One event under way."""

    event: KeptEvent
    begun: float
    task: asyncio.Task[None] | None = None


class Dispatcher:
    """Takes what is due from the inbox and sees it through.

    Args:
        context: see there.
        inbox: whose arrivals wake the dispatcher.
        refresher: decides unclear deauthorizations.
        targets: all of them are handed each event; none where the host wants nothing.
        monotonic: a clock for durations.
        timeout: seconds after which one attempt has failed.
        ordered: events of one Zoom account are handed on one after the other, as they came.
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
        self._monotonic = monotonic
        self._timeout = timeout
        self._ordered = ordered
        self._stopping = asyncio.Event()
        self._roads: set[asyncio.Task[None]] = set()
        self._under_way: dict[bool, set[_Work]] = {True: set(), False: set()}
        self._abandoned: set[asyncio.Task[None]] = set()
        self._settlements = Settlements(context)
        self.outcomes: Counter[str] = Counter()

    @property
    def under_way(self) -> int:
        """How many events are being handed on."""
        return sum(map(len, self._under_way.values()))

    async def run(self) -> None:
        """Dispatch until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            for urgent in (True, False):
                self._roads.add(tasks.create_task(self._road(urgent=urgent), name="claims"))

    async def stop(self, *, grace: float = GRACE_SECONDS) -> None:
        """Claim nothing more, let what is under way end, and give the rest back undone."""
        self._stopping.set()
        for signal in self._inbox.arrived.values():
            signal.set()
        if self._roads:
            # A claim that is just being made: what it takes is under way too.
            await asyncio.wait(self._roads, timeout=grace)
        every = [work for road in self._under_way.values() for work in road]
        tasks = [work.task for work in every if work.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for work in every:
            if work.task is not None and not work.task.done():
                work.task.cancel()
                self._settlements.add(Verdict.released(work.event))
        await self._settlements.close()

    async def _road(self, *, urgent: bool) -> None:
        arrived = self._inbox.arrived[urgent]
        while not self._stopping.is_set():
            arrived.clear()
            more = False
            try:
                more = await self._claim(urgent=urgent)
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

    async def _claim(self, *, urgent: bool) -> bool:
        """Begin what is due and has a place. True: there may be more at once."""
        free, crowded = self._places(urgent=urgent)
        if free <= 0:
            return False
        now = self._context.now()
        if not self._targets and not urgent:
            return await self._hand_to_nobody(now)
        async with self._context.store.transaction(NOTHING_READ) as tx:
            claimed = await tx.events.claim(
                now=now,
                until=now + int(self._timeout) + LEASE_MARGIN,
                limit=free,
                urgent=urgent,
                ordered=self._ordered and not urgent,
                without=crowded,
            )
        for event in claimed:
            work = _Work(event, self._monotonic())
            self._under_way[urgent].add(work)
            work.task = asyncio.create_task(self._see_through(work))
        return len(claimed) == free

    async def _hand_to_nobody(self, now: int) -> bool:
        """What waits from a time when the host wanted something, and notices of our own.

        Nothing of it is claimed, opened or tried; what arrives now is kept as handed on at once.
        """
        async with self._context.store.transaction(NOTHING_READ) as tx:
            done = await tx.events.hand_to_nobody(now=now, limit=NOBODY_BATCH)
        return done == NOBODY_BATCH

    def _places(self, *, urgent: bool) -> tuple[int, list[str]]:
        """How many may begin, and which names have too many slow ones under way."""
        under_way = self._under_way[urgent]
        slow_since = self._monotonic() - SLOW_SECONDS
        slow = Counter(work.event.name for work in under_way if work.begun <= slow_since)
        quick = len(under_way) - slow.total()
        free = min(PLACES - quick, PLACES + MOST_SLOW - len(under_way))
        return free, [name for name, count in slow.items() if count >= MOST_SLOW_OF_A_NAME]

    async def _see_through(self, work: _Work) -> None:
        event = work.event
        try:
            self._settlements.add(await self._verdict(event))
        finally:
            self._under_way[event.urgent].discard(work)
            # A place is free: there may be somebody to take it.
            self._inbox.arrived[event.urgent].set()

    async def _verdict(self, event: KeptEvent) -> Verdict:
        if event.attempts > ATTEMPTS and not event.urgent:
            return self._failed(event, event.failure or "every worker that took it died")
        attempt = asyncio.ensure_future(self._attempt(event))
        try:
            await asyncio.wait((attempt,), timeout=self._timeout)
        except asyncio.CancelledError:
            attempt.cancel()
            raise
        if not attempt.done():
            # Left to itself: a handler that will not be cancelled must not hold this place.
            attempt.cancel()
            self._abandoned.add(attempt)
            attempt.add_done_callback(self._forget)
            return self._failed(event, f"timeout: not handed on within {self._timeout:g} s")
        error = attempt.exception() if not attempt.cancelled() else asyncio.CancelledError()
        if isinstance(error, ParaphError):
            return self._failed(event, f"{error.code}: {error.detail}")
        if error is not None:
            # The words of a foreign exception may hold anything: its class must do.
            return self._failed(event, f"raised: {type(error).__name__}")
        self.outcomes["handed_on"] += 1
        _log.info(
            "event.handed_on",
            event_id=event.event_id[:16],
            event_name=event.name,
            attempts=event.attempts,
        )
        return Verdict.handed_on(event)

    async def _attempt(self, event: KeptEvent) -> None:
        if event.urgent:
            await deauthorization.carry_out(
                self._context,
                self._refresher,
                reopen_deauthorization(event),
                received_at=event.received_at,
            )
            return
        with span(
            "paraph.hand_on",
            parent=event.trace,
            kind=SpanKind.PRODUCER,
            event_name=event.name,
            attempt=event.attempts,
        ) as trace:
            traced = replace(event, trace=trace)
            for target in self._targets:
                await target.hand_on(traced)

    def _forget(self, attempt: asyncio.Task[None]) -> None:
        self._abandoned.discard(attempt)
        _ = attempt.cancelled() or attempt.exception()

    def _failed(self, event: KeptEvent, failure: str) -> Verdict:
        dead = not event.urgent and event.attempts >= ATTEMPTS
        self.outcomes["dead" if dead else "retried"] += 1
        _log.warning(
            "event.dead" if dead else "event.not_handed_on",
            event_id=event.event_id[:16],
            event_name=event.name,
            attempts=event.attempts,
            why=failure,
        )
        if dead:
            return Verdict.dead(event, failure)
        wait = wait_before(event.attempts - 1, first=FIRST_WAIT)
        # Spread by a quarter either way, so that what failed together does not return together.
        spread = wait * (self._context.random_bytes(1)[0] - 128) // 512
        return Verdict.postponed(event, failure, at=self._context.now() + max(1, wait + spread))
