"""The simulator's clock, and the work that is scheduled on it: retries and revalidations.

The clock only moves timers. Times inside messages are always wall time, so that an app under test
never sees a shifted one. When the clock is advanced, all due work begins at once, in the order of
its time. A day of Zoom's retries replays in the time that the requests take.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

_PRUNE_FROM = 1024


def iso_time(seconds: float) -> str:
    """Write epoch seconds as Zoom does: whole seconds of UTC, like 2026-01-15T09:00:00Z."""
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


class Clock:
    """Wall time plus the seconds by which it was advanced.

    Args:
        wall: returns epoch seconds of the real world.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self.wall = wall
        self.advanced = 0.0
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """Return epoch seconds for timers."""
        return self.wall() + self.advanced

    def when_advanced(self, listener: Callable[[], None]) -> None:
        """Call a listener whenever the clock has been advanced."""
        self._listeners.append(listener)

    def advance(self, seconds: float) -> None:
        """Move all timers forward at once."""
        self.advanced += seconds
        for listener in self._listeners:
            listener()

    def reset(self) -> None:
        """Return to wall time."""
        self.advanced = 0.0


@dataclass(order=True, slots=True)
class _Timer:
    instant: float
    number: int
    work: Callable[[], None] = field(compare=False)
    wanted: Callable[[], bool] = field(compare=False)


class Timers:
    """Work that is scheduled for a time.

    Args:
        clock: the clock that counts. It may be advanced from any thread; the work is done in the
            event loop in which it was scheduled.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[_Timer] = []
        self._numbers = count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._prune_at = _PRUNE_FROM
        clock.when_advanced(self._advanced)

    def at(
        self,
        instant: float,
        work: Callable[[], None],
        *,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Schedule work for an instant of the clock, at the earliest the next loop iteration.

        Args:
            instant: epoch seconds.
            work: called at that time.
            wanted: returns whether it still matters; unwanted work is dropped early, so that the
                wanted work bounds the queue.
        """
        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.get_running_loop()
        heapq.heappush(self._heap, _Timer(instant, next(self._numbers), work, wanted))
        if len(self._heap) >= self._prune_at:
            self._heap = [one for one in self._heap if one.wanted()]
            heapq.heapify(self._heap)
            self._prune_at = max(_PRUNE_FROM, 2 * len(self._heap))
        self._arm()

    @property
    def is_due(self) -> bool:
        """Return true if some work is due and has not begun yet."""
        return bool(self._heap) and self._heap[0].instant <= self._clock.now()

    def __len__(self) -> int:
        return len(self._heap)

    def clear(self) -> None:
        """Delete all waiting work."""
        self._heap.clear()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _advanced(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._begin_due)

    def _begin_due(self) -> None:
        now = self._clock.now()
        while self._heap and self._heap[0].instant <= now:
            timer = heapq.heappop(self._heap)
            if timer.wanted():
                timer.work()
        self._arm()

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._heap and self._loop is not None:
            wait = max(0.0, self._heap[0].instant - self._clock.now())
            # The event loop's own clock may be slightly ahead of the wall's. An iteration that
            # comes too early finds nothing due and sets the timer again.
            self._alarm = self._loop.call_later(min(wait, 86_400.0), self._begin_due)
