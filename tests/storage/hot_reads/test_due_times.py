"""When background work is due: read in one statement, and only after a commit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from databases import new_sqlite
from paraph.errors import StorageError
from paraph.model.deployment import Replica
from paraph.model.event import EventStatus
from paraph.storage.database import Database, open_store
from storage import sample
from tampering import tamper

pytestmark = pytest.mark.anyio

REPLICA = Replica("r", "here:1", ("old",), "old", 1_234)


async def test_an_empty_database_has_no_work(store: Database) -> None:
    """Only the sealing key is named, from the first start on."""
    times = await store.read_due_times("r")

    assert {"sealing_key": sample.ring().key_id} == {
        name: value for name, value in times._asdict().items() if value is not None
    }


async def test_each_kind_of_work_is_found(store: Database) -> None:
    """The earliest time of each; urgent events apart from the others."""
    async with store.transaction() as tx:
        await tx.events.add(sample.event("1", next_attempt_at=5_000))
        await tx.events.add(sample.event("2", next_attempt_at=4_000))
        await tx.events.add(sample.event("3", urgent=True, next_attempt_at=3_000))
        await tx.events.add(
            sample.event("4", status=EventStatus.FORWARDED, received_at=900, handed_on_at=2_000)
        )
        await tx.events.add(sample.event("5", status=EventStatus.DEAD, received_at=950))
        await tx.revocations.add(sample.revocation(next_attempt_at=7_000))
        await tx.removals.add_tombstone(b"h" * 32, zoom_time=5, now=6)
        await tx.replicas.put(REPLICA)
        await tx.grants.add(sample.grant())
        for link in (sample.link("1", expires_at=700), sample.pending_link("2", expires_at=800)):
            await tx.links.add(replace(link, grant_id="grant-1"))
    times = await store.read_due_times("r")

    assert (3_000, 4_000, 7_000, None) == times[:4]
    assert (2_000, 950, 900) == (times.forwarded_at, times.dead_since, times.received_at)
    assert times.export is not None
    assert (800, 1_234) == (times.link, times.seen_at)


async def test_the_expiry_of_pending_links_is_read_from_an_index(tmp_path: Path) -> None:
    """The table has a row for each installation; the index holds the pending ones alone."""
    plan = await tamper(
        new_sqlite(tmp_path / "paraph.db"),
        "EXPLAIN QUERY PLAN SELECT min(expires_at) FROM links WHERE phase = 'pending'",
    )
    assert "INDEX ix_links_pending" in plan[0][3]


async def test_the_version_changes_with_each_commit_and_with_nothing_else(
    database_url: str, store: Database
) -> None:
    """Also with that of another process, which sends no signal; reading is no commit."""
    other = await open_store(database_url, sample.ring(), randomness=os.urandom, now=1_000)
    try:
        before = await store.read_version()
        async with other.reading() as tx:
            await tx.audit.head()
        async with store.transaction() as tx:
            assert (
                [] == (await tx.events.claim(now=1_000, until=2_000, limit=9, urgent=False)).events
            )
        assert before == await store.read_version()

        async with other.transaction() as tx:
            await tx.replicas.put(REPLICA)
        assert before != await store.read_version()
    finally:
        await other.close()


async def test_a_closed_database_is_not_read(store: Database) -> None:
    """The error is the usual one."""
    await store.close()

    with pytest.raises(StorageError):
        await store.read_version()
