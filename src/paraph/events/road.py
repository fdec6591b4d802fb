"""A road: what of the events was claimed, what is under way, and when more are to be claimed.

Claiming is a transaction, whether it takes one event or two hundred. So a road that is busy
claims ahead, as many as it has lately handed on in half a second, and a road on which little
arrives waits for a moment and claims what has gathered. What was claimed ahead is *in hand*: it
begins as soon as it has a place, at the latest when its hold runs out, by which its lease is
longer; after that it is given back undone, as is all that is in hand at a stop.

There is no I/O here, and no waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from paraph.storage.records import KeptEvent

PLACES = 32
SLOW_SECONDS = 1.0
MOST_SLOW = 256
MOST_SLOW_OF_A_NAME = 32
# A claim's price is shared by so many at most.
MOST_AHEAD = 224
AHEAD_SECONDS = 0.5
# What is in hand may wait so long before it begins.
HOLD_SECONDS = 2
# A lease outlasts hold and attempt by so much: half of it for a slow claim, and half to write down
# what became of the event.
LEASE_MARGIN = 10
# What arrives within this time of a claim is claimed together.
PAUSE_SECONDS = 0.1


@dataclass(eq=False, slots=True)
class Work:
    """One event under way. `left`: what becomes of its task decides nothing any more."""

    event: KeptEvent
    begun: float
    task: asyncio.Task[bool] | None = None
    left: bool = False


class Road:
    """The books of one road.

    Args:
        urgent: whose events these are.
        monotonic: a clock for durations.
        pause: seconds from one claim to the next, unless there is much to claim.
    """

    def __init__(
        self, *, urgent: bool, monotonic: Callable[[], float], pause: float | None = None
    ) -> None:
        self.urgent = urgent
        self._monotonic = monotonic
        self._pause = PAUSE_SECONDS if pause is None else pause
        # Both in the order in which they came, so that the oldest is found first.
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
        """How many are claimed and have not begun."""
        return len(self._in_hand)

    @property
    def crowded(self) -> list[str]:
        """The kinds of event that have too many slow ones under way."""
        return self._places()[1]

    def _places(self) -> tuple[int, list[str]]:
        """How many may begin, and which kinds have too many slow ones under way."""
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
        """How many may be claimed. None while enough of what was claimed has not begun."""
        if len(self._in_hand) > self._ahead // 2:
            return 0
        return max(0, self._places()[0] + self._ahead - len(self._in_hand))

    @property
    def hungry(self) -> bool:
        """There was more to claim the last time, and there is room for it."""
        return self._more and self.room() > 0

    def patience(self) -> float:
        """Seconds until the next claim is worth its price."""
        if self._more and self.room() >= (PLACES + self._ahead) // 2:
            return 0.0
        return max(0.0, self._claimed_at + self._pause - self._monotonic())

    @staticmethod
    def lease(timeout: float) -> int:
        """Seconds for which an event is claimed, so that its attempt ends while it is ours."""
        return HOLD_SECONDS + ceil(timeout) + LEASE_MARGIN

    def reckon(self) -> int:
        """A claim is about to be made: how many it may take, by what the road has lately done."""
        if not self.room():
            # Not looked for what has arrived: that is made up for as soon as there is room.
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
        """What was claimed, of so many as were asked for."""
        # A lease runs from before its claim was made, and a claim may have to wait for a disk.
        latest = self._claimed_at + HOLD_SECONDS + LEASE_MARGIN / 2
        until = min(self._monotonic() + HOLD_SECONDS, latest)
        before = len(self._in_hand)
        self._in_hand.extend((until, event) for event in events)
        taken = len(self._in_hand) - before
        self.claimed += taken
        self._more = taken >= asked

    def turn(self) -> tuple[list[Work], list[KeptEvent]]:
        """What begins now, and what is given back: held for too long, or of a crowded name."""
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
        """All that is in hand: nothing of it begins any more."""
        back = [event for _, event in self._in_hand]
        self._in_hand.clear()
        return back

    def end(self, work: Work) -> None:
        """It is not under way any more."""
        del self._under_way[work]
        self._ended += 1

    def overdue(self, timeout: float) -> tuple[list[Work], float | None]:
        """What has had its time, and in how many seconds the next one will have had it."""
        now = self._monotonic()
        late: list[Work] = []
        for work in self._under_way:
            if work.begun + timeout > now:
                return late, work.begun + timeout - now
            late.append(work)
        return late, None
