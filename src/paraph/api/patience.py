"""Ending what takes too long, with one timer for everybody who waits."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class Patience:
    """A block of a task that must be over within some seconds: afterwards a `TimeoutError` in it.

    As `asyncio.timeout`, for the many short waits of a hot path: nearly all of them are over at
    once, and a timer for each would cost more than they do. A task may be in one such block at a
    time, since all of them have the same end.

    Args:
        seconds: how long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task: Any = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._until[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._end_overdue)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task: Any = asyncio.current_task()
        del self._until[task]
        if task in self._overdue:
            self._overdue.discard(task)
            # Cancelled by somebody else as well, it stays so.
            if not task.uncancel() and kind is asyncio.CancelledError:
                raise TimeoutError from None

    def _end_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        # In the order of their ends, since all have the same time.
        for task, until in self._until.items():
            if until > now:
                self._timer = loop.call_at(until, self._end_overdue)
                break
            self.end(task)

    def end(self, task: asyncio.Task[Any]) -> None:
        """Have a task that is in such a block get its `TimeoutError` now."""
        if task in self._until and task not in self._overdue:
            self._overdue.add(task)
            task.cancel()
