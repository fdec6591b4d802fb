"""Copies facts to a file outside the database, so that an older copy of it is noticed and fixed.

Removal receipts and tombstones are written by the transaction that removes, and are copied into
the receipt book within seconds, at least once. The book also holds marks of the audit chain's
head. A database that lacks the entry of its newest mark is an older copy, restored by hand. It
would reactivate removed users and revoked API keys, so no service starts on it until it
begins a new epoch.

After a rotation the old key no longer authenticates any line. Lines of the old key that the
database confirms are written again under the current key. A line that was forged with the old key
is left behind.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping

from paraph.errors import ConfigurationError
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.model.management import AuditEntry
from paraph.storage.backup.receipt_book import (
    Line,
    MarkLine,
    ReceiptBook,
    ReceiptLine,
    TombstoneLine,
    encode_line,
)
from paraph.storage.database import Database
from paraph.storage.hot_reads.due_times import DueTimes
from paraph.storage.scope import NOTHING_READ
from paraph.storage.transaction import Transaction

BATCH = 200
MARK_SECONDS = 30

_log = get_logger("receipts")


class ReceiptExport:
    """Copies waiting lines into the book, and marks the head of the audit chain."""

    def __init__(self, context: Context, book: ReceiptBook) -> None:
        self._context = context
        self._book = book
        self._written_with = ""
        self._marked = 0
        self._marked_at = 0

    def due(self, times: DueTimes) -> int | None:
        """Return when `export` has something to write, in epoch seconds; None: it has nothing."""
        if times.export is not None or self._written_with != self._context.ring.key_id:
            return 0
        is_marked = times.audit_head is None or times.audit_head == self._marked
        return None if is_marked else self._marked_at + MARK_SECONDS

    async def export(self, *, closing: bool = False) -> None:
        """Write the waiting lines; when the service closes, also the newest mark.

        Raises:
            StorageError: the book could not be written; the lines keep waiting in the database.
        """
        now, key_id = self._context.now(), self._context.ring.key_id
        if self._written_with != key_id:
            await self._write_again(now=now)
            self._written_with = key_id
            # This key must also authenticate the mark.
            self._marked = 0
        async with self._context.store.reading() as tx:
            waiting = await tx.removals.unexported(limit=BATCH)
            head = await tx.audit.head()
        lines: list[str | Line] = [one.line for one in waiting]
        due = closing or bool(waiting) or now - self._marked_at >= MARK_SECONDS
        if head is not None and head.sequence != self._marked and due:
            lines.append(mark_of(self._context.store, head, now=now))
        if not lines:
            return
        await asyncio.to_thread(self._book.append, lines, now=now)
        if head is not None and due:
            self._marked, self._marked_at = head.sequence, now
        if waiting:
            async with self._context.store.transaction(NOTHING_READ) as tx:
                await tx.removals.exported([one.export_id for one in waiting])
            _log.info("receipts.exported", count=len(waiting))

    async def _write_again(self, *, now: int) -> None:
        """Write lines of older keys again under the current key, if the database confirms them."""
        reading = await asyncio.to_thread(self._book.read)
        present = set(map(encode_line, reading.lines))
        older = {encode_line(one): one for one in reading.older}
        wanted = [one for text, one in older.items() if text not in present]
        async with self._context.store.reading() as tx:
            kept = [one for one in wanted if await _is_known(tx, one)]
        ids = Counter(
            one.receipt_id for one in [*reading.lines, *kept] if isinstance(one, ReceiptLine)
        )
        # Two different lines of one receipt: one is forged, and this code cannot tell which.
        kept = [one for one in kept if not isinstance(one, ReceiptLine) or ids[one.receipt_id] == 1]
        for start in range(0, len(kept), BATCH):
            await asyncio.to_thread(self._book.append, kept[start : start + BATCH], now=now)
        if kept:
            _log.info("receipts.written_again", count=len(kept))


async def _is_known(tx: Transaction, line: Line) -> bool:
    if isinstance(line, ReceiptLine):
        return await tx.removals.knows_receipt(line.receipt_id)
    if isinstance(line, TombstoneLine):
        return await tx.removals.find_tombstone(bytes.fromhex(line.identity)) is not None
    # The current key marks the head again.
    return False


def mark_of(store: Database, head: AuditEntry, *, now: int) -> MarkLine:
    """Return the mark of the newest audit entry."""
    return MarkLine(store.epoch.number, head.sequence, head.digest.hex(), now)


def heads_of(lines: Iterable[Line]) -> Mapping[tuple[int, int], str]:
    """Return the marks among some lines: (epoch, sequence) to hex digest."""
    return {(one.epoch, one.sequence): one.digest for one in lines if isinstance(one, MarkLine)}


async def refuse_older_copy(store: Database, book: ReceiptBook) -> None:
    """Compare the database with its newest mark in the book.

    Raises:
        ConfigurationError: it is not the database that was written last.
    """
    reading = await asyncio.to_thread(book.read)
    # Right after a rotation the book has no mark of the new key yet.
    heads = heads_of(reading.lines) or heads_of(reading.older)
    if not heads:
        return
    (epoch, sequence), digest = max(heads.items())
    if store.epoch.number > epoch:
        return
    async with store.reading() as tx:
        head = await tx.audit.head()
        found = await tx.audit.page(after=sequence - 1, limit=1)
    reached = head.sequence if head else 0
    if store.epoch.number < epoch:
        why = f"it is of epoch {store.epoch.number}, and epoch {epoch} has begun"
    elif not found:
        why = f"it ends at audit entry {reached}, and entry {sequence} was written"
    elif found[0].digest.hex() != digest:
        why = f"its audit entry {sequence} is not the one that was written"
    else:
        return
    raise ConfigurationError(
        [f"the database is an older copy, put back by hand: {why} (see {book.folder})"],
        remedy="Put the right database back, or run paraph restore --in-place: it begins a new "
        "epoch, in which every grant is proved again and removals are carried out again.",
    )
