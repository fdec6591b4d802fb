"""Handing an event on once more, by command and by API, and never for who has gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from events.inbox_kit import keep, kept, meeting, removal
from paraph.errors import NotFound, UsageError
from paraph.events.inbox import Inbox
from paraph.events.redelivery import Redelivered, find_event, redeliver, redeliver_dead
from paraph.lifecycle.context import Context
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.model.event import EventFilter, EventPosition, EventStatus
from service_kit import ACCOUNT, running
from storage import sample

pytestmark = pytest.mark.anyio


async def _dead(context: Context) -> str:
    await keep(Inbox(context), meeting())
    async with context.store.transaction() as tx:
        (claimed,) = (await tx.events.claim(now=2**40, until=2**40, limit=1, urgent=False)).events
        await tx.events.give_up(claimed, failure="raised: ValueError")
    return claimed.event_id


async def test_a_dead_letter_is_due_again(context: Context) -> None:
    """From its first attempt, found by the beginning of its id, and noted in the audit."""
    event_id = await _dead(context)
    await redeliver(context, event_id[:12])
    (one,) = await kept(context)
    assert (EventStatus.RECEIVED, 0, "") == (one.status, one.attempts, one.failure)
    async with context.store.reading() as tx:
        entries = await tx.audit.page(after=0, limit=100)
    assert one.body is not None
    assert ["event.redelivered"] == [entry.action for entry in entries]


async def test_a_removed_installation_gets_nothing_again(context: Context) -> None:
    """Its bodies are purged, dead ones too, and redelivery is refused."""
    event_id = await _dead(context)
    async with context.store.transaction() as tx:
        await remove_grant(tx, context, sample.grant(), Removal("test", 0, revoke=False))
    with pytest.raises(UsageError):
        await redeliver(context, event_id)
    (one,) = await kept(context)
    assert (None, EventStatus.FORWARDED) == (one.body, one.status)


async def test_a_body_that_outlived_its_account_is_not_forwarded(context: Context) -> None:
    """Also where the purge has not seen it: no grant of the account, no redelivery."""
    event_id = await _dead(context)
    async with context.store.transaction() as tx:
        await tx.grants.delete("grant-1")
    with pytest.raises(UsageError):
        await redeliver(context, event_id)


async def test_a_deauthorization_cannot_be_redelivered(context: Context) -> None:
    """It is a workflow of ours, with an end of its own."""
    await keep(Inbox(context), removal())
    (one,) = await kept(context)
    with pytest.raises(UsageError):
        await redeliver(context, one.event_id)


@pytest.mark.parametrize("beginning", ["", "abc", "%%%%", "ffffffff", "\0\0\0\0", "é" * 8])
async def test_what_is_no_id_is_not_found(context: Context, beginning: str) -> None:
    """Nothing, too little, wildcards, foreign letters."""
    await _dead(context)
    with pytest.raises(NotFound):
        await find_event(context, beginning)


async def test_an_ambiguous_beginning_is_not_found(context: Context) -> None:
    """Two events whose ids begin so: nobody guesses."""
    async with context.store.transaction() as tx:
        await tx.events.add(sample.event("aa1"))
        await tx.events.add(sample.event("aa2"))
    with pytest.raises(NotFound):
        await find_event(context, "event-aa")
    assert "event-aa1" == (await find_event(context, "event-aa1")).event_id


async def _add_dead(context: Context, mark: str, **changes: Any) -> str:
    values = {"status": EventStatus.DEAD, "failure": "raised: ValueError", **changes}
    event = sample.event(mark, **values)
    async with context.store.transaction() as tx:
        assert await tx.events.add(event)
    return event.event_id


_FILTERS = (
    (EventFilter(), "abcde"),
    (EventFilter(name="recording.completed"), "b"),
    (EventFilter(failure="http 500"), "c"),
    (EventFilter(failure="HTTP 500"), ""),
    (EventFilter(user_id="user-9"), "d"),
    (EventFilter(user_id="USER-9"), ""),
    (EventFilter(account_id=sample.ACCOUNT.lower()), ""),
    (EventFilter(received_from=4_000, received_before=5_000), "d"),
    (EventFilter(name="installation.removed"), ""),
    (EventFilter(name="zoom.installation.removed"), "e"),
    (EventFilter(user_id="%", failure="_"), ""),
)


async def test_dead_letters_by_filter(context: Context) -> None:
    """Each condition alone selects its events, byte for byte; all are redelivered in batches."""
    marks = {
        await _add_dead(context, "a", received_at=1_000): "a",
        await _add_dead(context, "b", received_at=2_000, name="recording.completed"): "b",
        await _add_dead(context, "c", received_at=3_000, failure="http 500 from the host"): "c",
        await _add_dead(context, "d", received_at=4_000, concerned=("user-1", "user-9")): "d",
        await _add_dead(context, "e", received_at=5_000, name="installation.removed"): "e",
    }
    async with context.store.reading() as tx:
        for matching, expected in _FILTERS:
            found = await tx.events.page(matching=matching, oldest_first=True)
            assert expected == "".join(marks[one.event_id] for one in found), matching
    async with context.store.reading() as tx:
        page = await tx.events.page(oldest_first=True)
    places = {EventPosition.of(one): marks[one.event_id] for one in page}
    after, batches = None, []
    while True:
        some = await redeliver_dead(context, EventFilter(), after=after, limit=2, operator="key-1")
        after = some.after
        if after is None:
            break
        batches.append(places[after])
    assert ["b", "d"] == batches
    assert 5 == len(await kept(context, EventStatus.RECEIVED))


async def test_a_position_outlives_its_event(context: Context) -> None:
    """The next call continues after it, even if retention has deleted the row meanwhile."""
    for number in range(5):
        # Two of one second.
        await _add_dead(context, str(number), received_at=1_000 + number // 2)
    first = await redeliver_dead(context, EventFilter(), limit=3)
    assert first.after == EventPosition.parse(str(first.after))
    async with context.store.transaction() as tx:
        done = await tx.events.page(status=EventStatus.RECEIVED)
        await tx.events.mark_forwarded(done, now=2_000, drop_bodies=True)
        assert 3 == await tx.events.delete_rows(received_before=2_000, at_most=10)
    assert Redelivered(2, 0, None) == await redeliver_dead(
        context, EventFilter(), after=first.after, limit=3
    )


async def test_what_cannot_be_delivered_again_is_counted(context: Context) -> None:
    """A dead letter without a body is refused, and does not stop the others."""
    await _add_dead(context, "a", received_at=1_000, body=None)
    await _add_dead(context, "b", received_at=2_000)
    assert Redelivered(1, 1, None) == await redeliver_dead(context, EventFilter())


async def test_two_callers_redeliver_each_dead_letter_once(context: Context) -> None:
    """At once, as by a double click: what one has made due, the other one counts as refused."""
    for number in range(6):
        await _add_dead(context, str(number))
    counts = []

    async def call() -> None:
        counts.append(await redeliver_dead(context, EventFilter()))

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        group.start_soon(call)
    assert 6 == sum(one.done for one in counts)
    async with context.store.reading() as tx:
        entries = await tx.audit.page(after=0, limit=100)
    assert 6 == len(entries)


async def test_a_late_caller_does_not_reset_what_was_delivered(context: Context) -> None:
    """Its list is older than the delivery; one event by its id is delivered again all the same."""
    event_id = await _add_dead(context, "a")
    await redeliver(context, event_id, dead_only=True)
    for is_delivered in (False, True):
        if is_delivered:
            async with context.store.transaction() as tx:
                one = await tx.events.get(event_id)
                assert one is not None
                await tx.events.mark_forwarded([one], now=9_000)
        with pytest.raises(UsageError):
            await redeliver(context, event_id, dead_only=True)
    assert [event_id] == [one.event_id for one in await kept(context, EventStatus.FORWARDED)]
    await redeliver(context, event_id)
    assert [event_id] == [one.event_id for one in await kept(context, EventStatus.RECEIVED)]


async def test_the_api_redelivers_by_filter(tmp_path: Path) -> None:
    """With the operator in the audit; unknown members and limited keys are refused."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        context = kit.service.context
        await _add_dead(context, "a", account_id=ACCOUNT)
        async with await kit.api("read") as api:
            done = await api.post("/v1/events/redeliver", json={"cause": "ValueError"})
            none = await api.post("/v1/events/redeliver", json={"cause": "ValueError"})
            wrong = await api.post("/v1/events/redeliver", json={"status": "dead"})
        assert (202, {"redelivered": 1, "refused": 0, "next": None}) == (
            done.status_code,
            done.json(),
        )
        assert (0, 422) == (none.json()["redelivered"], wrong.status_code)
        async with context.store.reading() as tx:
            entries = await tx.audit.page(after=0, limit=100)
        (redelivered,) = [one for one in entries if one.action == "event.redelivered"]
        assert redelivered.details["operator"]
        async with await kit.api("read", subject_prefix="tenant-") as api:
            assert 403 == (await api.post("/v1/events/redeliver", json={})).status_code


async def test_the_api_goes_on_from_its_own_positions_only(tmp_path: Path) -> None:
    """`next` is accepted, also that of a deleted event; any other text is a 422."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        context = kit.service.context
        for place, one in enumerate("abc"):
            await _add_dead(context, one, account_id=ACCOUNT, received_at=9 + place)
        async with context.store.reading() as tx:
            events = await tx.events.page(status=EventStatus.DEAD, oldest_first=True)
        ids = [one.event_id for one in events]
        async with await kit.api("read") as api:

            async def call(**body: Any) -> httpx.Response:
                return await api.post("/v1/events/redeliver", json={"limit": 1, **body})

            first = (await call()).json()
            assert (1, f"p{events[0].position}") == (first["redelivered"], first["next"])
            bad = (ids[0], "9-", "-9-a", "9-a\n", "9-%", f"{2**63}-a", "nine-a", "p", "p0", "p-1")
            for after in (*bad, f"p{10**19}"):
                assert 422 == (await call(after=after)).status_code, after
            # Of a deleted event.
            last = (await call(after=f"p{events[1].position + 1}", limit=200)).json()
            assert (1, None) == (last["redelivered"], last["next"])
            # The plain list goes on from the id of an event, too.
            for after in (ids[2], f"p{events[2].position}"):
                older = await api.get(f"/v1/events?status=dead&after={after}")
                assert [ids[1]] == [one["id"] for one in older.json()["events"]]


async def test_the_api_lists_shows_and_redelivers(tmp_path: Path) -> None:
    """For an unlimited key that may read; never a body."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        payload = {"account_id": ACCOUNT, "object": {"topic": "canary-topic"}}
        await kit.post_webhook("meeting.ended", payload)
        async with await kit.api("read") as api:
            listed = (await api.get("/v1/events")).json()["events"]
            (one,) = [event for event in listed if event["name"] == "meeting.ended"]
            shown = await api.get(f"/v1/events/{one['id']}")
            again = await api.post(f"/v1/events/{one['id']}/redeliver")
            missing = await api.post("/v1/events/ffffffffffff/redeliver")
        assert one["id"] == shown.json()["id"]
        assert (202, 404) == (again.status_code, missing.status_code)
        assert "canary" not in shown.text + again.text
        async with await kit.api("link") as api:
            assert 403 == (await api.get("/v1/events")).status_code
        async with await kit.api("read", subject_prefix="tenant-") as api:
            assert 200 != (await api.get("/v1/events")).status_code
