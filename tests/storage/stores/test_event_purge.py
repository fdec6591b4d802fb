"""Deletion of bodies with a removal: wherever a user is named, and never another user's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from databases import new_sqlite
from paraph.model.event import EventStatus, KeptEvent, Outcome
from paraph.storage.database import Database
from paraph.storage.scope import account
from storage import sample
from storage.sample import ACCOUNT, CLIENT
from tampering import tamper

pytestmark = pytest.mark.anyio

JANE, BOB, CAROL = "user-1", "user-2", "user-3"


def event(mark: str, *users: str, **changes: Any) -> KeptEvent:
    """An event that concerns these users."""
    return sample.event(mark, concerned=users, **changes)


async def installed(store: Database, *marks: str) -> None:
    """Installations of the users with these marks."""
    async with store.transaction() as tx:
        for mark in marks:
            await tx.grants.add(sample.grant(mark))
            await tx.links.add(sample.link(mark))


async def add(store: Database, *events: KeptEvent) -> None:
    """Keep these events as they are."""
    async with store.transaction() as tx:
        for one in events:
            assert await tx.events.add(one)


async def left(store: Database) -> dict[str, tuple[str, ...] | None]:
    """The users of every event that still has a body, by its mark."""
    found = {}
    async with store.reading() as tx:
        for row in await tx.events.page(limit=100):
            one = await tx.events.get(row.event_id)
            assert one is not None
            if one.body is not None:
                found[one.event_id.removeprefix("event-")] = one.concerned
    return found


async def purge(store: Database, user_id: str, *accounts: str) -> int:
    """Purge a user's events in these accounts, and those without an account."""
    async with store.transaction() as tx:
        return await tx.events.purge_user(CLIENT, user_id, account_ids=["", *accounts])


async def test_a_body_goes_with_the_only_concerned_user(store: Database) -> None:
    """A removal deletes what concerns the user: queued, forwarded, dead, without an account."""
    await installed(store, "2")
    await add(
        store,
        event("queued", JANE),
        event("forwarded", JANE, status=EventStatus.FORWARDED, handed_on_at=1_000),
        event("dead", JANE, status=EventStatus.DEAD),
        event("no-account", JANE, account_id=""),
        event("bobs", BOB),
        event("nobody"),
        event("elsewhere", JANE, account_id="another"),
        event("notice", notice=True, user_id=JANE),
        event("urgent", JANE, urgent=True),
    )
    assert 4 == await purge(store, JANE, ACCOUNT)
    assert {"bobs", "nobody", "elsewhere", "notice", "urgent"} == (await left(store)).keys()
    async with store.reading() as tx:
        for mark in ("queued", "dead"):
            one = await tx.events.get(f"event-{mark}")
            assert one is not None
            assert (EventStatus.FORWARDED, "purged") == (one.status, one.failure)


async def test_a_body_stays_for_another_installed_user(store: Database) -> None:
    """A body lives as long as another concerned user has a grant; the removed user is taken out."""
    await installed(store, "2")
    await add(
        store,
        event("both", JANE, BOB),
        event("with-a-stranger", JANE, CAROL),
        event("all-three", CAROL, JANE, BOB),
        event("both-no-account", JANE, BOB, account_id=""),
    )
    assert 1 == await purge(store, JANE, ACCOUNT)
    assert {"both": (BOB,), "all-three": (CAROL, BOB), "both-no-account": (BOB,)} == await left(
        store
    )
    async with store.transaction() as tx:
        await tx.grants.delete(sample.grant("2").grant_id)
    assert 3 == await purge(store, BOB, ACCOUNT)
    assert {} == await left(store)


async def test_a_grant_in_another_account_keeps_nothing(store: Database) -> None:
    """The other user has to be installed in the event's own account, if it has one."""
    grant = sample.grant("2")
    elsewhere = replace(grant.identity, account_id="another")
    async with store.transaction() as tx:
        await tx.grants.add(replace(grant, identity=elsewhere))
    await add(store, event("here", JANE, BOB), event("nowhere", JANE, BOB, account_id=""))
    assert 1 == await purge(store, JANE, ACCOUNT)
    assert {"nowhere": (BOB,)} == await left(store)


async def test_ids_that_differ_in_case_or_contain_another(store: Database) -> None:
    """A user's events are found by the whole id, byte for byte."""
    await add(
        store,
        event("case", "USER-1"),
        event("longer", "user-12", "a-user-1"),
        event("wildcard", "user_1", "user%1"),
    )
    assert 0 == await purge(store, JANE, ACCOUNT)
    assert {"case", "longer", "wildcard"} == (await left(store)).keys()


async def test_rows_of_an_earlier_version_are_read_first(
    store: Database, database_url: str
) -> None:
    """A row that does not say whom it concerns is opened: its old guess deletes nothing wrong."""
    await installed(store, "2")
    phone = {"callee": {"user_id": JANE}}
    bodies = {
        "phone": {"event": "phone.callee_answered", "payload": {"object": phone}},
        "admin": {
            "event": "user.updated",
            "payload": {"operator_id": JANE, "object": {"id": BOB}},
        },
        "host": {"event": "meeting.ended", "payload": {"object": {"host_id": JANE}}},
    }
    await add(
        store,
        *(
            event(mark, body=json.dumps(body).encode(), user_id=JANE)
            for mark, body in bodies.items()
        ),
    )
    await tamper(database_url, "UPDATE kept_events SET concerned = NULL")
    assert 2 == await purge(store, JANE, ACCOUNT)
    assert {"admin": (BOB,)} == await left(store)


@pytest.mark.parametrize("account_id", [ACCOUNT, ""])
async def test_no_event_overtakes_a_removal(store: Database, account_id: str) -> None:
    """An event that comes while its user is removed waits for the removal, and is dropped."""
    await installed(store, "1", "2")
    mark = b"m" * 32
    late = event("late", JANE, account_id=account_id, marks=((JANE, mark),))
    scopes = account(CLIENT, ACCOUNT), account(CLIENT, "")
    async with store.transaction(*scopes) as tx:
        await tx.grants.delete(sample.grant("1").grant_id)
        keeping = asyncio.create_task(store.keep_events([late], client_id=CLIENT))
        await asyncio.wait({keeping}, timeout=0.1)
        assert not keeping.done()
        await tx.removals.add_tombstone(mark, zoom_time=None, now=1_000)
        await tx.events.purge_user(CLIENT, JANE, account_ids=["", ACCOUNT])
    assert [Outcome.REMOVED_USER] == await keeping
    assert {} == await left(store)


async def test_a_purge_finds_its_rows_by_an_index(tmp_path: Path) -> None:
    """The index holds the rows without data keys alone, so an event with one writes no entry."""
    url = new_sqlite(tmp_path / "paraph.db")
    plan = await tamper(
        url,
        "EXPLAIN QUERY PLAN SELECT position FROM kept_events"
        " WHERE sealed_for IS NULL AND account_id IN ('', 'one')",
    )
    assert "INDEX ix_kept_events_account" in plan[0][3]
    ((index,),) = await tamper(
        url, "SELECT sql FROM sqlite_master WHERE name = 'ix_kept_events_account'"
    )
    assert index.endswith("WHERE sealed_for IS NULL")
