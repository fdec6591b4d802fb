"""Restores a backup: settings in, a database in a new epoch out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from paraph.errors import UsageError
from paraph.lifecycle.context import Context
from paraph.operations.key_rotation import seal_with_newest
from paraph.operations.open_key_ring import open_ring
from paraph.operations.receipt_export import ReceiptExport
from paraph.operations.replica import (
    ANSWER_SECONDS,
    LIVE_SECONDS,
    ask_replicas,
    live_replicas,
)
from paraph.operations.restore import NewEpoch, begin_epoch
from paraph.service.context import context_over, open_context, receipt_book
from paraph.settings.model import Settings
from paraph.storage.backup.backup_file import BackupReader
from paraph.storage.backup.receipt_book import Line, ReceiptBook
from paraph.storage.backup.restoring import restoring
from paraph.storage.backup.trust import NO_OLDER_KEY, Trust


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The clock and randomness of the composition root, and further places of removal receipts.

    `report` receives the receipt lines that were not believed. `trust` is the operator's
    confirmation of rows that older keys have made.
    """

    receipts_folders: Sequence[Path]
    report: Callable[[Sequence[str]], None]
    clock: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    trust: Trust = NO_OLDER_KEY


async def restore_backup(
    settings: Settings,
    backup: BackupReader,
    circumstances: Circumstances,
    *,
    replace: bool,
    advance: Callable[[int], None],
) -> NewEpoch:
    """Load a backup and begin its new epoch, in one transaction: completely or not at all.

    Raises:
        UsageError: the backup is incomplete, or a database exists and may not be replaced.
        ConfigurationError, StorageError: see `restoring`.
    """
    ring = await open_ring(settings)
    clock, random_bytes = circumstances.clock, circumstances.random_bytes
    async with (
        restoring(
            settings.database_url,
            ring,
            backup,
            trust=circumstances.trust,
            replace=replace,
            live_since=int(clock()) - LIVE_SECONDS,
            answer_seconds=ANSWER_SECONDS,
            randomness=random_bytes,
            advance=advance,
        ) as store,
        context_over(settings, store, ring, clock=clock, random_bytes=random_bytes) as (context, _),
        store.transaction() as tx,
    ):
        if backup.head.key_id != ring.newest:
            # The backup's key was rotated out: it must not seal again.
            await seal_with_newest(tx, context)
        began = await begin_epoch(tx, context, _lines(settings, context, circumstances))
    await _mark(settings, circumstances)
    return began


async def begin_epoch_in_place(settings: Settings, circumstances: Circumstances) -> NewEpoch:
    """Treat the existing database as a restored one, after a copy of its file was put back.

    Raises:
        UsageError: a service is running on it.
    """
    clock, random_bytes = circumstances.clock, circumstances.random_bytes
    async with open_context(settings, clock=clock, random_bytes=random_bytes) as (context, _):
        lines = _lines(settings, context, circumstances)
        await ask_replicas(context)
        async with context.store.transaction() as tx:
            running = await live_replicas(tx, now=context.now())
            if running:
                raise UsageError(
                    f"a service runs on this database: {', '.join(r.label for r in running)}",
                    remedy="Stop every replica first; one that was killed counts as gone "
                    f"{ANSWER_SECONDS} seconds after this command asked for it.",
                )
            began = await begin_epoch(tx, context, lines)
    await _mark(settings, circumstances)
    return began


async def _mark(settings: Settings, circumstances: Circumstances) -> None:
    """Record the new epoch outside the database, so that an older database is noticed."""
    clock, random_bytes = circumstances.clock, circumstances.random_bytes
    async with open_context(settings, clock=clock, random_bytes=random_bytes) as (context, _):
        book = receipt_book(settings, context)
        if book is not None:
            await ReceiptExport(context, book).export(closing=True)


def _lines(settings: Settings, context: Context, circumstances: Circumstances) -> list[Line]:
    folders = [Path(settings.receipts_folder)] if settings.receipts_folder else []
    lines: list[Line] = []
    for folder in dict.fromkeys([*folders, *circumstances.receipts_folders]):
        book = ReceiptBook(
            folder,
            database_id=context.store.database_id,
            ring=context.ring,
            first_key=context.store.hash_keys["receipts"],
            writer="",
        )
        trust = circumstances.trust
        reading = book.read(trust.keys(context.ring), first_version=trust.first_version)
        lines.extend(reading.lines)
        places = [*reading.spoiled, *reading.unproven]
        circumstances.report([f"{folder}/{place}" for place in places])
    return lines
