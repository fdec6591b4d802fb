"""The audit chain: whatever is changed in the database, the walk along it says so."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from paraph.lifecycle import audit
from paraph.lifecycle.audit import ChainVerdict, walk_chain
from paraph.lifecycle.context import Context
from service_kit import Kit, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A service whose audit has ten entries."""
    async with running(tmp_path) as kit:
        await _write(kit.service.context, 10)
        yield kit


async def _write(context: Context, count: int) -> None:
    async with context.store.transaction() as tx:
        for number in range(count):
            await audit.record(tx, context, "test.entry", number=str(number))


def _tamper(database_url: str, statement: str) -> None:
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=30)) as file:
        file.execute(statement)
        file.commit()


async def _walk(kit: Kit, tamper: str = "", heads: dict[int, str] | None = None) -> ChainVerdict:
    if tamper:
        # In a thread: the service's own writer may hold the lock, and needs this loop to let go.
        await asyncio.to_thread(_tamper, kit.settings.database_url, tamper)
    exported = {(1, number): digest for number, digest in (heads or {}).items()}
    return await walk_chain(kit.service.context.store, exported_heads=exported)


async def test_an_untouched_chain_holds(kit: Kit) -> None:
    """Every entry follows the one before it; the head is the last digest."""
    verdict = await _walk(kit)

    assert (10, None) == (verdict.entries, verdict.broken_at)
    assert verdict == await _walk(kit, heads={10: verdict.head})


@pytest.mark.parametrize(
    ("tamper", "broken_at", "why"),
    [
        (
            "UPDATE audit_entries SET action = 'nothing' WHERE sequence = 4",
            4,
            "the entry was changed",
        ),
        ("UPDATE audit_entries SET at = at + 1 WHERE sequence = 7", 7, "the entry was changed"),
        ("UPDATE audit_entries SET details = '{}' WHERE sequence = 2", 2, "the entry was changed"),
        ("DELETE FROM audit_entries WHERE sequence = 5", 5, "an entry is missing"),
        ("DELETE FROM audit_entries WHERE sequence = 1", 1, "an entry is missing"),
        (
            "UPDATE audit_entries SET digest = previous WHERE sequence = 6",
            6,
            "the entry was changed",
        ),
    ],
)
async def test_tampering_is_shown(kit: Kit, tamper: str, broken_at: int, why: str) -> None:
    """A changed, dropped or copied entry breaks the chain at that entry."""
    verdict = await _walk(kit, tamper)

    assert (broken_at, why) == (verdict.broken_at, verdict.why)


async def test_a_cut_end_is_shown_by_an_exported_head(kit: Kit) -> None:
    """Entries cut off at the end leave a chain that holds; only the log knows that more was."""
    head = (await _walk(kit)).head
    cut = "DELETE FROM audit_entries WHERE sequence > 8"

    assert (await _walk(kit, cut)).broken_at is None
    verdict = await _walk(kit, heads={10: head})
    assert (10, "an exported head names an entry that is gone") == (verdict.broken_at, verdict.why)


async def test_a_rebuilt_chain_is_shown_by_an_exported_head(kit: Kit) -> None:
    """Somebody with database and key rebuilds the chain: it differs from what the log kept."""
    head = (await _walk(kit)).head
    await _walk(kit, "DELETE FROM audit_entries WHERE sequence > 5")
    await _write(kit.service.context, 5)

    assert (await _walk(kit)).broken_at is None
    verdict = await _walk(kit, heads={10: head})
    assert (10, "the chain was rebuilt: another digest was exported") == (
        verdict.broken_at,
        verdict.why,
    )
