"""At least once, never in the way of another, and nothing lost with a worker."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from databases import new_sqlite
from events.dispatch_kit import (
    Host,
    dispatching,
    hang,
    one_with,
    refuse,
    throw,
    until_failed,
    until_status,
)
from events.inbox_kit import install, keep, kept, meeting, open_context
from paraph.errors import TransportError
from paraph.events import claims, dispatch
from paraph.events.dispatch import ATTEMPTS, Dispatcher
from paraph.events.inbox import Inbox
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus, KeptEvent
from paraph.storage.database import Database
from paraph.storage.scope import Scope
from paraph.storage.transaction import Transaction
from storage import sample

pytestmark = pytest.mark.anyio


async def test_every_event_is_forwarded(context: Context) -> None:
    """A hundred events, each once, and all are marked so."""
    inbox, host = Inbox(context), Host()
    async with dispatching(context, host, inbox=inbox):
        await asyncio.gather(*(keep(inbox, meeting(str(number))) for number in range(100)))
        await host.until(*(str(number) for number in range(100)))
    assert 100 == len(host.seen)
    assert 100 == len(await kept(context, EventStatus.FORWARDED))


async def test_unwanted_events_are_only_marked(context: Context) -> None:
    """Without a target nothing is claimed or opened; the rows stay for deduplication."""
    inbox = Inbox(context)
    await asyncio.gather(*(keep(inbox, meeting(str(number))) for number in range(30)))
    dispatcher = Dispatcher(context, inbox, Refresher(context), [], monotonic=time.monotonic)
    work = asyncio.create_task(dispatcher.run())
    for number in range(30):
        one = await until_status(context, str(number), EventStatus.FORWARDED)
        assert 0 == one.attempts
    await dispatcher.stop()
    await work


async def test_a_failing_event_blocks_no_other_and_is_retried(context: Context) -> None:
    """Refused, thrown: the others are handed on; the failure is noted without foreign words."""
    inbox, host = Inbox(context), Host(refused=refuse, thrown=throw)
    for mark in ("refused", "thrown", "good"):
        await keep(inbox, meeting(mark))
    async with dispatching(context, host, inbox=inbox):
        await host.until("refused", "thrown", "good")
        await until_status(context, "good", EventStatus.FORWARDED)
    for mark, failure in (
        ("refused", "transport: the host did not answer: ConnectError"),
        ("thrown", "raised: ValueError"),
    ):
        one = await one_with(context, mark)
        assert (EventStatus.RECEIVED, 1, failure) == (one.status, one.attempts, one.failure)
        assert one.next_attempt_at > one.received_at


async def test_a_failure_that_no_database_takes_holds_up_nothing(database_url: str) -> None:
    """A handler may raise an error of ours with any words; they are noted as far as they can."""

    async def quote() -> None:
        raise TransportError("half a pair \udc80, a nought \0, a line\n" + "x" * 5000)

    async with open_context(database_url) as context:
        inbox, host = Inbox(context), Host(quoted=quote)
        for mark in ("quoted", "good"):
            await keep(inbox, meeting(mark))
        async with dispatching(context, host, inbox=inbox):
            await until_status(context, "good", EventStatus.FORWARDED)
            failure = (await until_failed(context, "quoted")).failure
    assert failure.startswith("transport: half a pair ?, a nought ?, a line?x")
    assert dispatch.LONGEST_FAILURE == len(failure)


async def test_a_hanging_handler_delays_only_its_own_name(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More hanging events than worker slots do not stop events of another kind."""
    monkeypatch.setattr(claims, "WORKER_SLOTS", 4)
    monkeypatch.setattr(claims, "MOST_SLOW_OF_A_NAME", 4)
    monkeypatch.setattr(claims, "SLOW_SECONDS", 0.05)
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 0.05)
    inbox = Inbox(context)
    host = Host(**{f"hangs{number}": hang for number in range(20)})
    for number in range(20):
        await keep(inbox, meeting(f"hangs{number}") | {"event": "recording.completed"})
    for number in range(5):
        await keep(inbox, meeting(f"good{number}"))
    async with dispatching(context, host, inbox=inbox):
        await host.until(*(f"good{number}" for number in range(5)))
    assert 4 == len([mark for mark in host.seen if mark.startswith("hangs")])


async def test_a_handler_that_takes_too_long_is_left(context: Context) -> None:
    """The attempt has failed after its time, also where the handler will not be cancelled."""

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)

    inbox, host = Inbox(context), Host(stubborn=stubborn)
    await keep(inbox, meeting("stubborn"))
    async with dispatching(context, host, inbox=inbox, timeout=60.0) as dispatcher:
        await host.until("stubborn")
        # Not by waiting: a short timeout may pass before the handler has begun.
        (attempt,) = dispatcher._queues[False]
        attempt.started -= 60.0
        dispatcher._check_timeouts(dispatcher._queues[False])
        one = await until_failed(context, "stubborn")
    assert "timeout: not delivered within 60 s" == one.failure


async def test_the_last_attempt_makes_a_dead_letter(database_url: str) -> None:
    """After the last of its attempts an event is dead, with the cause, and is left alone."""
    now = time.time()
    async with open_context(database_url, clock=lambda: now) as context:
        inbox, host = Inbox(context), Host(poison=refuse)
        await keep(inbox, meeting("poison"))
        async with dispatching(context, host, inbox=inbox) as dispatcher:
            for attempt in range(1, ATTEMPTS + 1):
                # Only when its failure is written down: a clock that runs ahead of that would
                # put the next attempt behind the hours that are about to pass.
                while dispatcher.outcomes.total() < attempt or dispatcher._writer._work:
                    inbox.arrived[False].set()
                    await asyncio.sleep(0.005)
                now += 3600 * 2
            dead = await until_status(context, "poison", EventStatus.DEAD)
            assert (ATTEMPTS, "transport: the host did not answer: ConnectError") == (
                dead.attempts,
                dead.failure,
            )
            assert 1 == dispatcher.outcomes["dead"]
        assert ATTEMPTS == len(host.seen)
        assert dead.body is not None


async def test_what_a_dead_worker_had_is_taken_up(database_url: str) -> None:
    """A claim without an end runs out with its lease, and counts as an attempt."""
    now = time.time()
    async with open_context(database_url, clock=lambda: now) as context:
        inbox, host = Inbox(context), Host()
        await keep(inbox, meeting())
        async with context.store.transaction() as tx:
            (claimed,) = (
                await tx.events.claim(now=int(now), until=int(now) + 60, limit=5, urgent=False)
            ).events
        assert 1 == claimed.attempts
        async with dispatching(context, host, inbox=inbox):
            await asyncio.sleep(0.05)
            assert [] == host.seen
            now += 61
            inbox.arrived[False].set()
            await host.until("1")
            one = await until_status(context, "1", EventStatus.FORWARDED)
        assert 2 == one.attempts


async def test_an_event_that_kills_every_worker_is_given_up(database_url: str) -> None:
    """Also without anybody left to say what went wrong."""
    now = int(time.time())
    async with open_context(database_url, clock=lambda: float(now)) as context:
        inbox, host = Inbox(context), Host()
        await keep(inbox, meeting("killer"))
        for _ in range(ATTEMPTS):
            async with context.store.transaction() as tx:
                await tx.events.claim(now=now, until=now, limit=5, urgent=False)
        async with dispatching(context, host, inbox=inbox):
            dead = await until_status(context, "killer", EventStatus.DEAD)
        assert "every worker that took it died" == dead.failure
        assert [] == host.seen


async def test_a_late_failure_changes_nothing(context: Context) -> None:
    """A worker whose claim was taken over cannot postpone or bury what another has done."""
    await keep(Inbox(context), meeting())
    now = int(time.time()) + 1
    async with context.store.transaction() as tx:
        (late,) = (await tx.events.claim(now=now, until=now, limit=5, urgent=False)).events
        (again,) = (await tx.events.claim(now=now, until=now + 60, limit=5, urgent=False)).events
        await tx.events.postpone(late, next_attempt_at=now + 999, failure="late")
        await tx.events.give_up(late, failure="late")
        await tx.events.release(late, now=now)
    (one,) = await kept(context)
    assert (EventStatus.RECEIVED, 2, "", now + 60) == (
        one.status,
        one.attempts,
        one.failure,
        one.next_attempt_at,
    )
    async with context.store.transaction() as tx:
        await tx.events.mark_forwarded([again], now=now)
        await tx.events.give_up(again, failure="late")
    assert [EventStatus.FORWARDED] == [one.status for one in await kept(context)]


async def test_two_workers_share_without_doubling(database_url: str) -> None:
    """Two dispatchers on one database: every event goes to one of them."""
    async with (
        open_context(database_url) as one,
        open_context(database_url, installed=False) as two,
    ):
        inbox = Inbox(one)
        await asyncio.gather(*(keep(inbox, meeting(str(number))) for number in range(60)))
        hosts = [Host(), Host()]
        async with dispatching(one, hosts[0]), dispatching(two, hosts[1]):
            for number in range(60):
                await until_status(one, str(number), EventStatus.FORWARDED)
        seen = [mark for host in hosts for mark in host.seen]
        assert {str(number) for number in range(60)} == set(seen)
        assert 60 == len(seen)


async def test_a_graceful_stop_gives_back_what_is_not_done(context: Context) -> None:
    """What ends in time is settled; what does not is due at once, its attempt not counted."""
    may_end = asyncio.Event()

    async def slow() -> None:
        await may_end.wait()

    inbox, host = Inbox(context), Host(hangs=hang, slow=slow)
    await keep(inbox, meeting("hangs"))
    await keep(inbox, meeting("slow"))
    async with dispatching(context, host, inbox=inbox):
        await host.until("hangs", "slow")
        asyncio.get_running_loop().call_later(0.05, may_end.set)
    assert EventStatus.FORWARDED is (await one_with(context, "slow")).status
    given_back = await one_with(context, "hangs")
    assert (EventStatus.RECEIVED, 0) == (given_back.status, given_back.attempts)
    assert given_back.next_attempt_at <= time.time()


async def test_order_is_kept_within_an_account_where_asked(context: Context) -> None:
    """While the first of an account is retried the second waits; other accounts do not."""
    await install(context, "2", account_id="another-account")
    failed = 0

    async def fail_once() -> None:
        nonlocal failed
        failed += 1
        if failed == 1:
            raise TransportError("once")

    inbox, host = Inbox(context), Host(first=fail_once)
    for content in (
        meeting("first"),
        meeting("second"),
        meeting("other", account_id="another-account"),
    ):
        await keep(inbox, content)
    async with dispatching(context, host, inbox=inbox, ordered=True):
        await host.until("first", "other")
        await until_status(context, "other", EventStatus.FORWARDED)
        one = await until_failed(context, "first")
        assert EventStatus.RECEIVED is one.status and "second" not in host.seen
        async with context.store.transaction() as tx:
            await tx.events.postpone(one, next_attempt_at=0, failure="again")
        inbox.arrived[False].set()
        await host.until("second")
    assert ["first", "first", "second"] == [mark for mark in host.seen if mark != "other"]


async def test_an_event_that_cannot_be_opened_blocks_no_other(context: Context) -> None:
    """A broken seal is a dead letter at once; the event behind it is handed on."""
    inbox, host = Inbox(context), Host()
    async with context.store.transaction() as tx:
        await tx.events.add(replace(sample.event("moved"), body=b'{"uuid": "moved"}'))
    assert isinstance(context.store, Database)
    async with context.store._engine.writing(()) as connection:
        await connection.exec_driver_sql("UPDATE kept_events SET event_id = 'elsewhere'")
    await keep(inbox, meeting("good"))
    async with dispatching(context, host, inbox=inbox):
        await host.until("good")
    async with context.store.reading() as tx:
        (dead,) = await tx.events.page(status=EventStatus.DEAD)
    assert ("elsewhere", "seal_broken: a ciphertext does not open here") == (
        dead.event_id,
        dead.failure,
    )


async def test_a_data_key_that_cannot_be_opened_counts_no_attempt(context: Context) -> None:
    """Without its encryption key the event waits, uncounted; a broken one is a dead letter."""
    inbox, host = Inbox(context), Host()
    for mark in ("missing", "broken"):
        await keep(inbox, meeting(mark, host_id=mark))
    await install(context, "2", user_id="missing")
    await install(context, "3", user_id="broken")
    for mark in ("late-missing", "late-broken"):
        await keep(inbox, meeting(mark, host_id=mark.removeprefix("late-")))
    async with context.store._engine.writing(()) as connection:
        for user, name in (("missing", b"odd"), ("broken", b"old")):
            rows = await connection.exec_driver_sql(
                f"SELECT key_id, sealed FROM data_keys WHERE user_id = '{user}'"
            )
            for row in rows.all():
                spoiled = bytes(row.sealed).replace(b"old", name)[:-1] + b"?"
                value = f"X'{spoiled.hex()}'"
                if context.store.has_own_clock:
                    value = f"'\\x{spoiled.hex()}'"
                await connection.exec_driver_sql(
                    f"UPDATE data_keys SET sealed = {value} WHERE key_id = '{row.key_id}'"
                )
    async with dispatching(context, host, inbox=inbox):
        await host.until("missing", "broken")
        missing = await until_failure(context, "late-missing")
        broken = await until_failure(context, "late-broken")
    assert (EventStatus.RECEIVED, 0, "unknown_encryption_key") == (
        missing.status,
        missing.attempts,
        missing.failure,
    )
    assert missing.next_attempt_at > time.time() + 200
    assert (EventStatus.DEAD, "seal_broken") == (broken.status, broken.failure.split(":")[0])


async def until_failure(context: Context, mark: str) -> KeptEvent:
    """The event with this mark, once an attempt with it has failed."""
    while True:
        async with context.store.reading() as tx:
            for one in await tx.events.page(limit=99):
                if one.failure and one.concerned == (mark.removeprefix("late-"),):
                    return one
        await asyncio.sleep(0.02)


async def test_what_is_claimed_while_it_stops_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that waits for the database when the stop comes leaves no event in nobody's hands."""
    file = tmp_path / "paraph.db"
    async with open_context(new_sqlite(Path(file))) as context:
        inbox, host = Inbox(context), Host(one=hang)
        dispatcher = Dispatcher(
            context, inbox, Refresher(context), [host], monotonic=time.monotonic
        )
        claiming = asyncio.Event()
        transaction = Database.transaction

        def noticed(
            store: Database, *scopes: Scope, **options: bool
        ) -> AbstractAsyncContextManager[Transaction]:
            claiming.set()
            return transaction(store, *scopes, **options)

        await keep(inbox, meeting("one"))
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            monkeypatch.setattr(Database, "transaction", noticed)
            work = asyncio.create_task(dispatcher.run())
            await claiming.wait()
            stopping = asyncio.create_task(dispatcher.stop(grace=2.0))
            await asyncio.sleep(0)
            other.execute("ROLLBACK")
        await stopping
        await work
        event = await one_with(context, "one")
        assert (EventStatus.RECEIVED, 0) == (event.status, event.attempts)
        assert context.now() >= event.next_attempt_at
        assert 0 == dispatcher.under_way
