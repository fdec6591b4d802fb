"""A claim queue: decides when events are claimed, how many, and which of them start.

A claim is one transaction, whether it takes one event or two hundred. So a busy queue prefetches:
it claims as many more events as it recently delivered in half a second. A queue on which few
events arrive is left alone for a moment, and then claims those that have gathered.

A prefetched event starts when a worker slot is free. If none frees up within HOLD_SECONDS the
claim is released; the lease is longer than that hold. Stopping the service also releases it.

This module does no I/O and never waits: `dispatch` claims the events, and
`storage.stores.events.event` writes their leases.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from paraph.events.outcomes import AttemptOutcome
from paraph.model.event import KeptEvent

WORKER_SLOTS = 32
SLOW_SECONDS = 1.0
MOST_SLOW = 256
MOST_SLOW_OF_A_NAME = 32
# The most prefetched events, so that they share the cost of one claim.
MOST_PREFETCHED = 224
PREFETCH_SECONDS = 0.5
# Seconds for which a prefetched event may wait for a worker slot.
HOLD_SECONDS = 2
# Seconds by which a lease is longer than hold and attempt: half of them for a slow claim, and
# half to store the outcome.
LEASE_MARGIN = 10
# Seconds from one claim to the next: arrivals in between are claimed together.
PAUSE_SECONDS = 0.1


@dataclass(eq=False, slots=True)
class Attempt:
    """One event being delivered, in one worker slot.

    Attributes:
        event: the claimed event.
        started: the start, on the queue's monotonic clock, in seconds.
        task: the running delivery.
        abandoned: True if the attempt was ended from outside; its task's result is ignored.
    """

    event: KeptEvent
    started: float
    task: asyncio.Task[AttemptOutcome | None] | None = None
    abandoned: bool = False


class ClaimQueue:
    """The state of one claim queue.

    Args:
        urgent: True for the queue of urgent events.
        monotonic: a clock for durations.
        pause: seconds from one claim to the next, unless there is much to claim; default:
            PAUSE_SECONDS.
    """

    def __init__(
        self, *, urgent: bool, monotonic: Callable[[], float], pause: float | None = None
    ) -> None:
        self.urgent = urgent
        self._monotonic = monotonic
        self._pause = PAUSE_SECONDS if pause is None else pause
        # Both in order of arrival, so that the oldest is found first.
        self._running: dict[Attempt, None] = {}
        self._prefetched: deque[tuple[float, KeptEvent]] = deque()
        self._prefetch = 0
        self._ended = 0
        self._claimed_at = float("-inf")
        self._more = True
        self.claimed = 0

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(tuple(self._running))

    @property
    def prefetched(self) -> int:
        """The number of claimed events that have not started."""
        return len(self._prefetched)

    @property
    def slow_kinds(self) -> list[str]:
        """The kinds of event with too many slow deliveries."""
        return self._slots()[1]

    def _slots(self) -> tuple[int, list[str]]:
        """Return the number of free worker slots, and the kinds with too many slow deliveries."""
        slow_since = self._monotonic() - SLOW_SECONDS
        free = WORKER_SLOTS - len(self._running)
        oldest = next(iter(self._running), None)
        if oldest is None or oldest.started > slow_since:
            # Asked twice for each event; nearly always none is slow.
            return free, []
        slow: Counter[str] = Counter()
        for attempt in self._running:
            if attempt.started > slow_since:
                break
            slow[attempt.event.kind] += 1
        # A slow delivery gives up its worker slot, up to a limit.
        free += min(slow.total(), MOST_SLOW)
        return free, [name for name, count in slow.items() if count >= MOST_SLOW_OF_A_NAME]

    def capacity(self) -> int:
        """Return how many events may be claimed: 0 while enough claimed ones have not started."""
        if len(self._prefetched) > self._prefetch // 2:
            return 0
        return max(0, self._slots()[0] + self._prefetch - len(self._prefetched))

    @property
    def wants_more(self) -> bool:
        """True if the last claim was full, and there is room for another."""
        return self._more and self.capacity() > 0

    def seconds_to_claim(self) -> float:
        """Return the seconds until the next claim is worth its cost."""
        if self._more and self.capacity() >= (WORKER_SLOTS + self._prefetch) // 2:
            return 0.0
        return max(0.0, self._claimed_at + self._pause - self._monotonic())

    @staticmethod
    def lease(timeout: float) -> int:
        """Return the seconds of a lease: longer than hold and attempt (`timeout`, in seconds)."""
        return HOLD_SECONDS + ceil(timeout) + LEASE_MARGIN

    def begin_claim(self) -> int:
        """Begin a claim: return how many events it may take, from the recent delivery rate."""
        if not self.capacity():
            # There may be new arrivals: claim again as soon as there is room.
            self._more = True
            return 0
        now = self._monotonic()
        if not self.urgent:
            since = max(now - self._claimed_at, PAUSE_SECONDS)
            self._prefetch = min(MOST_PREFETCHED, int(self._ended / since * PREFETCH_SECONDS))
        self._ended = 0
        self._claimed_at = now
        return self.capacity()

    def add(self, events: Iterable[KeptEvent], *, limit: int, is_rest: bool = True) -> None:
        """Add the claimed events.

        Args:
            events: the events.
            limit: the most that the claim could take.
            is_rest: False if there may be more, although it took fewer.
        """
        # A lease starts before its claim, and a claim may have to wait for a slow disk.
        latest = self._claimed_at + HOLD_SECONDS + LEASE_MARGIN / 2
        until = min(self._monotonic() + HOLD_SECONDS, latest)
        before = len(self._prefetched)
        self._prefetched.extend((until, event) for event in events)
        added = len(self._prefetched) - before
        self.claimed += added
        self._more = added >= limit or not is_rest

    def start(self) -> tuple[list[Attempt], list[KeptEvent]]:
        """Return the events to start, and those to release: held too long, or of a slow kind."""
        started: list[Attempt] = []
        released: list[KeptEvent] = []
        if self._prefetched:
            (free, slow_kinds), now = self._slots(), self._monotonic()
            while self._prefetched:
                until, event = self._prefetched[0]
                if now >= until or event.kind in slow_kinds:
                    released.append(event)
                elif len(started) < free:
                    started.append(Attempt(event, now))
                else:
                    break
                self._prefetched.popleft()
            self._running.update(dict.fromkeys(started))
        return started, released

    def release(self) -> list[KeptEvent]:
        """Release every claimed event that has not started."""
        released = [event for _, event in self._prefetched]
        self._prefetched.clear()
        return released

    def end(self, attempt: Attempt) -> None:
        """Remove an event that is no longer being delivered."""
        del self._running[attempt]
        self._ended += 1

    def timed_out(self, timeout: float) -> tuple[list[Attempt], float | None]:
        """Return the timed-out events, and the seconds until the next one times out.

        Args:
            timeout: seconds that an attempt may take.
        """
        now = self._monotonic()
        late: list[Attempt] = []
        for attempt in self._running:
            if attempt.started + timeout > now:
                return late, attempt.started + timeout - now
            late.append(attempt)
        return late, None
