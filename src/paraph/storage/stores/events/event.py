"""The inbox and the outbox in the database. Bodies are sealed and deleted before their rows.

A worker claims an event by setting its next attempt to the end of a lease. If a worker dies,
the event is due again when the lease ends; so claims need no heartbeat and no clean-up. Each claim
increments `attempts`. By that number a late worker knows that another one has claimed the event.
A failure is written only over the claim that it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Table, exists, select, update

from paraph.errors import Conflict, SealBroken, UnknownEncryptionKey
from paraph.logs import get_logger
from paraph.model.event import EventStatus, KeptEvent
from paraph.storage.event_tables import POSITIONS_TRIED, key_of, position_within
from paraph.storage.stores.events.event_columns import (
    BODY,
    PURGED,
    as_purged,
    column_of,
    without_body,
)
from paraph.storage.stores.events.event_deletion import EventDeletion
from paraph.storage.stores.events.event_keys import is_readable
from paraph.storage.stores.events.event_move import has_unmoved, move_one, move_some
from paraph.storage.stores.events.event_order import claimable
from paraph.storage.stores.events.event_rows import is_row
from paraph.storage.stores.forwarding_pause import is_not_paused
from paraph.storage.tables import grants

# Seconds until the next attempt to open a body whose encryption key is not in the key ring.
KEY_MISSING_SECONDS = 300
# Rows looked at in one step of `purge_destroyed`, for which other writers wait.
PURGED_AT_ONCE = 500
_DESTROYED = "a removal has destroyed their data keys"
_RECEIVED = EventStatus.RECEIVED.value
_FORWARDED = EventStatus.FORWARDED.value
_DEAD = EventStatus.DEAD.value

_log = get_logger("storage")


class Claimed(NamedTuple):
    """Claimed events, and the keys of due rows that have to be purged.

    If there are such rows, there may be more to claim, also if no event was found.
    """

    events: Sequence[KeptEvent]
    destroyed: Sequence[Any]


class EventStore(EventDeletion):
    """The inbox and the outbox: events from Zoom, and notices to the host."""

    async def add(self, event: KeptEvent) -> bool:
        """Insert an event once. Return False if this `event_id` exists.

        Raises:
            Conflict: no position was found in the second of its arrival.
        """
        body = event.body
        values = {
            "event_id": event.event_id,
            "name": event.name,
            "received_at": event.received_at,
            "body": None
            if body is None
            else self._sealing.seal_body(BODY, event.event_id, body, at=event.received_at),
            "account_id": event.account_id,
            "user_id": event.user_id,
            "notice": event.notice,
            "urgent": event.urgent,
            "status": event.status.value,
            "attempts": event.attempts,
            "next_attempt_at": event.next_attempt_at,
            "handed_on_at": event.handed_on_at,
            "failure": event.failure,
            "arrival": event.arrival or event.received_at * 1_000_000,
            "trace": event.trace,
            "signed_at": event.signed_at,
            "subject_key": event.subject_key,
            "concerned": column_of(event.concerned),
        }
        once = self._connection.insert(self._events).on_conflict_do_nothing()
        former = self._tables.former
        if former is not None and await self._holds(former, event.event_id):
            return False
        if not self._tables.are_by_time:
            return (await self._connection.execute(once, values)).rowcount == 1
        for attempt in range(POSITIONS_TRIED):
            position = position_within(event.received_at, event.event_id, attempt)
            place = {"position": position, "event_ts": event.event_ts or 0}
            if (await self._connection.execute(once, values | place)).rowcount == 1:
                return True
            if await self._holds(self._events, event.event_id):
                return False
        raise Conflict("no position is free in this second")

    async def claim(
        self,
        *,
        now: int,
        until: int,
        limit: int,
        urgent: bool,
        ordered: bool = False,
        without: Sequence[str] = (),
    ) -> Claimed:
        """Claim due events, oldest first, for this worker until the lease ends.

        Each claim counts as an attempt. A notice waits for every earlier one of its Zoom user
        and of its subject.

        Events whose content a removal has destroyed stay due until `purge_destroyed` ends them. If
        some are found, the latest due events are claimed as well as the oldest. So events behind
        any number of destroyed ones do not wait for them.

        Args:
            now: epoch seconds.
            until: the end of the lease, epoch seconds.
            limit: the largest number of events.
            urgent: claim deauthorizations, which wait for no other event.
            ordered: an event waits for every earlier one of its account.
            without: events of these kinds are not claimed.
        """
        events, key = self._events, key_of(self._events)
        where = claimable(self._tables, now=now, urgent=urgent, ordered=ordered, without=without)
        due = await self._due(where, limit=limit)
        rows = [row for row in due if row.is_readable]
        destroyed = [getattr(row, key.name) for row in due if not row.is_readable]
        if destroyed:
            known = {getattr(row, key.name) for row in due}
            latest = await self._due(where, limit=limit - len(rows), is_latest=True)
            others = [row for row in reversed(latest) if getattr(row, key.name) not in known]
            rows += [row for row in others if row.is_readable]
            destroyed += [getattr(row, key.name) for row in others if not row.is_readable]
        if rows:
            await self._connection.execute(
                update(events)
                .where(self._connection.any_of(key, [getattr(row, key.name) for row in rows]))
                .values(attempts=events.c.attempts + 1, next_attempt_at=until)
            )
        opened = [await self._open_claimed(row, now=now) for row in rows]
        return Claimed([event for event in opened if event is not None], destroyed)

    async def _due(
        self,
        where: Sequence[Any],
        *,
        limit: int,
        columns: Sequence[Any] = (),
        is_latest: bool = False,
    ) -> Sequence[Row[Any]]:
        """Lock and read the oldest of these events, or the latest, the latest first.

        Args:
            where: the conditions.
            limit: the largest number of events.
            columns: those to read; all by default.
            is_latest: read the latest.
        """
        events = self._events
        order = events.c.next_attempt_at, events.c.arrival, events.c.event_id
        readable = is_readable(self._connection, events).label("is_readable")
        found = await self._connection.execute(
            select(*(columns or [events]), readable)
            .where(*where)
            .order_by(*(one.desc() if is_latest else one for one in order))
            .limit(limit)
            # On PostgreSQL, skip rows that another worker is claiming.
            .with_for_update(skip_locked=True)
        )
        return found.all()

    async def purge_destroyed(self, found: Sequence[Any], *, now: int) -> None:
        """End events whose content a removal has destroyed.

        Args:
            found: the keys of rows that a claim has found.
            now: epoch seconds. Of the events that are due, the oldest are looked at as well.
        """
        events, key = self._events, key_of(self._events)
        where = (
            events.c.status == _RECEIVED,
            events.c.urgent.is_(False),
            events.c.next_attempt_at <= now,
        )
        due = await self._due(where, limit=PURGED_AT_ONCE, columns=[key.label("key")])
        keys = {row.key for row in due if not row.is_readable}.union(found)
        done = await self._connection.execute(
            update(events)
            .where(
                self._connection.any_of(key, sorted(keys)),
                events.c.status == _RECEIVED,
                ~is_readable(self._connection, events),
            )
            .values(as_purged(events))
        )
        _log.info("events.purged", count=done.rowcount, why=_DESTROYED)

    async def _open_claimed(self, row: Row[Any], *, now: int) -> KeptEvent | None:
        """Open one event. One that cannot be opened must not block the delivery of others."""
        try:
            return self._event(row, claimed=True)
        except UnknownEncryptionKey as error:
            later = now + KEY_MISSING_SECONDS
            values = {"attempts": row.attempts, "next_attempt_at": later, "failure": error.code}
            await self._connection.execute(self._of(row).values(**values))
        except SealBroken as error:
            failure = f"{error.code}: {error.detail}"
            _log.error("event.not_opened", event_id=row.event_id[:16], why=failure)
            await self._connection.execute(self._of(row).values(status=_DEAD, failure=failure))
        return None

    def _of(self, row: Row[Any]) -> Any:
        key = key_of(self._events)
        return update(self._events).where(key == getattr(row, key.name))

    async def mark_forwarded(
        self, claimed: Sequence[KeptEvent], *, now: int, drop_bodies: bool = False
    ) -> None:
        """Mark events as forwarded, even if another worker has claimed them meanwhile.

        Args:
            claimed: the events.
            now: epoch seconds.
            drop_bodies: delete their content.
        """
        values: dict[str, Any] = {"status": _FORWARDED, "handed_on_at": now, "failure": ""}
        for events in self._tables_of(claimed):
            await self._connection.execute(
                update(events)
                .where(self._are(events, claimed), events.c.status.in_([_RECEIVED, _DEAD]))
                .values(values | without_body(events) if drop_bodies else values)
            )

    async def mark_due_forwarded(self, *, now: int, limit: int) -> int:
        """Mark due events that are not urgent as forwarded: the host wants no events."""
        events, key = self._events, key_of(self._events)
        due = (
            select(key)
            .where(
                events.c.status == _RECEIVED,
                events.c.urgent.is_(False),
                events.c.next_attempt_at <= now,
                is_not_paused(),
            )
            .order_by(events.c.next_attempt_at, events.c.arrival)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        done = await self._connection.execute(
            update(events)
            .where(key.in_(due.scalar_subquery()))
            .values(status=_FORWARDED, handed_on_at=now)
        )
        return done.rowcount

    async def postpone(
        self, claimed: KeptEvent, *, next_attempt_at: int, failure: str, counts: bool = True
    ) -> None:
        """Record a failed attempt and the time of the next one, if the claim still holds.

        With `counts` False the attempt is not counted.
        """
        attempts = claimed.attempts if counts else claimed.attempts - 1
        await self._end(
            claimed, attempts=attempts, next_attempt_at=next_attempt_at, failure=failure
        )

    async def purge(self, claimed: KeptEvent) -> None:
        """End a claim of an event whose content a removal has destroyed."""
        _log.info("events.purged", count=1, why=_DESTROYED)
        await self._end(claimed, drop_body=True, **PURGED)

    async def give_up(self, claimed: KeptEvent, *, failure: str) -> None:
        """Record the last failed attempt: a dead letter, if the claim still holds."""
        await self._end(claimed, status=_DEAD, failure=failure)

    async def drop(self, claimed: KeptEvent, *, now: int, failure: str) -> None:
        """End a claim without delivery: a later notice made this one untrue."""
        await self._end(claimed, status=_FORWARDED, handed_on_at=now, failure=failure)

    async def release(self, claimed: KeptEvent, *, now: int) -> None:
        """Release a claim without an attempt: it does not count."""
        await self._end(claimed, attempts=claimed.attempts - 1, next_attempt_at=now)

    async def _end(self, claimed: KeptEvent, *, drop_body: bool = False, **values: Any) -> None:
        for events in self._tables_of([claimed]):
            await self._connection.execute(
                update(events)
                .where(
                    self._are(events, [claimed]),
                    events.c.attempts == claimed.attempts,
                    events.c.status == _RECEIVED,
                )
                .values(values | without_body(events) if drop_body else values)
            )

    def _tables_of(self, claimed: Sequence[KeptEvent]) -> tuple[Table, ...]:
        """Return the tables in which claimed events may be."""
        # One that was claimed just before `paraph migrate` may have moved, or not yet.
        return (self._events,) if all(one.position for one in claimed) else self._tables.all

    def _are(self, events: Table, claimed: Sequence[KeptEvent]) -> Any:
        """Build the condition that a row is one of these events."""
        if all(one.position for one in claimed):
            return self._connection.any_of(key_of(events), [one.position for one in claimed])
        return self._connection.any_of(events.c.event_id, [one.event_id for one in claimed])

    async def has_unmoved(self) -> bool:
        """Return True if `move_some` has work: waiting events or dead letters in a former table."""
        return self._tables.former is not None and await has_unmoved(self._connection)

    async def move_some(self, *, at_most: int) -> int:
        """Move waiting events and dead letters of a former table; see `event_move`.

        Return their number. The transaction must be without a scope.
        """
        if self._tables.former is None:
            return 0
        return await move_some(self._connection, at_most=at_most)

    async def redeliver(
        self,
        event_id: str,
        *,
        client_id: str,
        now: int,
        dead_only: bool = False,
        position: int = 0,
    ) -> bool:
        """Make an event due again, counting from its first attempt.

        Return False if it is unknown, has no body, or its account has no grant of this client.
        With `dead_only`, also if it is no dead letter when it is written. A known `position` makes
        it one step.
        """
        events = self._events
        statuses = [EventStatus.DEAD] if dead_only else list(EventStatus)
        if not position and self._tables.former is not None:
            await move_one(self._connection, event_id)
        done = await self._connection.execute(
            update(events)
            .where(
                is_row(events, event_id, position),
                events.c.status.in_([one.value for one in statuses]),
                events.c.body.is_not(None),
                is_readable(self._connection, events),
                events.c.notice
                | (events.c.account_id == "")
                | exists().where(
                    grants.c.client_id == client_id, grants.c.account_id == events.c.account_id
                ),
            )
            .values(
                status=_RECEIVED, attempts=0, next_attempt_at=now, handed_on_at=None, failure=""
            )
        )
        return done.rowcount == 1
