"""Questions that wait together are answered together, and each group gets its own answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from paraph.errors import StorageError
from paraph.storage.hot_reads.coalescing import LARGEST_BATCH, Coalescing

pytestmark = pytest.mark.anyio


class Connection:
    """A driver's connection that doubles numbers, and breaks at a negative one."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.ended = False

    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self.ended

    def terminate(self) -> None:
        """End it at once."""
        self.ended = True

    def release(self) -> None:
        """Nothing is given back between batches."""

    async def close(self) -> None:
        """End it."""
        self.ended = True

    async def double(self, questions: Sequence[int]) -> list[int]:
        """The answers."""
        self.batches.append(len(questions))
        await asyncio.sleep(0.01)
        if min(questions) < 0:
            raise ValueError("a-canary")
        return [2 * one for one in questions]


def coalescing() -> tuple[Coalescing[int, int], list[Connection]]:
    """One over such connections, and those that it has opened."""
    opened: list[Connection] = []

    async def connect() -> Connection:
        opened.append(Connection())
        return opened[-1]

    return Coalescing(connect, Connection.double), opened


async def test_each_group_gets_its_own() -> None:
    """Whatever stands beside it: one that nobody waits for any more, or one above the bound."""
    asking, opened = coalescing()
    long = range(LARGEST_BATCH + 100)
    first, gone, many, last = (asking.ask(group) for group in ([1, 2], [3], long, [4]))
    gone.cancel()
    assert [2, 4] == list(await first)
    assert [2 * one for one in long] == list(await many)
    assert [8] == list(await last)
    assert [3, len(long), 1] == opened[0].batches


async def test_a_query_made_during_a_statement_joins_the_next_one() -> None:
    """An answer is never older than its question: the next statement gives it."""
    asking, opened = coalescing()
    first = asking.ask([1])
    await asyncio.sleep(0.001)
    second = asking.ask([1])
    await asyncio.gather(first, second)
    assert [1, 1] == opened[0].batches


async def test_a_failure_reaches_every_query_of_its_batch() -> None:
    """To them alone, in no words of the driver's; the next batch has another connection."""
    asking, opened = coalescing()
    together = [asking.ask([1]), asking.ask([-1, 2])]
    await asyncio.sleep(0.001)
    later = asking.ask([3])
    for failed in await asyncio.gather(*together, return_exceptions=True):
        assert isinstance(failed, StorageError)
        assert "a-canary" not in str(failed)
    assert [6] == list(await later)
    assert [True, False] == [one.ended for one in opened]


async def test_closing_completes_the_waiting_queries() -> None:
    """And then lets go of the connection."""
    asking, opened = coalescing()
    asked = asking.ask([5])
    await asking.close()
    assert [10] == list(await asked)
    assert opened[0].ended


async def test_a_missing_result_fails_the_whole_batch() -> None:
    """It would shift all others to questions that are not theirs."""

    async def one_less(_connection: Connection, questions: Sequence[int]) -> list[int]:
        return list(questions)[1:]

    async def connect() -> Connection:
        return Connection()

    asking: Coalescing[int, int] = Coalescing(connect, one_less)
    asked = [asking.ask([1]), asking.ask([2])]
    for one in asked:
        with pytest.raises(StorageError):
            await one
    await asking.close()
