"""What happens later: retries and revalidations, on the simulator's clock.

When the clock is advanced, everything that has come due begins at once and in order of its time,
so that a day of Zoom's retries replays in as long as the requests take.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from paraph.simulator.clock import Clock

_PRUNE_FROM = 1024


@dataclass(order=True, slots=True)
class _Timer:
    instant: float
    number: int
    work: Callable[[], None] = field(compare=False)
    wanted: Callable[[], bool] = field(compare=False)


class Timers:
    """Work that waits for its time.

    Args:
        clock: whose time counts. It may be advanced from any thread; the work is done in the
            event loop that it was scheduled in.
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
        """Do work at an instant of the clock; at the earliest when the loop turns next.

        Args:
            instant: epoch seconds.
            work: what to do.
            wanted: whether it still matters; what does not is let go of early, so that what
                waits is bounded by what matters.
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
        """Whether something has come due and not begun yet."""
        return bool(self._heap) and self._heap[0].instant <= self._clock.now()

    def __len__(self) -> int:
        return len(self._heap)

    def clear(self) -> None:
        """Forget everything that waits."""
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
            # The event loop's own clock may be a hair ahead of the wall's: a turn too early
            # finds nothing due and arms again.
            self._alarm = self._loop.call_later(min(wait, 86_400.0), self._begin_due)
