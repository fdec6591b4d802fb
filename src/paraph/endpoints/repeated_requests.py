"""Repeated requests for an authorization response that this browser has brought before.

A double click sends two requests at once, perhaps to two replicas. The second one waits for the
first, for a time that people accept; then its page asks to be loaded again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from paraph.http.rate_limit import RateLimit
from paraph.installs.pending_authorization import used_state_hash
from paraph.lifecycle.context import Context
from paraph.lifecycle.outcome import Outcome, StateUsed, find_outcome
from paraph.secret import Secret

# Used states are refused from memory: a replayed state costs one query of the store in total.
_REMEMBERED = 4096
WAIT_SECONDS = 10.0
# Seconds between queries about a request that another replica is processing.
POLL_SECONDS = 0.25
# A person reloads a few times. More requests for one flow are not a person's.
_BURST, _PER_SECOND = 30, 1.0
_MOST_WAITING = 64

Found = Outcome | Literal["running", "over", "unused"] | None
"""The result of `find_outcome`."""


class Repeats:
    """Finds outcomes, and waits for those that are being made.

    Args:
        context: the app's context.
        monotonic: seconds, for durations.
    """

    def __init__(self, context: Context, monotonic: Callable[[], float]) -> None:
        self._context = context
        self._monotonic = monotonic
        self._running: dict[bytes, asyncio.Event] = {}
        self._over: OrderedDict[bytes, None] = OrderedDict()
        self._waiting = 0
        self._rate = RateLimit(burst=_BURST, per_second=_PER_SECOND, clock=monotonic)

    def is_known(self, state: Secret) -> bool:
        """Return true if this process has seen the state being used: no exchange can begin."""
        state_hash = used_state_hash(state)
        return state_hash in self._running or state_hash in self._over

    @asynccontextmanager
    async def first(self, state: Secret) -> AsyncIterator[None]:
        """Process the first request of a state; others wait until the block ends.

        Raises:
            StateUsed: a request with this state is being processed.
        """
        state_hash = used_state_hash(state)
        if state_hash in self._running:
            raise StateUsed("a request with this state is being processed")
        ended = self._running[state_hash] = asyncio.Event()
        try:
            yield
        finally:
            del self._running[state_hash]
            ended.set()

    def note_over(self, state: Secret) -> None:
        """Remember that a used state has no outcome to return."""
        self._over[used_state_hash(state)] = None
        if len(self._over) > _REMEMBERED:
            self._over.popitem(last=False)

    async def find(self, state: Secret) -> Found:
        """Wait for the outcome of a used state and return it; see `find_outcome`.

        Raises:
            Busy: too many requests for this flow.
            StorageError: the database did not answer.
        """
        state_hash = used_state_hash(state)
        if state_hash in self._over:
            return None
        self._rate.spend(state_hash.hex())
        found = await self._wait(state_hash, state)
        if found is None:
            self.note_over(state)
        return found

    async def _wait(self, state_hash: bytes, state: Secret) -> Found:
        deadline = self._monotonic() + WAIT_SECONDS
        self._waiting += 1
        try:
            while True:
                here = self._running.get(state_hash)
                if here is None:
                    found = await find_outcome(self._context, state)
                    if found != "running":
                        return found
                left = deadline - self._monotonic()
                if left <= 0 or self._waiting > _MOST_WAITING:
                    return "running"
                if here is None:
                    await asyncio.sleep(min(POLL_SECONDS, left))
                else:
                    await _until(here, left)
        finally:
            self._waiting -= 1


async def _until(ended: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await ended.wait()
    except TimeoutError:
        return
