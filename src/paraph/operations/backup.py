"""Takes a backup: one consistent view of the database, while the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.storage.backup.backup_file import FORMAT, BackupWriter, Head
from paraph.storage.backup.trust import BACKUP
from paraph.storage.transaction import Transaction

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Backup:
    """Facts about a finished backup.

    Attributes:
        rows: the number of rows in it.
        sha256: the digest of its bytes, in hexadecimal.
        key_ids: the encryption keys that its values need.
        made_with: the id of the key that authenticates it.
    """

    rows: int
    sha256: str
    key_ids: tuple[str, ...]
    made_with: str


async def count_rows(context: Context) -> int:
    """Return about how many rows a backup will have.

    Raises:
        StorageError: the database failed.
    """
    async with context.store.reading() as tx:
        return await tx.tables.count()


async def take_backup(context: Context, file: BinaryIO, advance: Callable[[int], None]) -> Backup:
    """Write all tables, as they are at this moment, into a file.

    Args:
        context: the app's store and keys.
        file: the output; it is only appended to, so it may be a pipe.
        advance: called with the number of rows written since its last call.

    Raises:
        StorageError: the database failed.
        OSError: the file cannot be written.
    """
    store = context.store
    async with store.reading() as tx:
        head = Head(
            paraph_backup=FORMAT,
            schema=await tx.tables.revision(),
            database=store.database_id,
            epoch=store.epoch.number,
            made_at=context.now(),
            rows=await tx.tables.count(),
            key_id=context.ring.key_id,
        )
        writer = BackupWriter(file, head)
        for table, columns in tx.tables.tables().items():
            writer.table(table, columns)
            await _write_rows(tx, table, writer, advance)
        key_ids: set[str] = set()
        for place in tx.sealed.places:
            key_ids |= set(await tx.sealed.counts(place, context.ring.key_ids))
    digest = writer.end(context.ring.authentication_key(BACKUP, head.key_id))
    async with store.transaction() as tx:
        await audit.record(tx, context, "database.backed_up", sha256=digest)
    return Backup(writer.rows, digest, tuple(sorted(key_ids)), head.key_id)


async def _write_rows(
    tx: Transaction, table: str, writer: BackupWriter, advance: Callable[[int], None]
) -> None:
    after = None
    while page := await tx.tables.page(table, after=after, limit=_PAGE):
        after = page[-1][0]
        # In a thread: a slow disk or pipe must not block the loop that keeps the view open.
        await asyncio.to_thread(_write_page, writer, [row for _, row in page])
        advance(len(page))


def _write_page(writer: BackupWriter, rows: list[object]) -> None:
    for row in rows:
        writer.row(row)  # type: ignore[arg-type]
