"""Counts what an event loop is asked to do, so that a cost is tested by number and not by time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from paraph import logs


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count tasks, timers, calls from threads and writes to the log, for the length of a block."""
    loop, counts = asyncio.get_running_loop(), Counter[str]()

    def counting(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            counts[name] += 1
            return run(*args, **named)

        return call

    def make_task(loop: Any, work: Any, **named: Any) -> Any:
        counts["tasks"] += 1
        return asyncio.Task(work, loop=loop, **named)

    with monkeypatch.context() as patched:
        # `call_later` of asyncio calls `call_at`.
        patched.setattr(loop, "call_at", counting("timers", loop.call_at))
        from_thread = counting("calls from threads", loop.call_soon_threadsafe)
        patched.setattr(loop, "call_soon_threadsafe", from_thread)
        written = counting("log writes", logs._output.write)
        patched.setattr(logs._output, "write", written)
        before = loop.get_task_factory()
        loop.set_task_factory(make_task)
        try:
            yield counts
        finally:
            loop.set_task_factory(before)


def fewest(rounds: list[Counter[str]]) -> dict[str, int]:
    """The smallest number of each kind: the background work of a round is not its cost."""
    names = set().union(*rounds)
    return {name: least for name in names if (least := min(one[name] for one in rounds))}


def beyond(found: dict[str, int], most: dict[str, int]) -> dict[str, int]:
    """The numbers that are larger than they may be."""
    return {name: number for name, number in found.items() if number > most.get(name, 0)}
