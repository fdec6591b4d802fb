"""What every inbox owes, whatever keeps it: a file, a PostgreSQL, a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from databases import new_sqlite
from events.inbox_kit import keep, kept, meeting, open_context, removal
from nats_server import NatsServer
from paraph.events.inbox import Inbox
from paraph.events.jetstream import JetStreamInbox, open_jetstream
from paraph.lifecycle.context import Context
from paraph.storage.records import EventStatus, KeptEvent, Outcome
from storage import sample

pytestmark = pytest.mark.anyio

KINDS = ["sqlite", "postgresql", "jetstream"]


@dataclass
class Place:
    """Where an inbox can be opened, again and again."""

    database_url: str
    events_url: str

    @asynccontextmanager
    async def open(self, *, installed: bool = True) -> AsyncIterator[Box]:
        """One life of the inbox."""
        async with open_context(
            self.database_url, ring=sample.ring(), installed=installed
        ) as context:
            if not self.events_url:
                yield Box(context, Inbox(context), None)
                return
            async with open_jetstream(context, self.events_url, fresh_seconds=8000) as stream:
                inbox = Inbox(context, stream)
                carrying = asyncio.create_task(stream.carry(inbox.arrived))
                yield Box(context, inbox, stream)
                carrying.cancel()
                with suppress(asyncio.CancelledError):
                    await carrying


@dataclass
class Box:
    """An open inbox."""

    context: Context
    inbox: Inbox
    stream: JetStreamInbox | None

    async def keep(self, content: Any) -> Outcome:
        """Deliver one event."""
        return await keep(self.inbox, content)

    async def kept(self) -> list[KeptEvent]:
        """What stands in the table, once the stream is empty."""
        while self.stream is not None:
            if not await self.stream.waiting():
                break
            await asyncio.sleep(0.02)
        return await kept(self.context)


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    """One server that flushes before it acknowledges."""
    server = NatsServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of each kind."""
    if request.param == "postgresql":
        return Place(request.getfixturevalue("postgresql_url"), "")
    if request.param == "jetstream":
        server: NatsServer = request.getfixturevalue("nats")
        server.forget()
        return Place(new_sqlite(tmp_path / "paraph.db"), server.events_url)
    return Place(new_sqlite(tmp_path / "paraph.db"), "")


async def test_an_event_is_kept_once(place: Place) -> None:
    """Twenty at once, and one later: one event, and twenty duplicates that are answered alike."""
    async with place.open() as box:
        outcomes = await asyncio.gather(*(box.keep(meeting()) for _ in range(20)))
        assert 1 == outcomes.count(Outcome.KEPT)
        assert Outcome.DUPLICATE is await box.keep(meeting())
        assert 1 == len(await box.kept())


async def test_many_at_once_are_all_kept(place: Place) -> None:
    """Three hundred, each of them twice."""
    async with place.open() as box:
        contents = [meeting(str(number % 300)) for number in range(600)]
        outcomes = await asyncio.gather(*map(box.keep, contents))
        assert (300, 300) == (outcomes.count(Outcome.KEPT), outcomes.count(Outcome.DUPLICATE))
        assert 300 == len(await box.kept())


async def test_an_event_survives_the_process(place: Place) -> None:
    """What was answered is there when the store is opened again, and known as a duplicate."""
    async with place.open() as box:
        assert Outcome.KEPT is await box.keep(meeting())
    async with place.open(installed=False) as box:
        (one,) = await box.kept()
        assert b"canary-topic-1" in (one.body or b"")
        assert Outcome.DUPLICATE is await box.keep(meeting())


async def test_what_is_nobodys_is_not_kept(place: Place) -> None:
    """Another account, no account, another client's removal: no row."""
    without = meeting()
    del without["payload"]["account_id"]
    async with place.open() as box:
        for content in (meeting(account_id="another"), without, removal(client_id="another")):
            outcome = await box.keep(content)
            # A stream takes it in and finds out when it is carried into the table.
            assert outcome is Outcome.NOT_OURS or box.stream is not None
        assert [] == await box.kept()


async def test_a_removal_is_kept_also_for_an_unknown_account(place: Place) -> None:
    """It may have overtaken the installation that it ends."""
    async with place.open() as box:
        assert Outcome.KEPT is await box.keep(removal(account_id="another"))
        assert [True] == [one.urgent for one in await box.kept()]


async def test_a_long_body_is_kept(place: Place) -> None:
    """Up to the megabyte that the face takes, whatever a stream's messages may be."""
    async with place.open() as box:
        assert Outcome.KEPT is await box.keep(meeting(notes="n" * ((1 << 20) - 1000)))
        assert Outcome.DUPLICATE is await box.keep(meeting(notes="n" * ((1 << 20) - 1000)))
        assert 1 == len(await box.kept())


async def test_what_nobody_wants_is_kept_as_handed_on(place: Place) -> None:
    """One write, then: nothing has to be taken up, and nobody is woken; a removal waits as ever."""
    async with place.open() as box:
        inbox = Inbox(box.context, box.stream, wanted=False)
        assert Outcome.KEPT is await keep(inbox, meeting())
        assert Outcome.DUPLICATE is await keep(inbox, meeting())
        (event,) = await box.kept()
        assert (EventStatus.HANDED_ON, event.received_at) == (event.status, event.handed_on_at)
        assert not any(signal.is_set() for signal in inbox.arrived.values())
        assert Outcome.KEPT is await keep(inbox, removal())
        assert EventStatus.RECEIVED is (await box.kept())[-1].status


async def test_the_order_of_arrival_is_kept(place: Place) -> None:
    """Each event of a process arrives after the one before."""
    async with place.open() as box:
        for number in range(20):
            await box.keep(meeting(f"{number:02d}"))
        marks = [(one.body or b"").split(b'"uuid": "')[1][:2] for one in await box.kept()]
    assert [f"{number:02d}".encode() for number in range(20)] == marks


async def test_no_body_stands_in_clear(tmp_path: Path) -> None:
    """Topics and download tokens are ciphertext wherever they are written."""
    async with open_context(new_sqlite(tmp_path / "paraph.db")) as context:
        await keep(Inbox(context), meeting())
        content = _everything_in(tmp_path)
    assert b"meeting.ended" in content
    assert b"canary" not in content


def _everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
