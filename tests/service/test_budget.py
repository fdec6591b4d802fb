from __future__ import annotations

import asyncio

import pytest

from paraph.errors import Busy, Conflict
from paraph.service.budget import ExchangeBudget, RateBudget


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def spend(budget: RateBudget, address: str, times: int) -> int:
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
    budget = RateBudget(burst=5, per_second=2, clock=clock)

    assert 5 == spend(budget, "a", 9)
    clock.now += 1
    assert 2 == spend(budget, "a", 9)
    clock.now += 1000
    assert 5 == spend(budget, "a", 9)


def test_addresses_do_not_share() -> None:
    """One address cannot use up what another needs."""
    budget = RateBudget(burst=3, per_second=0, clock=Clock())

    assert [3, 3] == [spend(budget, "a", 9), spend(budget, "b", 9)]


def test_a_million_addresses_take_bounded_memory() -> None:
    """The oldest are forgotten; a flood of addresses cannot fill the memory."""
    budget = RateBudget(burst=1, per_second=0, clock=Clock())
    for number in range(25_000):
        budget.spend(str(number))

    assert 20_000 == len(budget._levels)


@pytest.mark.anyio
async def test_one_address_does_not_take_every_place() -> None:
    """Slow exchanges of one address leave room for others; a place comes back when it ends."""
    budget = ExchangeBudget(
        RateBudget(burst=100, per_second=0, clock=Clock()), at_once=4, at_once_per_address=3
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
    budget = ExchangeBudget(RateBudget(burst=2, per_second=0, clock=Clock()))
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
    budget = RateBudget(burst=2, per_second=0, clock=Clock())
    for _ in range(5):
        budget.give_back("a")

    assert 2 == spend(budget, "a", 9)
