"""Budgets: how much one address may make us do.

Starts are cheap and get a generous budget. Exchanges make us call Zoom, so they are counted,
never the requests that arrive: random requests fail before they cost a call, and must not use
up what an honest person behind the same address needs (RFC 6819 section 4.4.1.12).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from paraph.errors import Busy, Conflict

_REMEMBERED = 20_000


class RateBudget:
    """A token bucket for each address, in bounded memory.

    Args:
        burst: how many at once.
        per_second: how fast they come back.
        clock: seconds, monotonic.
    """

    def __init__(self, *, burst: float, per_second: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, address: str) -> None:
        """Take one. `Busy` when the address has none left."""
        now = self._clock()
        level, since = self._levels.pop(address, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._per_second)
        spent = level >= 1
        self._levels[address] = (level - 1 if spent else level, now)
        if len(self._levels) > _REMEMBERED:
            self._levels.popitem(last=False)
        if not spent:
            raise Busy("an address has used up its budget")

    def give_back(self, address: str) -> None:
        """Return one that was taken and not needed."""
        level, since = self._levels.get(address, (self._burst, self._clock()))
        self._levels[address] = (min(self._burst, level + 1), since)


class ExchangeBudget:
    """How many exchanges run at once and how often, for an address and in all."""

    def __init__(
        self, rate: RateBudget, *, at_once: int = 48, at_once_per_address: int = 6
    ) -> None:
        self._rate = rate
        self._at_once = at_once
        self._per_address = at_once_per_address
        self._running: dict[str, int] = {}

    @asynccontextmanager
    async def place(self, address: str) -> AsyncIterator[None]:
        """One exchange. `Busy` when there is no place, before anything has been used up.

        Where the state turns out to have been used, Zoom was not asked: that costs the address
        nothing, or one flow, replayed, would lock out everybody behind it.
        """
        mine = self._running.get(address, 0)
        if mine >= self._per_address or sum(self._running.values()) >= self._at_once:
            raise Busy("too many exchanges at once")
        self._rate.spend(address)
        self._running[address] = mine + 1
        try:
            yield
        except Conflict:
            self._rate.give_back(address)
            raise
        finally:
            left = self._running[address] - 1
            if left:
                self._running[address] = left
            else:
                del self._running[address]
