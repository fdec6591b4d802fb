"""The simulator's clock. It only moves timers: lifetimes, retries, revalidation.

Times inside messages are always wall time, so that an app under test never sees a shifted one.
"""

from __future__ import annotations

from collections.abc import Callable


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
