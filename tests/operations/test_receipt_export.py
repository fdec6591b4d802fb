"""What is written outside the database, and how an older copy of it is noticed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from paraph.errors import ConfigurationError, StorageError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.operations.receipt_export import MARK_SECONDS, ReceiptExport
from paraph.service.app import open_service
from paraph.service.context import open_context, receipt_book
from paraph.storage.backup.receipt_book import (
    Line,
    MarkLine,
    ReceiptBook,
    ReceiptLine,
    TombstoneLine,
)
from service_kit import Kit, running
from storage import sample

pytestmark = pytest.mark.anyio


def book_of(kit: Kit) -> ReceiptBook:
    """The book of the service's settings."""
    book = receipt_book(kit.settings, kit.service.context)
    assert book is not None
    return book


async def act(context: Context, times: int = 1, what: str = "sample.act") -> None:
    """Something that the audit chain records."""
    for _ in range(times):
        async with context.store.transaction() as tx:
            await audit.record(tx, context, what)


async def exported(kit: Kit) -> list[Line]:
    """All that stands outside after a round of the export."""
    await ReceiptExport(kit.service.context, book_of(kit)).export()
    return list(book_of(kit).read().lines)


async def test_a_removal_is_exported_without_personal_data(tmp_path: Path) -> None:
    """The receipt says whose it was by a keyed hash alone, and then waits no longer."""
    async with running(tmp_path) as kit:
        context = kit.service.context
        async with context.store.transaction() as tx:
            await tx.grants.add(sample.grant())
            removal = Removal("deauthorized", 1_000, revoke=False)
            await remove_grant(tx, context, sample.grant(), removal)
        lines = [one for one in await exported(kit) if isinstance(one, ReceiptLine)]
        async with context.store.reading() as tx:
            assert [] == list(await tx.removals.unexported(limit=9))
        # At least once: the service's own round may have written it as well.
        assert 1 == len({one.receipt_id for one in lines})
        assert context.tombstone_hash(sample.grant().identity).hex() == lines[0].identity
        assert ("deauthorized", 1_000) == (lines[0].reason, lines[0].requested_at)
    (path,) = (tmp_path / "receipts").iterdir()
    for personal in (sample.ACCOUNT, "user-1", "canary"):
        assert personal not in path.read_text()


async def test_a_tombstone_is_exported_also_when_nothing_matched(tmp_path: Path) -> None:
    """Activation after a restore looks at it."""
    async with running(tmp_path) as kit:
        await kit.post_webhook("app_deauthorized", kit.deauthorization())
        for _ in range(200):
            if [one for one in await exported(kit) if isinstance(one, TombstoneLine)]:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("no tombstone was exported")


async def test_receipts_that_cannot_be_written_stay_in_the_database(tmp_path: Path) -> None:
    """A full disk loses no receipt: it is written when there is room again."""
    async with running(tmp_path) as kit:
        settings = kit.settings
    # Without the service: its own round would export the tombstone before the full disk is met.
    async with open_context(settings) as (context, _readiness):
        async with context.store.transaction() as tx:
            await tx.removals.add_tombstone(b"h" * 32, zoom_time=5, now=6)
        taken = tmp_path / "taken"
        taken.write_text("a file")
        nowhere = ReceiptBook(taken, database_id="x", ring=context.ring, first_key=b"k", writer="x")
        with pytest.raises(StorageError):
            await ReceiptExport(context, nowhere).export()

        book = receipt_book(settings, context)
        assert book is not None
        await ReceiptExport(context, book).export()
        assert TombstoneLine((b"h" * 32).hex(), 5, 6) in book.read().lines


async def test_the_head_is_marked_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    """Not at every step, or the book would grow with the traffic; the end is always marked."""
    async with running(tmp_path) as kit:
        now = [kit.service.context.now()]
        async with open_context(kit.settings, clock=lambda: now[0]) as (context, _readiness):
            book = ReceiptBook(
                tmp_path / "marks",
                database_id=context.store.database_id,
                ring=context.ring,
                first_key=b"k",
                writer="x",
            )
            export = ReceiptExport(context, book)
            marks = []
            for closing, step in ((False, 1), (False, 1), (False, MARK_SECONDS), (True, 0)):
                await act(context)
                await export.export(closing=closing)
                await export.export(closing=closing)
                now[0] += step
                lines = book.read().lines
                marks.append([one.sequence for one in lines if isinstance(one, MarkLine)])

    first = marks[0][0]
    assert [[first], [first], [first], [first, first + 3]] == marks


async def test_the_database_that_was_written_last_is_accepted(tmp_path: Path) -> None:
    """A stop and a start, and acts that were not marked yet, are no reason to refuse."""
    async with running(tmp_path) as kit:
        await act(kit.service.context, 3)
        settings = kit.settings
    async with open_context(settings) as (context, _readiness):
        await act(context)
    async with open_service(settings):
        pass


async def test_an_older_copy_put_back_by_hand_is_noticed(tmp_path: Path) -> None:
    """It ends before the newest mark: nothing starts on it, and the way out is named."""
    async with running(tmp_path) as kit:
        await act(kit.service.context, 3)
        settings = kit.settings
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    shutil.copy(file, tmp_path / "yesterday.db")
    async with open_service(settings) as service:
        await act(service.context, 2)
    shutil.copy(tmp_path / "yesterday.db", file)

    with pytest.raises(ConfigurationError, match="ends at audit entry") as caught:
        async with open_service(settings):
            pass
    assert "paraph restore --in-place" in caught.value.remedy


async def test_a_copy_that_went_its_own_way_is_noticed(tmp_path: Path) -> None:
    """As many entries as were marked, but not the same ones."""
    async with running(tmp_path) as kit:
        await act(kit.service.context, 3)
        settings = kit.settings
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    shutil.copy(file, tmp_path / "yesterday.db")
    async with open_service(settings) as service:
        await act(service.context, 2)
    shutil.copy(tmp_path / "yesterday.db", file)
    async with open_context(settings) as (context, _readiness):
        await act(context, 5, "sample.other")

    with pytest.raises(ConfigurationError, match="is not the one that was written"):
        async with open_service(settings):
            pass


async def test_a_database_of_an_earlier_epoch_is_noticed(tmp_path: Path) -> None:
    """The one from before a restore cannot come back, however far its chain reaches."""
    async with running(tmp_path) as kit:
        await act(kit.service.context, 3)
        settings = kit.settings
        book_of(kit).append([MarkLine(2, 1, "ab" * 32, 1)], now=kit.service.context.now())

    with pytest.raises(ConfigurationError, match="epoch 2 has begun"):
        async with open_service(settings):
            pass


async def test_a_new_database_in_the_same_place_is_no_older_copy(tmp_path: Path) -> None:
    """Marks are of one database; another one has nothing to do with them."""
    async with running(tmp_path) as kit:
        await act(kit.service.context, 3)
        settings = kit.settings
        other = replace(settings, database_url=f"sqlite:///{tmp_path / 'other.db'}")

    async with open_service(other):
        assert list(book_of(kit).read().lines)


async def test_the_chain_is_compared_with_the_marks(tmp_path: Path) -> None:
    """Whoever cuts entries off the end is found out by the mark that was made of them."""
    async with running(tmp_path) as kit:
        await act(kit.service.context, 5)
        settings = kit.settings
    file = settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as plain, plain:
        (newest,) = plain.execute("SELECT max(sequence) FROM audit_entries").fetchone()
        plain.execute("DELETE FROM audit_entries WHERE sequence = ?", (newest,))

    async with open_context(settings) as (context, _readiness):
        book = receipt_book(settings, context)
        assert book is not None
        verdict = await audit.walk_chain(context.store)
        compared = await audit.walk_chain(
            context.store,
            exported_heads={
                (one.epoch, one.sequence): one.digest
                for one in book.read().lines
                if isinstance(one, MarkLine)
            },
        )
    assert None is verdict.broken_at
    assert newest == compared.broken_at
    assert "an exported head names an entry that is gone" == compared.why
