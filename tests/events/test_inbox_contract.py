"""What every inbox owes, whatever keeps it: a file, a PostgreSQL, a stream."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from databases import new_sqlite
from events.inbox_kit import install, keep, kept, meeting, open_context, removal
from nats_server import NatsServer
from paraph.events.inbox import Inbox
from paraph.events.jetstream import JetStreamInbox, open_jetstream
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.deauthorization import carry_out
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.model.event import EventStatus, KeptEvent, Outcome
from paraph.zoom.events import Event, parse_app_deauthorized
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
                carrying = asyncio.create_task(stream.carry(inbox))
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
        server.delete_streams()
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
    """Each of many events is delivered twice at the same time, and is kept once."""
    # A stream flushes each message, and everything has to be stored before a delivery times out.
    many = 40 if place.events_url else 300
    async with place.open() as box:
        contents = [meeting(str(number % many)) for number in range(2 * many)]
        outcomes = await asyncio.gather(*map(box.keep, contents))
        assert (many, many) == (outcomes.count(Outcome.KEPT), outcomes.count(Outcome.DUPLICATE))
        assert many == len(await box.kept())


async def test_an_event_survives_the_process(place: Place) -> None:
    """What was answered is there when the store is opened again, and known as a duplicate."""
    async with place.open() as box:
        assert Outcome.KEPT is await box.keep(meeting())
    async with place.open(installed=False) as box:
        (one,) = await box.kept()
        assert b"canary-topic-1" in (one.body or b"")
        assert Outcome.DUPLICATE is await box.keep(meeting())


async def test_an_event_of_another_account_is_kept(place: Place) -> None:
    """A sub-account's event is kept without an installation; another client's removal is not."""
    async with place.open() as box:
        assert Outcome.KEPT is await box.keep(meeting(account_id="another"))
        assert Outcome.OTHER_CLIENT is await box.keep(removal(client_id="another"))
        assert ["another"] == [one.account_id for one in await box.kept()]
        assert {"other_client": 1} == box.inbox.dropped.by_reason


async def test_an_event_without_an_account_is_kept(place: Place) -> None:
    """An event that names no account is kept: its signature says that it is this app's."""
    stopped = {"event": "meeting.rtms_stopped", "event_ts": 1, "payload": {"stop_reason": 6}}
    async with place.open() as box:
        assert Outcome.KEPT is await box.keep(stopped)
        (event,) = await box.kept()
        assert ("", ()) == (event.account_id, event.concerned)


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


async def test_an_unwanted_event_is_stored_as_delivered(place: Place) -> None:
    """One write, then: nothing has to be taken up, and nobody is woken; a removal waits as ever."""
    async with place.open() as box:
        inbox = Inbox(box.context, box.stream, wanted=False)
        assert Outcome.KEPT is await keep(inbox, meeting())
        assert Outcome.DUPLICATE is await keep(inbox, meeting())
        (event,) = await box.kept()
        assert (EventStatus.FORWARDED, event.received_at) == (event.status, event.handed_on_at)
        assert not any(signal.is_set() for signal in inbox.arrived.values())
        assert Outcome.KEPT is await keep(inbox, removal())
        assert EventStatus.RECEIVED is (await box.kept())[-1].status


def call(*users: str, mark: str, event_ts: int | None = None, account: bool = True) -> Any:
    """A phone call between these users; at this time, or without one."""
    sides = zip(("callee", "caller"), users, strict=False)
    thing = {"call_id": mark, **{side: {"user_id": user} for side, user in sides}}
    payload = {"object": thing, **({"account_id": sample.ACCOUNT} if account else {})}
    content = {"event": "phone.callee_answered", "payload": payload}
    return content if event_ts is None else {**content, "event_ts": event_ts}


async def dropped(box: Box, *contents: Any) -> dict[str, int]:
    """The reasons for which these events were dropped, each with its number."""
    before = Counter(box.inbox.dropped.by_reason)
    for content in contents:
        outcome = await box.keep(content)
        assert outcome.is_dropped or box.stream is not None
    await box.kept()
    return box.inbox.dropped.by_reason - before


async def test_late_events_of_a_removed_user_are_not_kept(place: Place) -> None:
    """After a removal an event of the user alone is dropped, with and without an account."""
    now = int(time.time() * 1000)
    async with place.open() as box:
        await install(box.context, "2")
        await box.keep(call("user-1", mark="before"))
        assert 1 == len(await box.kept())
        await remove_installation(box.context, "link-1", reason="test")
        lost = [
            call("user-1", mark="1", event_ts=now),
            call("user-1", mark="2", event_ts=now, account=False),
            call("user-1", "user-9", mark="3", event_ts=now),
        ]
        assert {"removed_user": 3} == await dropped(box, *lost)
        for content in (
            call("user-1", "user-2", mark="both", event_ts=now),
            call("user-2", mark="his", event_ts=now),
            call("user-9", mark="stranger", event_ts=now),
            call(mark="nobody", event_ts=now),
        ):
            assert Outcome.KEPT is await box.keep(content)
        left = {one.concerned for one in await box.kept() if one.body}
        assert {("user-2",), ("user-9",), ()} == left


async def test_late_events_of_a_user_who_stays_in_another_account(place: Place) -> None:
    """The removal counts in its account alone: events of the other, and of none, are kept."""
    now = int(time.time() * 1000)
    async with place.open() as box:
        await install(box.context, "2")
        await install(box.context, "3", account_id="another", user_id="user-1")
        await remove_installation(box.context, "link-1", reason="test")
        lost = [
            call("user-1", mark="1", event_ts=now),
            call("user-1", "user-9", mark="2", event_ts=now),
        ]
        assert {"removed_user": 2} == await dropped(box, *lost)
        both = call("user-1", "user-2", mark="both", event_ts=now)
        elsewhere = call("user-1", mark="elsewhere")
        elsewhere["payload"]["account_id"] = "another"
        for content in (both, elsewhere, call("user-1", mark="nowhere", account=False)):
            assert Outcome.KEPT is await box.keep(content)
        left = [(one.account_id, one.concerned) for one in await box.kept() if one.concerned]
    here = (sample.ACCOUNT, ("user-2",))
    assert sorted([here, ("another", ("user-1",)), ("", ("user-1",))]) == sorted(left)


async def test_events_without_an_account_stay_with_a_user_who_stays_in_another(
    place: Place,
) -> None:
    """Also one that came before the user had the app, which no data key seals."""
    async with place.open() as box:
        await box.keep(call("user-7", mark="nowhere", account=False))
        await install(box.context, "7")
        await install(box.context, "8", account_id="another", user_id="user-7")
        await remove_installation(box.context, "link-7", reason="test")
        assert 1 == len([one for one in await box.kept() if one.body and not one.notice])
        await remove_installation(box.context, "link-8", reason="test")
        assert [] == [one for one in await box.kept() if one.body and not one.notice]


async def test_a_removal_that_overtakes_the_installation_is_remembered(place: Place) -> None:
    """A deauthorization that matched nothing still marks its user for late events."""
    async with place.open() as box:
        await install(box.context, "2")
        # No grant of this user is there any more, or yet.
        payload = removal(user_id="user-7")["payload"]
        event = parse_app_deauthorized(Event("app_deauthorized", None, sample.ACCOUNT, payload))
        at = box.context.now()
        await carry_out(box.context, Refresher(box.context), event, received_at=at)
        lost = [call("user-7", mark="1"), call("user-7", mark="2", account=False)]
        assert {"removed_user": 2} == await dropped(box, *lost)


async def test_the_race_of_a_new_installation(place: Place) -> None:
    """After a new installation an event is kept only if it is not older than the new grant."""
    async with place.open() as box:
        context, now = box.context, box.context.now()
        await install(context, "2")
        await remove_installation(context, "link-1", reason="test")
        async with context.store.transaction() as tx:
            await tx.grants.add(sample.grant("1", granted_at=now, granted_zoom_time=now + 5))
            await tx.links.add(sample.link("1"))
        oldest = (now + 5 - 60) * 1000
        too_old = [
            call("user-1", mark="1", event_ts=oldest - 1),
            call("user-1", mark="2", event_ts=oldest - 1, account=False),
        ]
        assert {"older_than_grant": 2} == await dropped(box, *too_old)
        assert {"no_event_ts": 1} == await dropped(box, call("user-1", mark="3"))
        for content in (
            call("user-1", mark="4", event_ts=oldest),
            call("user-1", mark="5", event_ts=oldest, account=False),
            call("user-1", "user-2", mark="6", event_ts=oldest - 1),
        ):
            assert Outcome.KEPT is await box.keep(content)
        kept_for = sorted(one.concerned or () for one in await box.kept() if not one.urgent)
        assert [("user-1",), ("user-1",), ("user-2",)] == kept_for


async def test_an_event_that_names_thousands_of_users(place: Place) -> None:
    """An event is kept with all of its users, however many; a removal finds each of them."""
    users = [f"agent-{number:05d}" for number in range(9_000)]
    payload = {"account_id": sample.ACCOUNT, "object": {"user_ids": ["user-1", *users]}}
    content = {"event": "contact_center.team_members_assigned", "payload": payload}
    async with place.open() as box:
        await install(box.context, "2")
        assert Outcome.KEPT is await box.keep(content)
        (event,) = await box.kept()
        assert ("user-1", *users) == event.concerned
        await remove_installation(box.context, "link-1", reason="test")
        assert [None] == [one.body for one in await box.kept()]
        again = {**content, "event_ts": 1}
        assert {"removed_user": 1} == await dropped(box, again)


async def test_late_events_of_an_account_that_has_no_user_left(place: Place) -> None:
    """At user level, too, the last removal of an account ends its events until a new grant."""
    now = int(time.time() * 1000)
    async with place.open() as box:
        context = box.context
        await remove_installation(context, "link-1", reason="test")
        lost = [
            call(mark="nobody", event_ts=now),
            call("user-9", mark="stranger", event_ts=now),
            call("user-1", mark="removed", event_ts=now),
        ]
        assert {"removed_account": 2, "removed_user": 1} == await dropped(box, *lost)
        other = {"event": "account.updated", "payload": {"account_id": "another"}}
        assert Outcome.KEPT is await box.keep(other)
        at = context.now()
        async with context.store.transaction() as tx:
            await tx.grants.add(sample.grant("2", granted_at=at, granted_zoom_time=at))
            await tx.links.add(sample.link("2"))
        assert {"older_than_grant": 1} == await dropped(box, call(mark="old", event_ts=1))
        for content in (
            call(mark="new", event_ts=at * 1000),
            call("user-9", mark="stranger again", event_ts=1),
        ):
            assert Outcome.KEPT is await box.keep(content)
        assert 3 == len([one for one in await box.kept() if one.body and not one.notice])


async def test_late_events_of_a_removed_account(place: Place) -> None:
    """At account level the last removal of an account ends its events, and nothing before it."""
    async with place.open() as box:
        # Only the level differs, so that both share the store.
        object.__setattr__(box.context, "level", "account")
        await install(box.context, "2")
        await box.keep(meeting("first"))
        await remove_installation(box.context, "link-1", reason="test")
        assert Outcome.KEPT is await box.keep(meeting("second"))
        assert 2 == len([one for one in await box.kept() if one.body])
        await remove_installation(box.context, "link-2", reason="test")
        assert [] == [one for one in await box.kept() if one.body]
        assert {"removed_account": 1} == await dropped(box, meeting("third"))


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
