"""Notices: what each one carries, and how they are counted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from events.inbox_kit import open_context
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import NoticeKind, notify_host, notify_recovery
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.model.installation import Installation
from paraph.storage.stores.notice import EPOCH_STEP
from storage import sample

pytestmark = pytest.mark.anyio


@pytest.fixture
async def context(database_url: str) -> AsyncIterator[Context]:
    """A context with one installation, `link-1` of `user-1`."""
    async with open_context(database_url) as opened:
        yield opened


def installation(mark: str = "1", *, link: str = "", subject: str = "") -> Installation:
    """The installation `link-<mark>` of `user-<mark>`, perhaps under another link or subject."""
    changes = {"link_id": link or f"link-{mark}", "subject": subject or f"subject-{mark}"}
    return Installation(sample.grant(mark), sample.link(mark, **changes))


async def tell(
    context: Context, kind: str, about: Installation | None = None, *, reason: str = "test"
) -> None:
    """Queue one notice `installation.<kind>`."""
    full: NoticeKind = f"installation.{kind}"  # type: ignore[assignment]
    async with context.store.transaction() as tx:
        await notify_host(tx, context, full, about or installation(), reason=reason)


async def told(context: Context) -> list[tuple[str, dict[str, Any]]]:
    """All notices in their order: name and body."""
    async with context.store.reading() as tx:
        found = [await tx.events.get(one.event_id) for one in await tx.events.page(limit=1000)]
    notices = sorted((one for one in found if one and one.notice), key=lambda one: one.arrival)
    return [(one.name, json.loads(one.body or b"{}")) for one in notices]


async def numbers(context: Context, link: str = "link-1") -> list[tuple[str, int, int]]:
    """Kind, sequence and generation of each notice of an installation."""
    return [
        (name.removeprefix("installation."), about["sequence"], about["generation"])
        for name, body in await told(context)
        if (about := body["installation"])["id"] == link
    ]


async def test_a_notice_carries_what_the_host_needs(context: Context) -> None:
    """A notice names the installation, its place among all, its phase after the fact, and why."""
    await tell(context, "needs_reauthorization", reason="Token is revoked")
    ((name, body),) = await told(context)
    assert "installation.needs_reauthorization" == name
    assert {
        "id": "link-1",
        "subject": "subject-1",
        "zoom": {"user_id": "user-1", "account_id": sample.ACCOUNT},
        "phase": "needs_reauthorization",
        "generation": 1,
        "sequence": 1,
        "reason": "Token is revoked",
    } == body["installation"]
    assert "Token is revoked" == body["reason"]


@pytest.mark.parametrize(
    ("kind", "phase"),
    [("activated", "active"), ("moved", "ended"), ("removed", "ended")],
)
async def test_the_phase_is_that_after_the_fact(context: Context, kind: str, phase: str) -> None:
    """A notice of an end says that the installation has ended."""
    await tell(context, kind)
    ((_, body),) = await told(context)
    assert phase == body["installation"]["phase"]


async def test_sequence_rises_by_one_and_generation_with_removals(context: Context) -> None:
    """A user who comes back after a removal is counted on, also under another installation id."""
    for kind in ("activated", "needs_reauthorization", "activated", "removed"):
        await tell(context, kind)
    again = installation(link="link-again")
    for kind in ("activated", "removed"):
        await tell(context, kind, again)
    assert [
        ("activated", 1, 1),
        ("needs_reauthorization", 2, 1),
        ("activated", 3, 1),
        ("removed", 4, 2),
    ] == await numbers(context)
    assert [("activated", 5, 2), ("removed", 6, 3)] == await numbers(context, "link-again")


async def test_each_user_is_counted_alone(context: Context) -> None:
    """Notices of another user leave no gap."""
    for mark in ("1", "2", "1", "2"):
        await tell(context, "activated", installation(mark))
    assert [1, 2] == [sequence for _, sequence, _ in await numbers(context, "link-1")]
    assert [1, 2] == [sequence for _, sequence, _ in await numbers(context, "link-2")]


async def test_a_count_continues_from_the_further_one(context: Context) -> None:
    """Two Zoom users of one installation: the next notice comes after those of both."""
    one, two = (context.tombstone_hash(installation(mark).grant.identity) for mark in "12")
    for kind in ("activated", "removed", "activated"):
        await tell(context, kind)
    await tell(context, "activated", installation("2"))
    for source, target in ((one, two), (two, one)):
        async with context.store.transaction() as tx:
            known = await tx.notices.last(source)
            assert known is not None
            await tx.notices.raise_to(target, known)
            assert (3, 2) == (known.sequence, known.generation)
    await tell(context, "removed", installation("2"))
    assert ("removed", 4, 3) == (await numbers(context, "link-2"))[-1]


async def test_what_is_undone_is_not_counted(context: Context) -> None:
    """The counter belongs to the transaction of the fact: undone together, no gap."""

    async def undone() -> None:
        async with context.store.transaction() as tx:
            await notify_host(tx, context, "installation.activated", installation(), reason="x")
            raise KeyError

    with pytest.raises(KeyError):
        await undone()
    await tell(context, "activated")
    assert [("activated", 1, 1)] == await numbers(context)


async def test_a_slow_clock_does_not_change_the_order(context: Context) -> None:
    """A notice that a replica with an earlier clock writes still comes after the one before."""
    behind = replace(context, clock=lambda: context.clock() - 3600)
    await tell(context, "removed")
    await tell(behind, "activated", installation(link="link-again"))
    # The subject itself went to another Zoom user.
    await tell(behind, "activated", installation("2", subject="subject-1"))
    assert ["link-1", "link-again", "link-2"] == [
        body["installation"]["id"] for _, body in await told(context)
    ]


async def test_a_restored_database_counts_from_a_number_of_its_own(context: Context) -> None:
    """It cannot know which notices followed its backup, and repeats none of their numbers."""
    await tell(context, "activated")
    async with context.store.transaction() as tx:
        await tx.tables.begin_epoch(3, now=context.now())
    await tell(context, "removed")
    await tell(context, "activated", installation("2"))
    assert [1, 2 * EPOCH_STEP + 1] == [sequence for _, sequence, _ in await numbers(context)]
    assert [2 * EPOCH_STEP + 1] == [sequence for _, sequence, _ in await numbers(context, "link-2")]


async def test_a_removal_leaves_no_personal_data_in_the_counter(context: Context) -> None:
    """The counter outlives the installation, under a keyed hash."""
    async with context.store.transaction() as tx:
        await remove_grant(tx, context, sample.grant(), Removal("test", 0, revoke=False))
    async with context.store.reading() as tx:
        ((_, row),) = await tx.tables.page("notice_counters", after=None, limit=10)
    assert context.tombstone_hash(sample.grant().identity) == bytes(row[0])
    assert [1, 2] == list(row[1:3])


async def test_a_recovery_is_reported_only_after_its_trouble(context: Context) -> None:
    """A grant that works again is told as active, once, if the host believes that it does not."""
    for _ in range(2):
        await tell(context, "activated")
        await tell(context, "needs_reauthorization")
        for _ in range(2):
            async with context.store.transaction() as tx:
                await notify_recovery(tx, context, sample.grant(), reason="refreshed")
    names = [name for name, _, _ in await numbers(context)]
    assert ["activated", "needs_reauthorization", "activated"] * 2 == names
