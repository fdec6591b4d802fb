"""The rows of the audit chain in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, or_, select

from paraph.model.management import AuditEntry
from paraph.storage.connection import Connection
from paraph.storage.tables import audit_entries


class AuditStore:
    """The rows of the audit chain; `lifecycle.audit` defines their meaning."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.waiting: list[Callable[[AuditEntry | None], AuditEntry]] = []

    async def head(self) -> AuditEntry | None:
        """Return the newest entry."""
        row = (
            await self._connection.execute(
                select(audit_entries).order_by(audit_entries.c.sequence.desc()).limit(1)
            )
        ).first()
        return None if row is None else _entry(row)

    def append(self, make: Callable[[AuditEntry | None], AuditEntry]) -> None:
        """Add an entry, to be written as the last statement of the transaction.

        Only then is the end of the chain locked, so that writers with audit entries do not wait
        for each other's work.

        Args:
            make: receives the newest entry and builds the next one.
        """
        self.waiting.append(make)

    async def write_waiting(self) -> None:
        """Chain and insert the added entries; the caller holds the lock of the audit chain."""
        entry = await self.head()
        rows = []
        for make in self.waiting:
            entry = make(entry)
            rows.append(
                {
                    "sequence": entry.sequence,
                    "at": entry.at,
                    "action": entry.action,
                    "details": msgspec.json.encode(entry.details).decode(),
                    "previous": entry.previous,
                    "digest": entry.digest,
                }
            )
        self.waiting.clear()
        await self._connection.execute(insert(audit_entries), rows)

    async def page(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        """Return entries after a sequence number, in order."""
        rows = await self._connection.execute(
            select(audit_entries)
            .where(audit_entries.c.sequence > after)
            .order_by(audit_entries.c.sequence)
            .limit(limit)
        )
        return [_entry(row) for row in rows]

    async def mentioning(
        self, values: Sequence[str], *, after: int, until: int
    ) -> Sequence[AuditEntry]:
        """Return entries whose details hold one of these values, in order.

        Args:
            values: ids and keyed hashes.
            after: the sequence number before the first entry.
            until: the sequence number of the last entry.
        """
        details = audit_entries.c.details
        rows = await self._connection.execute(
            select(audit_entries)
            .where(
                audit_entries.c.sequence > after,
                audit_entries.c.sequence <= until,
                # Not LIKE, which ignores case on SQLite.
                or_(*(func.replace(details, f'"{value}"', "") != details for value in values)),
            )
            .order_by(audit_entries.c.sequence)
        )
        return [_entry(row) for row in rows]


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        action=row.action,
        details=msgspec.json.decode(row.details, type=dict[str, str]),
        previous=bytes(row.previous),
        digest=bytes(row.digest),
    )
