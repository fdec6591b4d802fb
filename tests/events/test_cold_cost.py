"""A lonely event wakes no more than it needs: what it costs is tested by number."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from databases import new_sqlite
from events.dispatch_kit import Host, dispatching
from events.inbox_kit import keep, meeting, open_context
from loop_count import beyond, counted, fewest
from paraph.events.dispatch import Dispatcher
from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("log")]

ROUNDS = 3


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    """A context on SQLite, whose driver runs in threads that can be counted."""
    async with open_context(new_sqlite(tmp_path / "paraph.db")) as opened:
        yield opened


async def test_an_event_that_is_only_kept(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One commit in one switch to the thread, one line, and one timer for a store that hangs."""
    inbox, rounds = Inbox(context, wanted=False), list[Counter[str]]()
    await keep(inbox, meeting("warm"))
    for number in range(ROUNDS):
        with counted(monkeypatch) as counts:
            await keep(inbox, meeting(str(number)))
            await inbox.close()
        rounds.append(counts)

    most = {"tasks": 1, "timers": 1, "calls from threads": 1, "log writes": 1}
    assert {} == beyond(fewest(rounds), most)


async def test_an_event_that_is_forwarded(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two more transactions, each with one switch to begin, one a statement, and one to commit."""
    stored = asyncio.Event()
    monkeypatch.setattr(Dispatcher, "_written", lambda _self, _events: stored.set())
    inbox, rounds = Inbox(context), list[Counter[str]]()
    async with dispatching(context, Host(), inbox=inbox):
        for number in range(1 + ROUNDS):
            with counted(monkeypatch) as counts:
                await keep(inbox, meeting(str(number)))
                await stored.wait()
            stored.clear()
            rounds.append(counts)

    most = {"tasks": 10, "timers": 5, "calls from threads": 8, "log writes": 2}
    assert {} == beyond(fewest(rounds[1:]), most)
