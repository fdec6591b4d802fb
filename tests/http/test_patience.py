"""One timer ends whatever takes too long, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from paraph.http.patience import Patience

pytestmark = pytest.mark.anyio


async def _wait(patience: Patience, seconds: float) -> str:
    try:
        with patience:
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "too slow"
    # Nothing of a cancellation is left over for what comes next.
    await asyncio.sleep(0)
    return "in time"


async def test_only_what_is_overdue_is_ended() -> None:
    """Those that began together, before and after each other."""
    patience = Patience(0.1)
    outcomes = await asyncio.gather(*(_wait(patience, one) for one in (0, 5, 0.01, 5, 0)))
    assert ["in time", "too slow", "in time", "too slow", "in time"] == outcomes
    late = asyncio.create_task(_wait(patience, 0.05))
    assert "too slow" == await _wait(patience, 5)
    assert "in time" == await late


async def test_a_task_goes_on_afterwards() -> None:
    """It can wait again, and be cancelled by others as ever."""
    patience = Patience(0.02)
    assert ["too slow", "in time"] == [await _wait(patience, 5), await _wait(patience, 0)]

    long = asyncio.create_task(_wait(Patience(5), 5))
    await asyncio.sleep(0)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_a_cancellation_from_outside_is_not_mistaken_for_ours() -> None:
    """Both at once: the task is cancelled."""
    patience = Patience(0.02)

    async def wait() -> str:
        with patience:
            await asyncio.sleep(5)
        return "never"

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    patience._end_overdue()
    asyncio.get_running_loop().call_later(0.02, lambda: None)
    patience._until = dict.fromkeys(patience._until, 0.0)
    patience._end_overdue()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_block_is_its_own() -> None:
    """What is raised inside arrives outside."""
    with pytest.raises(ValueError, match="mine"), Patience(1):
        raise ValueError("mine")
