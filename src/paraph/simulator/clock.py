"""The simulator's clock. It moves timers only: lifetimes, retries, revalidation.

Every time inside a message is wall time, so that an app under test is never fooled by it.
"""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """Wall time plus what was advanced.

    Args:
        wall: epoch seconds of the real world.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self.wall = wall
        self.advanced = 0.0
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        """Epoch seconds for timers."""
        return self.wall() + self.advanced

    def when_advanced(self, listener: Callable[[], None]) -> None:
        """Call somebody whenever the clock has been advanced."""
        self._listeners.append(listener)

    def advance(self, seconds: float) -> None:
        """Move all timers forward at once."""
        self.advanced += seconds
        for listener in self._listeners:
            listener()

    def reset(self) -> None:
        """Back to wall time."""
        self.advanced = 0.0
