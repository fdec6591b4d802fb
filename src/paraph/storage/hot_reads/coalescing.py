"""Combines waiting queries into one statement on one connection.

Queries that arrive while a statement runs share the next one. So each query runs in a
statement that begins after it was made, and sees the present state.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from paraph.errors import StorageError
from paraph.storage.outage import failed

LARGEST_BATCH = 512

Query = TypeVar("Query")
Result = TypeVar("Result")

_Waiting = tuple[Sequence[Query], asyncio.Future[Sequence[Result]]]


class Coalescing(Generic[Query, Result]):
    """Runs queries in batches.

    Args:
        connect: opens a connection of the driver.
        ask: runs queries on it and returns their results in the same order.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        ask: Callable[[Any, Sequence[Query]], Awaitable[Sequence[Result]]],
    ) -> None:
        self._connect = connect
        self._ask = ask
        self._connection: Any = None
        self._waiting: deque[_Waiting[Query, Result]] = deque()
        self._work: asyncio.Task[None] | None = None

    def ask(self, queries: Sequence[Query]) -> asyncio.Future[Sequence[Result]]:
        """Return the present results; `StorageError` if the database does not give them."""
        loop = asyncio.get_running_loop()
        results: asyncio.Future[Sequence[Result]] = loop.create_future()
        self._waiting.append((queries, results))
        if self._work is None or self._work.done():
            self._work = loop.create_task(self._run_all())
        return results

    async def _run_all(self) -> None:
        while self._waiting:
            batch = self._take()
            queries = [query for group, _ in batch for query in group]
            try:
                results = await self._results(queries)
            except Exception as error:  # noqa: BLE001 - Whatever failed, the waiting callers must end.
                self._fail(batch, error)
                continue
            start = 0
            for group, future in batch:
                end = start + len(group)
                if not future.done():
                    future.set_result(results[start:end])
                start = end
            self._connection.release()

    def _take(self) -> list[_Waiting[Query, Result]]:
        """Take a batch. Queries made together stay together, whatever their number."""
        batch = [self._waiting.popleft()]
        size = len(batch[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= LARGEST_BATCH:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][0])
        return batch

    async def _results(self, queries: Sequence[Query]) -> Sequence[Result]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        results = await self._ask(self._connection, queries)
        if len(results) != len(queries):
            # With a result missing, all others would be matched to the wrong queries.
            raise StorageError("the database returned another number of rows than requested")
        return results

    def _fail(self, batch: Sequence[_Waiting[Query, Result]], error: Exception) -> None:
        # The connection's state is unknown: the next batch opens another one.
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        # paraph's own text is safe to repeat; the driver's is not.
        known = error if isinstance(error, StorageError) else failed(error)
        for _, future in batch:
            if not future.done():
                # A new exception for each, because a raised one collects tracebacks.
                future.set_exception(type(known)(known.detail, remedy=known.remedy))

    async def close(self) -> None:
        """Close the connection after the pending queries."""
        if self._work is not None:
            await self._work
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
