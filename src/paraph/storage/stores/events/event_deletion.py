"""Deletes events: their bodies with a removal or after the retention, then their rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Table, delete, select, update

from paraph.model.event import EventStatus
from paraph.storage.event_tables import POSITIONS, key_of
from paraph.storage.stores.events.event_columns import without_body
from paraph.storage.stores.events.event_purge import EventPurge
from paraph.storage.stores.events.event_rows import EventRows

_FORWARDED = EventStatus.FORWARDED.value
_DEAD = EventStatus.DEAD.value


class EventDeletion(EventRows):
    """Deletes events, from every table that holds some."""

    async def purge_account(self, account_id: str) -> int:
        """Delete the bodies of an account's events; see `EventPurge`. Return their number."""
        return sum([await one.account(account_id) for one in self._purges()])

    async def purge_user(self, client_id: str, user_id: str, *, account_ids: Sequence[str]) -> int:
        """Delete bodies of these accounts' events that concern only this user; see `EventPurge`.

        "" stands for events without an account. Return their number.
        """
        return sum(
            [await one.user(client_id, user_id, account_ids=account_ids) for one in self._purges()]
        )

    def _purges(self) -> list[EventPurge]:
        return [EventPurge(self._connection, self._sealing, one) for one in self._tables.all]

    async def delete_dead_bodies(self, *, given_up_before: int, at_most: int) -> int:
        """Delete bodies of dead letters that were given up before this time; return the number."""

        async def from_table(events: Table, limit: int) -> int:
            old = (
                select(key_of(events))
                .where(
                    events.c.status == _DEAD,
                    events.c.body.is_not(None),
                    # Implied by the next condition, but the index is ordered by it.
                    events.c.received_at <= given_up_before,
                    # A dead letter keeps the end of its last lease.
                    events.c.next_attempt_at <= given_up_before,
                )
                .order_by(events.c.received_at)
            )
            return await self._delete_bodies(events, old, limit)

        return await self._from_each(from_table, at_most)

    async def delete_bodies(self, *, forwarded_before: int, at_most: int) -> int:
        """Delete bodies of events that were delivered before this time; return the number."""

        async def from_table(events: Table, limit: int) -> int:
            old = select(key_of(events)).where(
                events.c.status == _FORWARDED,
                events.c.handed_on_at <= forwarded_before,
                events.c.body.is_not(None),
            )
            return await self._delete_bodies(events, old, limit)

        return await self._from_each(from_table, at_most)

    async def delete_rows(self, *, received_before: int, at_most: int) -> int:
        """Delete rows without a body that are too old for any replay; return the number."""

        async def from_table(events: Table, limit: int) -> int:
            key = key_of(events)
            old = select(key).where(
                events.c.received_at <= received_before,
                events.c.status.in_([_FORWARDED, _DEAD]),
                events.c.body.is_(None),
            )
            if key is not events.c.event_id:
                # Here the key is the index by time.
                old = old.where(key < (received_before + 1) * POSITIONS).order_by(key)
            done = await self._connection.execute(
                delete(events).where(key.in_(_skipping(old, limit)))
            )
            return done.rowcount

        return await self._from_each(from_table, at_most)

    async def _delete_bodies(self, events: Table, old: Any, limit: int) -> int:
        done = await self._connection.execute(
            update(events)
            .where(key_of(events).in_(_skipping(old, limit)))
            .values(without_body(events))
        )
        return done.rowcount

    async def _from_each(self, work: Callable[[Table, int], Awaitable[int]], at_most: int) -> int:
        done = 0
        for table in self._tables.all:
            if done < at_most:
                done += await work(table, at_most - done)
        return done


def _skipping(old: Any, limit: int) -> Any:
    """Limit a selection, and skip rows that another replica is deleting."""
    return old.limit(limit).with_for_update(skip_locked=True)
