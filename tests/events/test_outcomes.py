"""What became of events is written together, once, and told once."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import pytest

from databases import new_sqlite
from events.inbox_kit import keep, kept, meeting, open_context
from paraph.events import outcomes
from paraph.events.inbox import Inbox
from paraph.events.outcomes import AttemptOutcome, OutcomeWriter
from paraph.lifecycle.context import Context
from paraph.logs import set_up_logs
from paraph.model.event import EventStatus, KeptEvent
from paraph.storage.database import Database
from paraph.storage.scope import Scope
from paraph.storage.transaction import Transaction

pytestmark = pytest.mark.anyio


@pytest.fixture
async def lines() -> AsyncIterator[io.StringIO]:
    """The log as the service writes it."""
    stream = io.StringIO()
    set_up_logs(stream=stream, as_json=True)
    yield stream
    set_up_logs()


async def claimed(context: Context, count: int) -> list[KeptEvent]:
    """So many events under way."""
    inbox, now = Inbox(context), int(time.time()) + 1
    await asyncio.gather(*(keep(inbox, meeting(str(number))) for number in range(count)))
    async with context.store.transaction() as tx:
        return list(
            (await tx.events.claim(now=now, until=now + 60, limit=count, urgent=False)).events
        )


async def test_only_an_outcome_that_leaves_work_is_heard(context: Context) -> None:
    """A forwarded event makes nothing due; a later attempt must be waited for."""
    forwarded, postponed = await claimed(context, 2)
    heard = asyncio.Event()
    context.store.listen(heard.set)
    writer = OutcomeWriter(context)
    writer.add(AttemptOutcome.forwarded(forwarded))
    await writer.close()
    assert not heard.is_set()

    writer = OutcomeWriter(context)
    writer.add(AttemptOutcome.postponed(postponed, "refused", at=int(time.time()) + 60))
    await writer.close()
    assert heard.is_set()


async def test_outcomes_gather(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends within a moment shares one transaction, however it ended."""
    events = await claimed(context, 30)
    begun = 0
    transaction = Database.transaction

    def counted(
        store: Database, *scopes: Scope, **options: bool
    ) -> AbstractAsyncContextManager[Transaction]:
        nonlocal begun
        begun += 1
        return transaction(store, *scopes, **options)

    monkeypatch.setattr(Database, "transaction", counted)
    writer = OutcomeWriter(context)
    for event in events[:20]:
        writer.add(AttemptOutcome.forwarded(event))
        await asyncio.sleep(0)
    for event in events[20:]:
        writer.add(AttemptOutcome.released(event))
    await writer.close()
    assert 1 == begun
    assert 20 == len(await kept(context, EventStatus.FORWARDED))
    assert {0} == {one.attempts for one in await kept(context, EventStatus.RECEIVED)}


async def test_a_close_does_not_wait(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gathers when the end comes is written at once."""
    monkeypatch.setattr(outcomes, "GATHER_SECONDS", 3600.0)
    (event,) = await claimed(context, 1)
    writer = OutcomeWriter(context, gather=3600.0)
    writer.add(AttemptOutcome.forwarded(event))
    await asyncio.sleep(0.01)
    await writer.close()
    assert [EventStatus.FORWARDED] == [one.status for one in await kept(context)]


async def test_a_full_batch_is_written_at_once(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing gathers beyond what one transaction takes."""
    monkeypatch.setattr(outcomes, "LARGEST", 10)
    written = asyncio.Event()
    writer = OutcomeWriter(context, gather=3600.0, written=lambda _events: written.set())
    for event in await claimed(context, 10):
        writer.add(AttemptOutcome.forwarded(event))
    await written.wait()
    assert 10 == len(await kept(context, EventStatus.FORWARDED))


async def test_an_event_is_told_of_once(
    tmp_path: Path, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that cannot write for a while doubles no line, and loses no outcome."""
    monkeypatch.setattr(outcomes, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr("paraph.storage.engines.sqlite.BUSY_SECONDS", 0.05)
    file = tmp_path / "paraph.db"
    async with open_context(new_sqlite(Path(file))) as context:
        events = await claimed(context, 3)
        writer = OutcomeWriter(context)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writer.add(AttemptOutcome.forwarded(events[0]))
            writer.add(AttemptOutcome.postponed(events[1], "transport: once", at=1))
            while "dispatch.not_noted" not in lines.getvalue():  # noqa: ASYNC110 - A log signals nothing.
                await asyncio.sleep(0.01)
            writer.add(AttemptOutcome.forwarded(events[2]))
            other.execute("ROLLBACK")
        await writer.close()
        assert 2 == len(await kept(context, EventStatus.FORWARDED))
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [events[0].event_id[:16], events[2].event_id[:16]] == [
        line["event_id"] for line in told if line["event"] == "event.forwarded"
    ]
    assert {"part": "dispatch", "event_name": "meeting.ended", "attempts": 1}.items() <= next(
        line for line in told if line["event"] == "event.forwarded"
    ).items()
