"""Counters of notices.

`sequence` and `generation` are counted for each (client, account, user), under a keyed hash. The
counter outlives the installation, so that a host sees a gap even if the lost notice was the last
one of a removed installation. The counter holds no personal data.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, func, select, update

from paraph.model.event import NoticeCount
from paraph.storage.connection import Connection
from paraph.storage.event_tables import EventTables
from paraph.storage.stores.events.event_order import NO_SUBJECT, RECEIVED
from paraph.storage.tables import database_identity, notice_counters

# A restored database does not know which notices followed its backup. So each epoch counts from
# a number of its own, which no earlier epoch reached.
EPOCH_STEP = 1_000_000


class NoticeStore:
    """Counters of notices: one for each (client, account, user), under its keyed hash."""

    def __init__(self, connection: Connection, tables: EventTables) -> None:
        self._connection = connection
        self._tables = tables.all

    async def last(self, identity_hash: bytes) -> NoticeCount | None:
        """Return the counter after the last notice; None before the first one."""
        row = (
            await self._connection.execute(
                select(notice_counters).where(notice_counters.c.identity_hash == identity_hash)
            )
        ).first()
        return None if row is None else _count(row)

    async def count(
        self, identity_hash: bytes, name: str, *, subject_key: str, ends: bool, now: int
    ) -> NoticeCount:
        """Count one more notice, in the transaction of the change that it reports.

        `sequence` rises by one, `generation` only if the notice `ends` an installation. `arrival`
        is later than that of every earlier notice of this identity, and of every waiting one of
        this subject, whatever the clock says.
        """
        known = notice_counters.c
        floor = select((database_identity.c.epoch - 1) * EPOCH_STEP).scalar_subquery()
        arrival = max(now * 1_000_000, await self._last_of_subject(subject_key) + 1)
        added = self._connection.insert(notice_counters).values(
            identity_hash=identity_hash,
            sequence=floor + 1,
            generation=1 + ends,
            arrival=arrival,
            last_name=name,
        )
        rows = await self._connection.execute(
            added.on_conflict_do_update(
                index_elements=[known.identity_hash],
                set_={
                    "sequence": _larger(known.sequence, floor) + 1,
                    "generation": known.generation + int(ends),
                    # A replica's clock may be behind that of the one that wrote the last notice.
                    "arrival": _larger(known.arrival + 1, added.excluded.arrival),
                    "last_name": name,
                },
            ).returning(*notice_counters.c)
        )
        return _count(rows.one())

    async def raise_to(self, identity_hash: bytes, count: NoticeCount) -> None:
        """Raise a counter to another identity's count, if that is higher."""
        known = notice_counters.c
        added = self._connection.insert(notice_counters).values(
            identity_hash=identity_hash, **count._asdict()
        )
        given = added.excluded
        await self._connection.execute(
            added.on_conflict_do_update(
                index_elements=[known.identity_hash],
                set_={
                    "sequence": _larger(known.sequence, given.sequence),
                    "generation": _larger(known.generation, given.generation),
                    "arrival": _larger(known.arrival, given.arrival),
                    "last_name": case(
                        (known.sequence > given.sequence, known.last_name), else_=given.last_name
                    ),
                },
            )
        )

    async def _last_of_subject(self, subject_key: str) -> int:
        found = []
        for events in self._tables:
            waiting: Any = select(func.coalesce(func.max(events.c.arrival), 0)).where(
                events.c.status == RECEIVED,
                events.c.subject_key != NO_SUBJECT,
                events.c.subject_key == subject_key,
            )
            found.append(int((await self._connection.execute(waiting)).scalar_one()))
        return max(found)

    async def hasten(self, *, account_id: str, user_id: str, name: str, at: int) -> None:
        """Make waiting notices of one name and user due at `at`, unless they are due earlier."""
        for events in self._tables:
            await self._connection.execute(
                update(events)
                .where(
                    events.c.status == RECEIVED,
                    events.c.subject_key != NO_SUBJECT,
                    events.c.account_id == account_id,
                    events.c.user_id == user_id,
                    events.c.name == name,
                    events.c.next_attempt_at > at,
                )
                .values(next_attempt_at=at)
            )


def _larger(one: Any, other: Any) -> Any:
    """Build the larger of two values; the two databases name that function differently."""
    return case((one > other, one), else_=other)


def _count(row: Any) -> NoticeCount:
    return NoticeCount(row.sequence, row.generation, row.arrival, row.last_name)
