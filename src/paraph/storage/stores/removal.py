"""Tombstones and receipts of removals in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, case, delete, insert, select

from paraph.model.removal import UNKNOWN_TIME, Receipt, RemovalExport, TombstoneTimes
from paraph.storage.backup.receipt_book import Line, ReceiptLine, TombstoneLine, encode_line
from paraph.storage.connection import Connection
from paraph.storage.tables import receipts, removal_exports, tombstones


class RemovalStore:
    """The lasting records of removals: tombstones (keyed hashes) and receipts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add_tombstone(self, identity_hash: bytes, *, zoom_time: int | None, now: int) -> None:
        """Insert a tombstone, or raise the time of an existing one, and queue its export.

        Args:
            identity_hash: the keyed hash of the removed identity.
            zoom_time: epoch seconds on Zoom's clock. None is an unknown time and stays unknown.
            now: epoch seconds on paraph's clock.
        """
        added = self._connection.insert(tombstones).values(
            identity_hash=identity_hash,
            zoom_time=UNKNOWN_TIME if zoom_time is None else zoom_time,
            created_at=now,
        )
        await self._connection.execute(
            added.on_conflict_do_update(
                index_elements=[tombstones.c.identity_hash],
                set_={
                    # UNKNOWN_TIME is below every time. If the smaller time is unknown, so is the
                    # outcome, and each later consent has to prove itself.
                    "zoom_time": case(
                        (tombstones.c.zoom_time == UNKNOWN_TIME, UNKNOWN_TIME),
                        (added.excluded.zoom_time == UNKNOWN_TIME, UNKNOWN_TIME),
                        (
                            tombstones.c.zoom_time > added.excluded.zoom_time,
                            tombstones.c.zoom_time,
                        ),
                        else_=added.excluded.zoom_time,
                    ),
                    "created_at": added.excluded.created_at,
                },
            )
        )
        time = UNKNOWN_TIME if zoom_time is None else zoom_time
        line = TombstoneLine(identity=identity_hash.hex(), zoom_time=time, created_at=now)
        await self._export(f"tombstone {line.identity} {time}", line)

    async def find_tombstone(self, identity_hash: bytes) -> TombstoneTimes | None:
        """Return the times of a deauthorization; None if there is no tombstone."""
        row = (
            await self._connection.execute(
                select(tombstones.c.zoom_time, tombstones.c.created_at).where(
                    tombstones.c.identity_hash == identity_hash
                )
            )
        ).first()
        return None if row is None else TombstoneTimes(int(row.zoom_time), int(row.created_at))

    async def add_receipt(self, receipt: Receipt, *, identity_hash: bytes) -> None:
        """Store a receipt and queue its export, which names its identity by the hash."""
        await self._connection.execute(
            insert(receipts).values(
                receipt_id=receipt.receipt_id,
                installation_id=receipt.installation_id,
                reason=receipt.reason,
                requested_at=receipt.requested_at,
                completed_at=receipt.completed_at,
                destroyed=msgspec.json.encode(receipt.destroyed).decode(),
            )
        )
        line = ReceiptLine(
            receipt_id=receipt.receipt_id,
            identity=identity_hash.hex(),
            installation_id=receipt.installation_id,
            reason=receipt.reason,
            requested_at=receipt.requested_at,
            completed_at=receipt.completed_at,
            destroyed=receipt.destroyed,
        )
        await self._export(f"receipt {receipt.receipt_id}", line)

    async def knows_receipt(self, receipt_id: str) -> bool:
        """Return True if a receipt of this id exists."""
        found = await self._connection.execute(
            select(receipts.c.receipt_id).where(receipts.c.receipt_id == receipt_id)
        )
        return found.first() is not None

    async def unexported(self, *, limit: int) -> Sequence[RemovalExport]:
        """Return some lines that wait to be written to the receipt book."""
        rows = await self._connection.execute(select(removal_exports).limit(limit))
        return [RemovalExport(row.export_id, row.line) for row in rows]

    async def exported(self, export_ids: Sequence[str]) -> None:
        """Remove lines that were written durably to the receipt book."""
        await self._connection.execute(
            delete(removal_exports).where(removal_exports.c.export_id.in_(export_ids))
        )

    async def _export(self, export_id: str, line: Line) -> None:
        await self._connection.execute(
            self._connection.insert(removal_exports)
            .values(export_id=export_id, line=encode_line(line))
            .on_conflict_do_nothing(index_elements=[removal_exports.c.export_id])
        )

    async def receipts(self, *, limit: int) -> Sequence[Receipt]:
        """Return receipts, newest first."""
        rows = await self._connection.execute(
            select(receipts)
            .order_by(receipts.c.completed_at.desc(), receipts.c.receipt_id)
            .limit(limit)
        )
        return [_receipt(row) for row in rows]

    async def receipts_of(self, installation_ids: Sequence[str]) -> Sequence[Receipt]:
        """Return the receipts of some installations, oldest first."""
        rows = await self._connection.execute(
            select(receipts)
            .where(receipts.c.installation_id.in_(installation_ids))
            .order_by(receipts.c.completed_at, receipts.c.receipt_id)
        )
        return [_receipt(row) for row in rows]


def _receipt(row: Row[Any]) -> Receipt:
    return Receipt(
        receipt_id=row.receipt_id,
        installation_id=row.installation_id,
        reason=row.reason,
        requested_at=row.requested_at,
        completed_at=row.completed_at,
        destroyed=msgspec.json.decode(row.destroyed, type=dict[str, int]),
    )
