"""The space of deleted bodies: SQLite uses it for the next events, although the rows stay."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from databases import new_sqlite
from paraph.model.event import EventStatus
from paraph.storage.database import Database, open_store
from paraph.storage.transaction import Transaction
from storage import sample
from storage.sample import ACCOUNT, CLIENT, ring

pytestmark = pytest.mark.anyio

# One body fills most of a page.
EVENTS, BODY_BYTES, PAGE_BYTES = 300, 2_400, 4_096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a database."""
    return tmp_path / "paraph.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Database]:
    """A store on SQLite."""
    opened = await open_store(new_sqlite(path), ring(), randomness=os.urandom)
    yield opened
    await opened.close()


async def keep_some(store: Database, *, status: EventStatus) -> None:
    """Keep events of one moment each."""
    events = [
        sample.event(
            str(number),
            body=os.urandom(BODY_BYTES),
            arrival=1_000_000_000 + number,
            event_ts=1_000_000 + number,
            status=status,
            handed_on_at=1_000,
            concerned=("user-1",),
        )
        for number in range(EVENTS)
    ]
    await store.keep_events(events, client_id=CLIENT)


def used_pages(path: Path) -> int:
    """The pages of the file that hold something."""
    with closing(sqlite3.connect(path)) as file:
        ((pages,), (free,)) = (
            file.execute(f"PRAGMA {one}").fetchone() for one in ("page_count", "freelist_count")
        )
        return int(pages - free)


async def after_retention(tx: Transaction) -> None:
    """Delete the bodies of forwarded events."""
    await tx.events.delete_bodies(forwarded_before=2_000, at_most=EVENTS)


async def of_dead_letters(tx: Transaction) -> None:
    """Delete the bodies of dead letters."""
    await tx.events.delete_dead_bodies(given_up_before=2_000, at_most=EVENTS)


async def of_an_account(tx: Transaction) -> None:
    """Delete the bodies of a removed account."""
    await tx.events.purge_account(ACCOUNT)


async def of_a_user(tx: Transaction) -> None:
    """Delete the bodies of a removed user."""
    await tx.events.purge_user(CLIENT, "user-1", account_ids=[ACCOUNT])


async def when_forwarded(tx: Transaction) -> None:
    """Forward events whose bodies are deleted with that."""
    claimed = await tx.events.claim(now=2_000, until=3_000, limit=EVENTS, urgent=False)
    await tx.events.mark_forwarded(claimed.events, now=2_000, drop_bodies=True)


@pytest.mark.parametrize(
    ("delete", "status"),
    [
        (after_retention, EventStatus.FORWARDED),
        (of_dead_letters, EventStatus.DEAD),
        (of_an_account, EventStatus.RECEIVED),
        (of_a_user, EventStatus.RECEIVED),
        (when_forwarded, EventStatus.RECEIVED),
    ],
)
async def test_the_space_of_deleted_bodies_is_free(
    store: Database,
    path: Path,
    delete: Callable[[Transaction], Awaitable[None]],
    status: EventStatus,
) -> None:
    """Short rows move together, so nearly every page of theirs is free; no row is lost."""
    empty = used_pages(path)
    await keep_some(store, status=status)
    full = used_pages(path)
    assert full - empty > EVENTS * BODY_BYTES // PAGE_BYTES
    async with store.transaction() as tx:
        await delete(tx)

    assert used_pages(path) - empty < (full - empty) / 4
    async with store.reading() as tx:
        rows = await tx.events.page(limit=EVENTS + 1)
        ids = {row.event_id for row in rows}
    assert {f"event-{number}" for number in range(EVENTS)} == ids
