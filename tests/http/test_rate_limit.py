from __future__ import annotations

import asyncio

import pytest

from paraph.errors import Busy, Conflict, InvalidGrant
from paraph.http.rate_limit import ExchangeLimit, FailedExchanges, RateLimit


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def spend(budget: RateLimit, address: str, times: int) -> int:
    """How many of so many were given."""
    given = 0
    for _ in range(times):
        try:
            budget.spend(address)
        except Busy:
            continue
        given += 1
    return given


def test_a_burst_then_the_rate() -> None:
    """So many at once, then as many as time brings back, never more than the burst."""
    clock = Clock()
    budget = RateLimit(burst=5, per_second=2, clock=clock)

    assert 5 == spend(budget, "a", 9)
    clock.now += 1
    assert 2 == spend(budget, "a", 9)
    clock.now += 1000
    assert 5 == spend(budget, "a", 9)


def test_addresses_do_not_share() -> None:
    """One address cannot use up what another needs."""
    budget = RateLimit(burst=3, per_second=0, clock=Clock())

    assert [3, 3] == [spend(budget, "a", 9), spend(budget, "b", 9)]


def test_a_million_addresses_take_bounded_memory() -> None:
    """The oldest are forgotten; a flood of addresses cannot fill the memory."""
    budget = RateLimit(burst=1, per_second=0, clock=Clock())
    for number in range(25_000):
        budget.spend(str(number))

    assert 20_000 == len(budget._levels)


@pytest.mark.anyio
async def test_one_address_does_not_take_every_place() -> None:
    """Slow exchanges of one address leave room for others; a place comes back when it ends."""
    budget = ExchangeLimit(
        RateLimit(burst=100, per_second=0, clock=Clock()), at_once=4, at_once_per_address=3
    )
    go = asyncio.Event()

    async def exchange(address: str) -> str:
        try:
            async with budget.place(address):
                await go.wait()
        except Busy:
            return "busy"
        return "done"

    first = [asyncio.create_task(exchange("a")) for _ in range(5)]
    await asyncio.sleep(0)
    second = [asyncio.create_task(exchange(one)) for one in ("b", "c")]
    await asyncio.sleep(0)
    go.set()

    assert ["done", "done", "done", "busy", "busy"] == await asyncio.gather(*first)
    assert ["done", "busy"] == await asyncio.gather(*second)
    assert "done" == await exchange("a")
    assert {} == budget._running


@pytest.mark.anyio
async def test_a_used_state_costs_the_address_nothing() -> None:
    """Zoom was not asked, so an exchange is left: one flow, replayed, locks out nobody."""
    budget = ExchangeLimit(RateLimit(burst=2, per_second=0, clock=Clock()))
    for _ in range(9):
        with pytest.raises(Conflict):
            async with budget.place("a"):
                raise Conflict

    async with budget.place("a"):
        pass
    async with budget.place("a"):
        pass
    with pytest.raises(Busy):
        async with budget.place("a"):
            pass


def test_what_is_given_back_never_exceeds_the_burst() -> None:
    """Also for an address that was forgotten meanwhile."""
    budget = RateLimit(burst=2, per_second=0, clock=Clock())
    for _ in range(5):
        budget.give_back("a")

    assert 2 == spend(budget, "a", 9)


def test_a_whole_48_has_a_limit_of_its_own() -> None:
    """A /48 of 65,536 /64 may do four times what one of them may, and comes back at that rate."""
    clock = Clock()
    budget = RateLimit(burst=5, per_second=1, clock=clock)
    addresses = [f"2001:db8:1:{number:x}::/64" for number in range(0, 65_536, 256)]

    assert 20 == sum(spend(budget, address, 5) for address in addresses)
    assert 5 == spend(budget, "2001:db8:2::/64", 9)
    clock.now += 1
    assert 4 == sum(spend(budget, address, 1) for address in addresses)


def test_a_whole_56_has_a_limit_of_its_own() -> None:
    """A /56 may do twice what one /64 may."""
    budget = RateLimit(burst=5, per_second=0, clock=Clock())

    assert 10 == sum(spend(budget, f"2001:db8:1:{n:x}::/64", 5) for n in range(256))


def test_a_refused_address_costs_its_network_nothing() -> None:
    """Neighbours keep what they have, however often one of them asks in vain."""
    budget = RateLimit(burst=5, per_second=0, clock=Clock())

    assert 5 == spend(budget, "2001:db8:1::/64", 1000)
    assert 5 == spend(budget, "2001:db8:1:1::/64", 9)


def test_what_is_given_back_counts_for_the_networks_too() -> None:
    """One that was not needed is left for everybody around."""
    budget = RateLimit(burst=1, per_second=0, clock=Clock())
    for number in range(50):
        budget.spend(f"2001:db8:1:{number:x}::/64")
        budget.give_back(f"2001:db8:1:{number:x}::/64")


@pytest.mark.anyio
async def test_a_whole_48_does_not_take_every_place() -> None:
    """While Zoom is slow, any number of /64 of one /48 leaves places for others."""
    budget = ExchangeLimit(RateLimit(burst=100, per_second=0, clock=Clock()))
    go = asyncio.Event()

    async def exchange(address: str) -> bool:
        try:
            async with budget.place(address):
                await go.wait()
        except Busy:
            return False
        return True

    attack = [asyncio.create_task(exchange(f"2001:db8:1:{n:x}::/64")) for n in range(100)]
    # A few more networks: the last places are for those that have none.
    attack += [
        asyncio.create_task(exchange(f"2001:db8:{n:x}:{m:x}::/64"))
        for n in range(2, 6)
        for m in range(20)
    ]
    await asyncio.sleep(0)
    honest = [asyncio.create_task(exchange(f"203.0.113.{n}")) for n in range(8)]
    await asyncio.sleep(0)
    go.set()

    assert [True] * 8 == await asyncio.gather(*honest)
    taken = await asyncio.gather(*attack)
    assert 12 == sum(taken[:100])
    assert ({}, {}) == (budget._running, budget._running_in)


@pytest.mark.anyio
async def test_failed_exchanges_have_one_limit_in_all() -> None:
    """From however many networks: Zoom is not asked more often; honest people still get through."""
    clock = Clock()
    failed = FailedExchanges(
        clock=clock, burst=10, per_second=0, others_burst=5, others_per_second=1
    )
    budget = ExchangeLimit(RateLimit(burst=100, per_second=0, clock=clock), failed=failed)

    async def fails(address: str) -> bool:
        try:
            async with budget.place(address):
                raise InvalidGrant  # noqa: TRY301 - As Zoom's answer does.
        except Busy:
            return False
        except InvalidGrant:
            return True

    async def succeeds(address: str) -> bool:
        try:
            async with budget.place(address):
                return True
        except Busy:
            return False

    networks = [f"2001:db8:{number:x}::/64" for number in range(40)]
    assert 15 == sum([await fails(address) for address in networks])
    assert not await succeeds(networks[0])
    assert not await succeeds("203.0.113.9")
    clock.now += 1
    assert await succeeds("203.0.113.9")


@pytest.mark.anyio
async def test_exchanges_that_succeed_are_not_counted() -> None:
    """A good day exhausts nothing."""
    failed = FailedExchanges(clock=Clock(), burst=1, per_second=0, others_burst=0)
    budget = ExchangeLimit(RateLimit(burst=100, per_second=0, clock=Clock()), failed=failed)
    for _ in range(50):
        async with budget.place("203.0.113.9"):
            pass
