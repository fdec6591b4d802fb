"""Handing an event on once more, by command and by API, and never for who has gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from events.inbox_kit import keep, kept, meeting, removal
from paraph.errors import NotFound, UsageError
from paraph.events.inbox import Inbox
from paraph.events.redelivery import find_event, redeliver
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import Removal, remove_grant
from paraph.model.event import EventStatus
from service_kit import ACCOUNT, running
from storage import sample

pytestmark = pytest.mark.anyio


async def _dead(context: Context) -> str:
    await keep(Inbox(context), meeting())
    async with context.store.transaction() as tx:
        (claimed,) = await tx.events.claim(now=2**40, until=2**40, limit=1, urgent=False)
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
