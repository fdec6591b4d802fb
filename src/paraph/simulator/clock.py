"""The simulator's clock. It moves timers only: lifetimes, retries, revalidation.

Every time inside a message is wall time, so that an app under test is never fooled by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Clock:
    """Wall time plus what was advanced.

    Args:
        wall: epoch seconds of the real world.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self.wall = wall
        self.advanced = 0.0
        self._moved = asyncio.Event()

    def now(self) -> float:
        """Epoch seconds for timers."""
        return self.wall() + self.advanced

    def advance(self, seconds: float) -> None:
        """Move all timers forward at once."""
        self.advanced += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def reset(self) -> None:
        """Back to wall time."""
        self.advanced = 0.0

    async def sleep_until(self, instant: float) -> None:
        """Wait until the timers' time has come, by waiting or by being advanced."""
        while (left := instant - self.now()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._moved.wait()
            except TimeoutError:
                continue
