"""Rate limits: how much work one address, and one network of addresses, may cause.

Starts are cheap and get a generous limit. Exchanges call Zoom, so exchanges are counted, not
the requests that arrive. Random requests fail before they cost a call. They must not use up the
limit of honest users behind the same address (RFC 6819 section 4.4.1.12).

An IPv6 client is counted by its /64, and by the /56 and the /48 around it, since one person may
own any of them. The wider ones allow more, because they may also be an office or a provider.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from paraph.errors import Busy, Conflict, TokenErrorResponse
from paraph.http.client_address import wider_networks

_REMEMBERED = 20_000
_BLAMED_SECONDS = 600.0
# The factors by which a /56 and a /48 may do more than a /64.
_WIDER_FACTORS = (2.0, 4.0)


class RateLimit:
    """A token bucket for each address, in bounded memory.

    Args:
        burst: the number of tokens of a full bucket.
        per_second: the number of tokens added each second.
        clock: seconds, monotonic.
    """

    def __init__(self, *, burst: float, per_second: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, address: str) -> None:
        """Take one token. Raises `Busy` if the address or a network around it has no token left."""
        now = self._clock()
        names = (address, *wider_networks(address))
        levels = [self._level(name, factor, now) for name, factor in self._with_factors(names)]
        # From all or from none: a refused address must not use up its network's limit.
        taken = 1 if min(levels) >= 1 else 0
        for name, level in zip(names, levels, strict=True):
            self._levels[name] = (level - taken, now)
            self._levels.move_to_end(name)
        while len(self._levels) > _REMEMBERED:
            self._levels.popitem(last=False)
        if not taken:
            raise Busy("an address has used up its rate limit")

    def give_back(self, address: str) -> None:
        """Return a token that was taken and not needed."""
        now = self._clock()
        for name, factor in self._with_factors((address, *wider_networks(address))):
            level, since = self._levels.get(name, (self._burst * factor, now))
            self._levels[name] = (min(self._burst * factor, level + 1), since)

    def _level(self, name: str, factor: float, now: float) -> float:
        level, since = self._levels.get(name, (self._burst * factor, now))
        return min(self._burst * factor, level + (now - since) * self._per_second * factor)

    @staticmethod
    def _with_factors(names: tuple[str, ...]) -> list[tuple[str, float]]:
        return list(zip(names, (1.0, *_WIDER_FACTORS)[: len(names)], strict=True))


def start_limit(clock: Callable[[], float]) -> RateLimit:
    """Return the limit for starts of installs."""
    return RateLimit(burst=120, per_second=2, clock=clock)


class FailedExchanges:
    """One global limit for exchanges that Zoom refuses.

    An attacker with real starts and invented codes must not flood Zoom through this service from
    many addresses. While the limit is reached, addresses whose own exchanges failed are refused.
    Other addresses continue at a separate rate, so that deliberate failures lock out no honest
    user.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        burst: float = 60,
        per_second: float = 0.5,
        others_burst: float = 20,
        others_per_second: float = 2,
    ) -> None:
        self._failed = RateLimit(burst=burst, per_second=per_second, clock=clock)
        self._others = RateLimit(burst=others_burst, per_second=others_per_second, clock=clock)
        self._clock = clock
        self._blamed: OrderedDict[str, float] = OrderedDict()

    def admit(self, address: str) -> bool:
        """Take one token, in case this exchange fails.

        Returns:
            True if a token was taken; `settle` returns it if the exchange succeeds.

        Raises:
            Busy: too many exchanges have failed.
        """
        try:
            self._failed.spend("")
        except Busy:
            blamed_at = self._blamed.get(_network_of(address))
            if blamed_at is not None and self._clock() - blamed_at < _BLAMED_SECONDS:
                raise
            self._others.spend("")
            return False
        return True

    def settle(self, address: str, *, failed: bool, taken: bool) -> None:
        """Record how an admitted exchange ended."""
        if failed:
            network = _network_of(address)
            self._blamed[network] = self._clock()
            self._blamed.move_to_end(network)
            if len(self._blamed) > _REMEMBERED:
                self._blamed.popitem(last=False)
        elif taken:
            self._failed.give_back("")


class ExchangeLimit:
    """Limits exchanges, at once and over time: for an address, for its network, and in total.

    The last slots are reserved for networks without an exchange under way. So a few networks
    cannot lock out all others while Zoom is slow.
    """

    def __init__(
        self,
        rate: RateLimit,
        *,
        at_once: int = 48,
        at_once_per_address: int = 6,
        failed: FailedExchanges | None = None,
    ) -> None:
        self._rate = rate
        self._failed = failed
        self._at_once = at_once
        self._reserved = at_once // 4
        self._per_address = at_once_per_address
        self._per_network = 2 * at_once_per_address
        self._running: dict[str, int] = {}
        self._running_in: dict[str, int] = {}

    @asynccontextmanager
    async def place(self, address: str) -> AsyncIterator[None]:
        """Hold a slot for one exchange.

        If the state turns out to have been used, Zoom was not called and the address is charged
        nothing. Otherwise one replayed flow would lock out every user behind the same address.

        Raises:
            Busy: no slot is free; nothing has been used up.
        """
        network = _network_of(address)
        self._demand_place(address, network)
        self._rate.spend(address)
        taken = False
        if self._failed is not None:
            try:
                taken = self._failed.admit(address)
            except Busy:
                self._rate.give_back(address)
                raise
        failed = False
        _add(self._running, address, 1)
        _add(self._running_in, network, 1)
        try:
            yield
        except Conflict:
            self._rate.give_back(address)
            raise
        except TokenErrorResponse:
            failed = True
            raise
        finally:
            _add(self._running, address, -1)
            _add(self._running_in, network, -1)
            if self._failed is not None:
                self._failed.settle(address, failed=failed, taken=taken)

    def _demand_place(self, address: str, network: str) -> None:
        free = self._at_once - sum(self._running.values())
        theirs = self._running_in.get(network, 0)
        if (
            free <= 0
            or self._running.get(address, 0) >= self._per_address
            or theirs >= self._per_network
            or (free <= self._reserved and theirs)
        ):
            raise Busy("too many exchanges at once")


def _network_of(address: str) -> str:
    """Return the /48 of an IPv6 address; an IPv4 address itself."""
    return (address, *wider_networks(address))[-1]


def _add(counts: dict[str, int], name: str, more: int) -> None:
    left = counts.get(name, 0) + more
    if left:
        counts[name] = left
    else:
        del counts[name]
