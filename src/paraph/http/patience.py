"""Timeouts for many short waits, with one timer for all of them."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class Patience:
    """A block of a task with a timeout: after it, `TimeoutError` is raised in the block.

    It works like `asyncio.timeout`, for the many short waits of a hot path. Nearly all of them end
    at once, and a timer for each would cost more than the waits. A task may be in one such block at
    a time, since all of them have the same timeout.

    Args:
        seconds: the timeout.
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
            # If another caller cancelled it as well, it stays cancelled.
            if not task.uncancel() and kind is asyncio.CancelledError:
                raise TimeoutError from None

    def _end_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        # In the order of their deadlines, since all have the same timeout.
        for task, until in self._until.items():
            if until > now:
                self._timer = loop.call_at(until, self._end_overdue)
                break
            self.end(task)

    def end(self, task: asyncio.Task[Any]) -> None:
        """Raise `TimeoutError` now in a task that is in such a block."""
        if task in self._until and task not in self._overdue:
            self._overdue.add(task)
            task.cancel()
