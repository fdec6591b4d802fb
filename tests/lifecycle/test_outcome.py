"""The outcome of a used state: running, kept for a minute, or over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from events.inbox_kit import open_context
from installing import install
from paraph.installs.pending_authorization import OUTCOME_SECONDS
from paraph.lifecycle.context import Context
from paraph.lifecycle.installation import use_state
from paraph.lifecycle.outcome import (
    RUNNING_SECONDS,
    Outcome,
    find_outcome,
    keep_failure,
    keep_outcome,
)
from paraph.secret import Secret
from paraph.storage.scope import NOTHING_READ

pytestmark = pytest.mark.anyio

STATE = Secret("s" * 43)
FAILED = Outcome("failed", status=403, title="No", lines=("a", "b"))


@pytest.fixture
async def context(database_url: str) -> AsyncIterator[Context]:
    """A context over a new database of each kind."""
    async with open_context(database_url, installed=False) as context:
        yield context


def later(context: Context, seconds: int) -> Context:
    """The same context, later."""
    return replace(context, clock=lambda: context.clock() + seconds)


async def test_a_state_is_unused_then_running_then_over(context: Context) -> None:
    """A request that never ends leaves no outcome, and nobody waits for it for ever."""
    assert "unused" == await find_outcome(context, STATE)
    await use_state(context, STATE)
    assert "running" == await find_outcome(context, STATE)
    assert await find_outcome(later(context, RUNNING_SECONDS + 1), STATE) is None
    assert "unused" == await find_outcome(context, Secret("t" * 43))


async def test_an_outcome_is_kept_for_a_minute(context: Context) -> None:
    """From the end of the flow, whenever it began."""
    await use_state(context, STATE)
    ended = later(context, RUNNING_SECONDS - 5)
    assert await keep_failure(ended, STATE, FAILED)
    assert FAILED == await find_outcome(later(ended, OUTCOME_SECONDS - 2), STATE)
    assert await find_outcome(later(ended, OUTCOME_SECONDS + 1), STATE) is None


async def test_a_failure_replaces_no_success(context: Context) -> None:
    """A commit that was not confirmed may have kept the handoff, which exists nowhere else."""
    await use_state(context, STATE)
    kept = Outcome("failed", status=200, title="as a success")
    async with context.store.transaction(NOTHING_READ) as tx:
        await keep_outcome(tx, context, STATE, kept)
    assert await keep_failure(context, STATE, FAILED)
    assert kept == await find_outcome(context, STATE)


async def test_an_installation_that_is_gone_is_over(context: Context) -> None:
    """Only an installation that is there and works is told as one."""
    installation_id = await install(context, 1)
    await use_state(context, STATE)
    for number, expected in ((installation_id, True), ("gone", False)):
        async with context.store.transaction(NOTHING_READ) as tx:
            await keep_outcome(tx, context, STATE, Outcome("installed", installation_id=number))
        found = await find_outcome(context, STATE)
        assert expected is isinstance(found, Outcome)
        assert expected or "over" == found


async def test_an_outcome_shows_no_handoff() -> None:
    """The code of a handoff stays out of logs and tracebacks."""
    assert "canary" not in repr(Outcome("handoff", handoff="canary"))
