"""A claim queue: decides when events are claimed, how many, and which of them start.

A claim is one transaction, whether it takes one event or two hundred. So a busy queue claims
ahead: as many events as it lately delivered in half a second. A queue on which few events
arrive waits for a moment and claims those that have gathered.

An event claimed ahead starts when a worker slot is free. If none frees up within HOLD_SECONDS the
claim is released; the lease is longer than that hold. Stopping the service also releases it.

This module does no I/O and never waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from paraph.model.event import KeptEvent

PLACES = 32
SLOW_SECONDS = 1.0
MOST_SLOW = 256
MOST_SLOW_OF_A_NAME = 32
# The most events claimed ahead, so that they share the cost of one claim.
MOST_AHEAD = 224
AHEAD_SECONDS = 0.5
# Seconds for which an event claimed ahead may wait for a worker slot.
HOLD_SECONDS = 2
# Seconds by which a lease is longer than hold and attempt: half of them for a slow claim, and
# half to store the outcome.
LEASE_MARGIN = 10
# Seconds from one claim to the next: arrivals in between are claimed together.
PAUSE_SECONDS = 0.1


@dataclass(eq=False, slots=True)
class Work:
    """One event being delivered. `left`: it was abandoned, and its task's result is ignored."""

    event: KeptEvent
    begun: float
    task: asyncio.Task[bool] | None = None
    left: bool = False


class Road:
    """The state of one claim queue.

    Args:
        urgent: True for the queue of urgent events.
        monotonic: a clock for durations.
        pause: seconds from one claim to the next, unless there is much to claim.
    """

    def __init__(
        self, *, urgent: bool, monotonic: Callable[[], float], pause: float | None = None
    ) -> None:
        self.urgent = urgent
        self._monotonic = monotonic
        self._pause = PAUSE_SECONDS if pause is None else pause
        # Both in order of arrival, so that the oldest is found first.
        self._under_way: dict[Work, None] = {}
        self._in_hand: deque[tuple[float, KeptEvent]] = deque()
        self._ahead = 0
        self._ended = 0
        self._claimed_at = float("-inf")
        self._more = True
        self.claimed = 0

    def __len__(self) -> int:
        return len(self._under_way)

    def __iter__(self) -> Iterator[Work]:
        return iter(tuple(self._under_way))

    @property
    def in_hand(self) -> int:
        """The number of claimed events that have not started."""
        return len(self._in_hand)

    @property
    def crowded(self) -> list[str]:
        """The kinds of event with too many slow deliveries."""
        return self._places()[1]

    def _places(self) -> tuple[int, list[str]]:
        """Return the number of free worker slots, and the kinds with too many slow deliveries."""
        slow_since = self._monotonic() - SLOW_SECONDS
        slow: Counter[str] = Counter()
        for work in self._under_way:
            if work.begun > slow_since:
                break
            slow[work.event.kind] += 1
        total = slow.total() if slow else 0
        free = min(PLACES - len(self._under_way) + total, PLACES + MOST_SLOW - len(self._under_way))
        return free, [name for name, count in slow.items() if count >= MOST_SLOW_OF_A_NAME]

    def room(self) -> int:
        """Return how many events may be claimed: 0 while enough claimed ones have not started."""
        if len(self._in_hand) > self._ahead // 2:
            return 0
        return max(0, self._places()[0] + self._ahead - len(self._in_hand))

    @property
    def hungry(self) -> bool:
        """True if the last claim was full, and there is room for another."""
        return self._more and self.room() > 0

    def patience(self) -> float:
        """Return the seconds until the next claim is worth its cost."""
        if self._more and self.room() >= (PLACES + self._ahead) // 2:
            return 0.0
        return max(0.0, self._claimed_at + self._pause - self._monotonic())

    @staticmethod
    def lease(timeout: float) -> int:
        """Return the seconds of a lease that outlasts hold and attempt."""
        return HOLD_SECONDS + ceil(timeout) + LEASE_MARGIN

    def reckon(self) -> int:
        """Begin a claim: return how many events it may take, from the recent delivery rate."""
        if not self.room():
            # There may be new arrivals: claim again as soon as there is room.
            self._more = True
            return 0
        now = self._monotonic()
        if not self.urgent:
            since = max(now - self._claimed_at, PAUSE_SECONDS)
            self._ahead = min(MOST_AHEAD, int(self._ended / since * AHEAD_SECONDS))
        self._ended = 0
        self._claimed_at = now
        return self.room()

    def take(self, events: Iterable[KeptEvent], *, asked: int) -> None:
        """Add the claimed events; `asked` is the number that the claim asked for."""
        # A lease starts before its claim, and a claim may have to wait for a slow disk.
        latest = self._claimed_at + HOLD_SECONDS + LEASE_MARGIN / 2
        until = min(self._monotonic() + HOLD_SECONDS, latest)
        before = len(self._in_hand)
        self._in_hand.extend((until, event) for event in events)
        taken = len(self._in_hand) - before
        self.claimed += taken
        self._more = taken >= asked

    def turn(self) -> tuple[list[Work], list[KeptEvent]]:
        """Return the events to start, and those to release: held too long, or of a crowded kind."""
        begun: list[Work] = []
        back: list[KeptEvent] = []
        if self._in_hand:
            (free, crowded), now = self._places(), self._monotonic()
            while self._in_hand:
                until, event = self._in_hand[0]
                if now >= until or event.kind in crowded:
                    back.append(event)
                elif len(begun) < free:
                    begun.append(Work(event, now))
                else:
                    break
                self._in_hand.popleft()
            self._under_way.update(dict.fromkeys(begun))
        return begun, back

    def give_back(self) -> list[KeptEvent]:
        """Release every claimed event that has not started."""
        back = [event for _, event in self._in_hand]
        self._in_hand.clear()
        return back

    def end(self, work: Work) -> None:
        """Remove an event that is no longer being delivered."""
        del self._under_way[work]
        self._ended += 1

    def overdue(self, timeout: float) -> tuple[list[Work], float | None]:
        """Return the timed-out events, and the seconds until the next one times out."""
        now = self._monotonic()
        late: list[Work] = []
        for work in self._under_way:
            if work.begun + timeout > now:
                return late, work.begun + timeout - now
            late.append(work)
        return late, None
