"""The change from the table of version 0.1 to the one that is keyed by time."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from databases import expand_schema, new_sqlite
from paraph.errors import StorageError
from paraph.model.event import EventPosition, EventStatus, KeptEvent, Outcome
from paraph.storage import schema
from paraph.storage.connection import finish
from paraph.storage.contraction import contract_schema
from paraph.storage.database import Database, engine_for, open_store
from paraph.storage.event_tables import arrival_position
from paraph.storage.inspection import inspect_database
from storage import sample
from storage.sample import ACCOUNT, CLIENT, ring
from tampering import tamper

pytestmark = pytest.mark.anyio

NOW = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Older:
    """A database as version 0.1 and the first starts of this version leave it."""

    url: str
    stores: list[Database]

    async def open(self) -> Database:
        """One more replica of this version."""
        store = await open_store(self.url, ring(), randomness=os.urandom, now=1_000)
        self.stores.append(store)
        return store

    async def count(self, table: str, where: str = "true") -> int:
        """The number of rows."""
        return int((await tamper(self.url, f"SELECT count(*) FROM {table} WHERE {where}"))[0][0])


@pytest.fixture
async def older(empty_database_url: str) -> AsyncIterator[Older]:
    """Before `paraph migrate`, on each kind of database."""
    await expand_schema(empty_database_url)
    place = Older(empty_database_url, [])
    yield place
    for store in place.stores:
        await store.close()


def delivery(mark: str, **changes: Any) -> KeptEvent:
    """An event of Zoom's, as the inbox describes it."""
    return replace(sample.event(mark), event_ts=1_700_000_000_000, **changes)


async def keep(store: Database, *events: KeptEvent) -> list[Outcome]:
    """Keep them in one batch."""
    return await store.keep_events(events, client_id=CLIENT)


async def claim(store: Database, limit: int = 99) -> Sequence[KeptEvent]:
    """Claim what is due."""
    async with store.transaction() as tx:
        return (
            await tx.events.claim(now=2_000_000_000, until=2_000_000_060, limit=limit, urgent=False)
        ).events


async def ids(store: Database, status: EventStatus | None = None, **options: Any) -> list[str]:
    """The ids that operators see."""
    async with store.reading() as tx:
        return [one.event_id for one in await tx.events.page(status=status, **options)]


async def filled(older: Older) -> Database:
    """One event that waits, one forwarded, one dead letter and one notice, in the older table."""
    store = await older.open()
    events = [delivery(mark, received_at=1_000 + int(mark)) for mark in "123"]
    assert [Outcome.KEPT] * 3 == await keep(store, *events)
    async with store.transaction() as tx:
        claimed = (await tx.events.claim(now=2_000, until=2_060, limit=3, urgent=False)).events
        await tx.events.mark_forwarded(claimed[:1], now=2_000)
        await tx.events.give_up(claimed[1], failure="refused")
        await tx.events.release(claimed[2], now=2_000)
        await tx.events.add(sample.event("notice", notice=True, received_at=1_004))
    return store


async def test_until_then_everything_stays_where_older_replicas_look(older: Older) -> None:
    """Nothing is in the new table, so an older replica finds each duplicate and each body."""
    await filled(older)

    assert (4, 0) == (await older.count("events"), await older.count("kept_events"))


async def test_what_waits_and_dead_letters_move(older: Older) -> None:
    """They are claimed and listed as before; what was forwarded stays where it was."""
    store = await filled(older)
    before = await ids(store)
    assert ["c0001"] == await contract_schema(older.url)
    fresh = await older.open()

    assert set(before) == set(await ids(fresh)) and len(before) == len(await ids(fresh))
    assert ["event-2"] == await ids(fresh, EventStatus.DEAD)
    assert 3 == await older.count("kept_events")
    assert ["event-3", "event-notice"] == sorted(one.event_id for one in await claim(fresh))
    assert 1 == await older.count("former_events", "body IS NOT NULL")


async def test_a_running_replica_follows(older: Older) -> None:
    """Every kind of access finds the new tables by itself; a delivery is kept at once."""
    store, reader, worker = await filled(older), await older.open(), await older.open()
    await contract_schema(older.url)

    assert [Outcome.KEPT] == await keep(store, delivery("4", received_at=1_005))
    with pytest.raises(StorageError):
        await reader.read_due_times("replica")
    assert 1_000 == (await reader.read_due_times("replica")).other_event
    with pytest.raises(StorageError):
        await claim(worker)
    assert 3 == len(await claim(worker))


async def rename(older: Older) -> None:
    """`paraph migrate`, killed before it moves the first event."""
    engine = engine_for(older.url)
    async with engine.migrating() as connection:
        assert ["c0001"] == await finish(connection.run_sync(schema.contract))
    await engine.dispose()


async def test_a_killed_move_goes_on(older: Older) -> None:
    """Nothing that may have to wait is claimed before; then a replica moves the rest by itself."""
    await filled(older)
    await rename(older)
    store = await older.open()
    await keep(store, delivery("4", received_at=1_006))
    times = await store.read_due_times("replica")
    assert (None, 1_002) == (times.other_event, times.unmoved)
    assert [] == await claim(store)
    assert 5 == len(await ids(store)) == len(set(await ids(store)))
    again = [delivery(mark, arrival=9_999) for mark in "1234"]
    assert [Outcome.DUPLICATE] * 4 == await keep(store, *again)
    async with store.reading() as tx:
        backlog = await tx.events.backlog()
    assert (3, 1, 1_003) == (backlog.waiting, backlog.dead, backlog.oldest_received_at)

    moved = []
    for _ in range(4):
        async with store.transaction() as tx:
            moved.append(await tx.events.move_some(at_most=1))
    assert [1, 1, 1, 0] == moved
    times = await store.read_due_times("replica")
    assert (1_000, None) == (times.other_event, times.unmoved)
    assert ["event-3", "event-4", "event-notice"] == sorted(
        one.event_id for one in await claim(store)
    )
    assert [] == await contract_schema(older.url)


async def test_an_outcome_before_the_move_is_written(older: Older) -> None:
    """The claims of before hold: each is ended where it still is, and moves as it then is."""
    store = await filled(older)
    first, second = await claim(store)
    await rename(older)
    other = await older.open()
    async with other.transaction() as tx:
        await tx.events.mark_forwarded([first], now=NOW + 1)
        await tx.events.postpone(second, next_attempt_at=NOW + 9, failure="refused")
    await contract_schema(older.url)

    (one,) = await ids(other, EventStatus.RECEIVED)
    assert second.event_id == one
    async with other.reading() as tx:
        found = await tx.events.get(one)
    assert found is not None
    assert ("refused", NOW + 9) == (found.failure, found.next_attempt_at)


async def test_a_removal_deletes_before_the_move(older: Older) -> None:
    """Bodies that still wait for their move are deleted like any other, and never come back."""
    await filled(older)
    await rename(older)
    store = await older.open()
    async with store.transaction() as tx:
        assert 3 == await tx.events.purge_account(ACCOUNT)
    await contract_schema(older.url)

    left = "NOT notice AND body IS NOT NULL"
    assert 0 == await older.count("former_events", left) + await older.count("kept_events", left)


async def test_many_of_one_arrival_move(older: Older) -> None:
    """Each finds a position of its own, however many arrived in one microsecond."""
    store = await older.open()
    await keep(store, *(delivery(str(n), arrival=5_000_000) for n in range(600)))
    await keep(store, *(delivery(f"z{n}", arrival=0) for n in range(9)))
    await contract_schema(older.url)

    assert 609 == len(await claim(await older.open(), limit=999))


async def test_repeats_are_recognised_in_both_tables(older: Older) -> None:
    """Zoom repeats what was forwarded, what waited and what came since: nothing comes twice."""
    store = await filled(older)
    await contract_schema(older.url)
    await keep(store, delivery("4"))
    again = [delivery(mark, arrival=9_999) for mark in "12345"]

    assert [Outcome.DUPLICATE] * 4 + [Outcome.KEPT] == await keep(store, *again)
    later = [replace(one, arrival=10_000) for one in again]
    assert [Outcome.DUPLICATE] * 5 == await keep(store, *later)
    assert 5 == await older.count("kept_events")


async def test_an_outcome_of_an_earlier_claim_is_written(older: Older) -> None:
    """Claimed before and forwarded after: it is not sent once more."""
    store = await filled(older)
    claimed = await claim(store)
    await contract_schema(older.url)
    other = await older.open()

    assert None is await other.read_recipients(claimed[0], client_id=CLIENT)
    async with other.transaction() as tx:
        await tx.events.mark_forwarded(claimed, now=NOW + 1)
        backlog = await tx.events.backlog()
    assert (2, 0, 1) == (len(claimed), backlog.waiting, backlog.dead)


async def test_a_removal_deletes_from_both(older: Older) -> None:
    """The bodies of an account go from both tables, of what was forwarded and what waits."""
    store = await filled(older)
    await contract_schema(older.url)
    store = await older.open()
    await keep(store, delivery("4"))
    async with store.transaction() as tx:
        assert 4 == await tx.events.purge_account(ACCOUNT)

    left = "NOT notice AND body IS NOT NULL"
    assert 0 == await older.count("former_events", left) + await older.count("kept_events", left)
    assert ["event-notice"] == [one.event_id for one in await claim(store)]


async def test_a_forwarded_event_is_delivered_again(older: Older) -> None:
    """An operator finds it in the former table, and from then on it waits in the new one."""
    await filled(older)
    await contract_schema(older.url)
    store = await older.open()
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
        assert await tx.events.redeliver("event-1", client_id=CLIENT, now=2_000)
        assert not await tx.events.redeliver("event-9", client_id=CLIENT, now=2_000)

    (one,) = [event for event in await claim(store) if event.event_id == "event-1"]
    assert sample.event("1").body == one.body
    assert [Outcome.DUPLICATE] == await keep(store, delivery("1"))
    assert 4 == len(await ids(store))


async def test_the_former_table_is_emptied_and_dropped(older: Older) -> None:
    """The retention deletes its bodies and rows; the next `paraph migrate` drops it, unnoticed."""
    await filled(older)
    await contract_schema(older.url)
    store = await older.open()
    assert [] == await contract_schema(older.url)
    async with store.transaction() as tx:
        assert 1 == await tx.events.delete_bodies(forwarded_before=3_000, at_most=9)
        assert 4 == await tx.events.delete_rows(received_before=3_000, at_most=9)
    assert ("former_events",) == (await inspect_database(older.url)).removable
    assert ["former_events"] == await contract_schema(older.url)

    assert [Outcome.KEPT] == await keep(store, delivery("1"))
    assert 3 == len(await claim(store))


async def test_two_events_of_one_moment_choose_different_positions(store: Database) -> None:
    """A stream carries those of several processes in one batch: they may have one arrival."""
    arrival, first = sample.event().arrival, delivery("1")
    same = arrival_position(arrival, first.event_id)
    marks = (str(number) for number in itertools.count(2))
    mark = next(one for one in marks if same == arrival_position(arrival, f"event-{one}"))

    assert [Outcome.KEPT] * 2 == await keep(store, first, delivery(mark, arrival=first.arrival))
    assert 2 == len(await claim(store))


@pytest.mark.slow
async def test_a_long_reader_delays_no_delivery(older: Older) -> None:
    """Beside a backup under way the renaming gives up soon, and has changed nothing."""
    store = await filled(older)
    async with store.reading() as tx:
        assert 4 == len(await tx.events.page())
        if older.url.startswith("postgresql"):
            with pytest.raises(StorageError, match="another transaction held a lock"):
                await contract_schema(older.url)
        else:
            assert ["c0001"] == await contract_schema(older.url)
    assert [Outcome.KEPT] == await keep(store, delivery("4"))
    await contract_schema(older.url)
    assert 3 == len(await claim(await older.open()))


@pytest.mark.slow
async def test_a_long_reader_delays_no_event_when_the_former_table_goes(older: Older) -> None:
    """Each event is looked for in it, and would wait behind the lock: dropping gives up soon."""
    await filled(older)
    await contract_schema(older.url)
    store = await older.open()
    async with store.transaction() as tx:
        await tx.events.delete_bodies(forwarded_before=3_000, at_most=9)
        await tx.events.delete_rows(received_before=3_000, at_most=9)
    async with store.reading() as tx:
        assert 3 == len(await tx.events.page())
        if older.url.startswith("postgresql"):
            with pytest.raises(StorageError, match="another transaction held a lock"):
                await contract_schema(older.url)
        else:
            assert ["former_events"] == await contract_schema(older.url)
    assert [Outcome.KEPT] == await keep(store, delivery("4"))


async def test_a_position_in_a_table_that_is_gone_begins_no_list_again(store: Database) -> None:
    """Whoever reads page by page, newest first, is at the end."""
    await keep(store, delivery("1"))
    gone = EventPosition(999, "event-0")
    assert [] == await ids(store, after=gone)
    assert ["event-1"] == await ids(store, after=gone, oldest_first=True)


async def test_pages_go_on_in_the_former_table(older: Older) -> None:
    """Page by page, each event once."""
    store = await older.open()
    events = [delivery(str(n), received_at=1_000 + n) for n in range(6)]
    await keep(store, *events)
    async with store.transaction() as tx:
        claimed = (await tx.events.claim(now=2_000, until=2_060, limit=4, urgent=False)).events
        await tx.events.mark_forwarded(claimed, now=2_000)
    await contract_schema(older.url)
    store = await older.open()
    seen: list[str] = []
    while page := await ids(store, after=seen[-1] if seen else "", limit=1):
        seen += page

    assert [f"event-{n}" for n in (5, 4, 3, 2, 1, 0)] == seen


async def test_an_id_alone_is_looked_for_in_an_index(tmp_path: Path) -> None:
    """No rows are read but the one, whose key the index names."""
    url = new_sqlite(tmp_path / "paraph.db")
    plan = await tamper(
        url, "EXPLAIN QUERY PLAN SELECT position FROM kept_events WHERE event_id = 'one'"
    )

    assert "COVERING INDEX ix_kept_events_delivery" in plan[0][3]


async def test_one_position_belongs_to_one_event(database_url: str) -> None:
    """Two processes that choose the same position: the second chooses again, none is lost."""
    store = await open_store(database_url, ring(), randomness=os.urandom, now=1_000)
    try:
        events = [delivery(str(n), arrival=5_000_000) for n in range(200)]
        outcomes = [(await keep(store, one))[0] for one in events]
        kept = (await tamper(database_url, "SELECT count(*) FROM kept_events"))[0][0]
        again = await keep(store, *(replace(one, arrival=5_000_001) for one in events))
    finally:
        await store.close()

    assert [Outcome.KEPT] * 200 == outcomes and 200 == kept
    assert [Outcome.DUPLICATE] * 200 == again


async def mark(store: Database, claimed: Sequence[KeptEvent]) -> None:
    """Write that they are forwarded."""
    async with store.transaction() as tx:
        await tx.events.mark_forwarded(claimed, now=NOW + 1)


async def waits(store: Database) -> bool:
    """Whether an event waits."""
    async with store.reading() as tx:
        return bool((await tx.events.backlog()).waiting)


async def retried(work: Callable[..., Awaitable[Any]], *values: Any) -> Any:
    """Do it, and again where the tables have changed."""
    while True:
        try:
            return await work(*values)
        except StorageError:
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_the_change_under_load(older: Older) -> None:
    """While two replicas keep, claim and end events: none is lost, none is doubled."""
    stores = [await older.open(), await older.open()]
    done: list[str] = []
    kept: list[str] = []
    taking: set[str] = set()
    enough = {50: asyncio.Event(), 100: asyncio.Event()}
    stopping = asyncio.Event()

    async def take(store: Database, name: str) -> None:
        number = 0
        taking.add(name)
        while not stopping.is_set():
            number += 1
            one = delivery(f"{name}-{number}", arrival=1_000_000_000 + number * 7)
            if [Outcome.KEPT] == await keep(store, one):
                kept.append(one.event_id)
                if len(kept) in enough:
                    enough[len(kept)].set()
        taking.remove(name)

    async def forward(store: Database) -> None:
        while taking or await retried(waits, store):
            claimed = await retried(claim, store, 20)
            await retried(mark, store, claimed)
            done.extend(one.event_id for one in claimed)

    async with asyncio.TaskGroup() as tasks:
        for place, store in enumerate(stores):
            tasks.create_task(take(store, str(place)))
            tasks.create_task(forward(store))
        await enough[50].wait()
        assert "c0001" in await contract_schema(older.url)
        await enough[100].wait()
        stopping.set()

    assert sorted(set(kept)) == sorted(kept)
    assert set(kept) <= set(done)
