"""Leases on refreshes, in the database."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import case, delete, select, update

from paraph.model.grant import RefreshAttempt
from paraph.storage.connection import Connection
from paraph.storage.tables import refresh_attempts as table


class RefreshStore:
    """Leases to ask Zoom for a grant's next token set.

    Each statement decides by itself, and depends on no earlier read.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self, attempt: RefreshAttempt, *, now: int) -> bool:
        """Take the lease: of any number of parallel callers, one gets it.

        Return False if another holds it, or if this token set's last attempt failed and the
        next is not due.

        Raises:
            Conflict: the grant is gone.
        """
        added = self._connection.insert(table).values(**asdict(attempt))
        new, same = added.excluded, table.c.token_version == added.excluded.token_version
        done = await self._connection.execute(
            added.on_conflict_do_update(
                index_elements=[table.c.grant_id],
                set_={
                    "token_version": new.token_version,
                    "holder": new.holder,
                    "began_at": new.began_at,
                    "lease_until": new.lease_until,
                    "failures": case((same, table.c.failures), else_=new.failures),
                    "next_attempt_at": new.next_attempt_at,
                },
                where=(table.c.lease_until <= now) & (~same | (table.c.next_attempt_at <= now)),
            )
        )
        return done.rowcount == 1

    async def get(self, grant_id: str) -> RefreshAttempt | None:
        """Return the recorded refresh attempt of a grant."""
        row = (
            await self._connection.execute(select(table).where(table.c.grant_id == grant_id))
        ).first()
        return None if row is None else RefreshAttempt(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name.

    async def end(self, grant_id: str, *, holder: str) -> None:
        """Delete the attempt of this holder, after a new token set or the end of the grant."""
        await self._connection.execute(
            delete(table).where(table.c.grant_id == grant_id, table.c.holder == holder)
        )

    async def postpone(self, grant_id: str, *, holder: str, next_attempt_at: int) -> None:
        """Release the lease after a failure, which is counted; set the next attempt's time."""
        await self._connection.execute(
            update(table)
            .where(table.c.grant_id == grant_id, table.c.holder == holder)
            .values(
                holder="",
                lease_until=0,
                failures=table.c.failures + 1,
                next_attempt_at=next_attempt_at,
            )
        )
