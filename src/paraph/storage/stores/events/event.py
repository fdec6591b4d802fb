"""The inbox and the outbox in the database. Bodies are sealed and deleted before their rows.

A worker claims an event by setting its next attempt to the end of a lease. If a worker dies,
the event is due again when the lease ends; so claims need no heartbeat and no clean-up. Each claim
increments `attempts`. By that number a late worker knows that another one has claimed the event.
A failure is written only over the claim that it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, case, delete, exists, func, literal, select, tuple_, update

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.model.event import Backlog, EventFilter, EventPosition, EventStatus, KeptEvent
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.stores.events.event_columns import BODY, column_of, users_in
from paraph.storage.stores.events.event_filter import conditions_of
from paraph.storage.stores.events.event_order import claimable
from paraph.storage.stores.events.event_purge import EventPurge
from paraph.storage.stores.forwarding_pause import is_not_paused
from paraph.storage.tables import events, grants

_KEY_MISSING_SECONDS = 300
_RECEIVED = EventStatus.RECEIVED.value
_FORWARDED = EventStatus.FORWARDED.value
_DEAD = EventStatus.DEAD.value
_WITHOUT_BODY = [column for column in events.c if column is not events.c.body]
EVERY_EVENT = EventFilter()
_waiting = events.c.status == _RECEIVED


class EventStore:
    """The inbox and the outbox: events from Zoom, and notices to the host."""

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def add(self, event: KeptEvent) -> bool:
        """Insert an event once. Return False if this `event_id` exists."""
        body = event.body
        once = self._connection.insert(events).on_conflict_do_nothing(
            index_elements=[events.c.event_id]
        )
        done = await self._connection.execute(
            once,
            {
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
            },
        )
        return done.rowcount == 1

    async def get(self, event_id: str) -> KeptEvent | None:
        """Return an event, with its body unless that was deleted."""
        row = (
            await self._connection.execute(select(events).where(events.c.event_id == event_id))
        ).first()
        return None if row is None else self._event(row)

    async def find(self, beginning: str) -> KeptEvent | None:
        """Return the one event whose id begins so, without its body; None if it is not unique."""
        rows = (
            await self._connection.execute(
                select(*_WITHOUT_BODY)
                # A range, not LIKE: it uses the index, and no character is a wildcard.
                .where(events.c.event_id >= beginning, events.c.event_id < f"{beginning}\x7f")
                .order_by(events.c.event_id)
                .limit(2)
            )
        ).all()
        exact = [row for row in rows if row.event_id == beginning]
        if exact or len(rows) == 1:
            return self._event((exact or rows)[0])
        return None

    async def claim(
        self,
        *,
        now: int,
        until: int,
        limit: int,
        urgent: bool,
        ordered: bool = False,
        without: Sequence[str] = (),
    ) -> Sequence[KeptEvent]:
        """Claim due events, oldest first, for this worker until the lease ends.

        Each claim counts as an attempt. A notice waits for every earlier one of its Zoom user
        and of its subject.

        Args:
            now: epoch seconds.
            until: the end of the lease, epoch seconds.
            limit: the largest number of events.
            urgent: claim deauthorizations, which wait for no other event.
            ordered: an event waits for every earlier one of its account.
            without: events of these kinds are not claimed.
        """
        where = claimable(now=now, urgent=urgent, ordered=ordered, without=without)
        rows = (
            await self._connection.execute(
                select(events)
                .where(*where)
                .order_by(events.c.next_attempt_at, events.c.arrival, events.c.event_id)
                .limit(limit)
                # On PostgreSQL, skip rows that another worker is claiming.
                .with_for_update(skip_locked=True)
            )
        ).all()
        if rows:
            await self._connection.execute(
                update(events)
                .where(self._connection.any_of(events.c.event_id, [row.event_id for row in rows]))
                .values(attempts=events.c.attempts + 1, next_attempt_at=until)
            )
        opened = [await self._open_claimed(row, now=now) for row in rows]
        return [event for event in opened if event is not None]

    async def _open_claimed(self, row: Row[Any], *, now: int) -> KeptEvent | None:
        """Open one event. One that cannot be opened must not block the delivery of others."""
        try:
            return self._event(row, claimed=True)
        except UnknownEncryptionKey as error:
            later = now + _KEY_MISSING_SECONDS
            values = {"attempts": row.attempts, "next_attempt_at": later, "failure": error.code}
            await self._connection.execute(_of(row).values(**values))
        except SealBroken as error:
            failure = f"{error.code}: {error.detail}"
            await self._connection.execute(_of(row).values(status=_DEAD, failure=failure))
        return None

    async def mark_forwarded(
        self, event_ids: Sequence[str], *, now: int, drop_bodies: bool = False
    ) -> None:
        """Mark events as forwarded, even if another worker has claimed them meanwhile.

        Args:
            event_ids: the events.
            now: epoch seconds.
            drop_bodies: delete their content.
        """
        values: dict[str, Any] = {"status": _FORWARDED, "handed_on_at": now, "failure": ""}
        if drop_bodies:
            values["body"] = None
        await self._connection.execute(
            update(events)
            .where(
                self._connection.any_of(events.c.event_id, event_ids),
                events.c.status.in_([_RECEIVED, _DEAD]),
            )
            .values(**values)
        )

    async def mark_due_forwarded(self, *, now: int, limit: int) -> int:
        """Mark due events that are not urgent as forwarded: the host wants no events."""
        due = (
            select(events.c.event_id)
            .where(
                _waiting,
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
            .where(events.c.event_id.in_(due.scalar_subquery()))
            .values(status=_FORWARDED, handed_on_at=now)
        )
        return done.rowcount

    async def postpone(self, claimed: KeptEvent, *, next_attempt_at: int, failure: str) -> None:
        """Record a failed attempt and the time of the next one, if the claim still holds."""
        await self._connection.execute(
            self._mine(claimed).values(next_attempt_at=next_attempt_at, failure=failure)
        )

    async def give_up(self, claimed: KeptEvent, *, failure: str) -> None:
        """Record the last failed attempt: a dead letter, if the claim still holds."""
        await self._connection.execute(self._mine(claimed).values(status=_DEAD, failure=failure))

    async def drop(self, claimed: KeptEvent, *, now: int, failure: str) -> None:
        """End a claim without delivery: a later notice made this one untrue."""
        await self._connection.execute(
            self._mine(claimed).values(status=_FORWARDED, handed_on_at=now, failure=failure)
        )

    async def release(self, claimed: KeptEvent, *, now: int) -> None:
        """Release a claim without an attempt: it does not count."""
        await self._connection.execute(
            self._mine(claimed).values(attempts=claimed.attempts - 1, next_attempt_at=now)
        )

    @staticmethod
    def _mine(claimed: KeptEvent) -> Any:
        return update(events).where(
            events.c.event_id == claimed.event_id,
            events.c.attempts == claimed.attempts,
            _waiting,
        )

    async def redeliver(
        self, event_id: str, *, client_id: str, now: int, dead_only: bool = False
    ) -> bool:
        """Make an event due again, counting from its first attempt.

        Return False if it is unknown, has no body, or its account has no grant of this client.
        With `dead_only`, also if it is no dead letter when it is written.
        """
        statuses = [EventStatus.DEAD] if dead_only else list(EventStatus)
        done = await self._connection.execute(
            update(events)
            .where(
                events.c.event_id == event_id,
                events.c.status.in_([one.value for one in statuses]),
                events.c.body.is_not(None),
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

    async def backlog(self) -> Backlog:
        """Return the counts of waiting events and dead letters."""
        counts: Any = select(
            func.count(),
            func.coalesce(func.sum(case((events.c.urgent, 1), else_=0)), 0),
            func.min(events.c.received_at),
        ).where(_waiting)
        found: Any = (await self._connection.execute(counts)).one()
        waiting, urgent, oldest = found
        dead = (
            await self._connection.execute(
                select(func.count())
                .select_from(events)
                .where(events.c.status == _DEAD, events.c.body.is_not(None))
            )
        ).scalar_one()
        return Backlog(waiting, urgent, oldest, dead)

    async def page(
        self,
        *,
        status: EventStatus | None = None,
        matching: EventFilter = EVERY_EVENT,
        after: str | EventPosition = "",
        limit: int = 50,
        oldest_first: bool = False,
    ) -> Sequence[KeptEvent]:
        """Return events for operators: newest first, without bodies.

        `after` is the last event of the previous page, or its id: no event is after an unknown id.
        """
        order = events.c.received_at, events.c.event_id
        statement = select(*_WITHOUT_BODY).where(*conditions_of(matching))
        statement = statement.order_by(*(one if oldest_first else one.desc() for one in order))
        if status is not None:
            statement = statement.where(events.c.status == status.value)
        if after:
            here, cursor = tuple_(*order), tuple_(*_position_of(after))
            statement = statement.where(here > cursor if oldest_first else here < cursor)
        rows = await self._connection.execute(statement.limit(limit))
        return [self._event(row) for row in rows]

    async def purge_account(self, account_id: str) -> int:
        """Delete the bodies of an account's events; see `EventPurge`. Return their number."""
        return await EventPurge(self._connection, self._sealing).account(account_id)

    async def purge_user(self, client_id: str, user_id: str, *, account_ids: Sequence[str]) -> int:
        """Delete bodies of these accounts' events that concern only this user; see `EventPurge`.

        "" stands for events without an account. Return their number.
        """
        purge = EventPurge(self._connection, self._sealing)
        return await purge.user(client_id, user_id, account_ids=account_ids)

    async def delete_dead_bodies(self, *, given_up_before: int, at_most: int) -> int:
        """Delete bodies of dead letters that were given up before this time; return the number."""
        old = (
            select(events.c.event_id)
            .where(
                events.c.status == _DEAD,
                events.c.body.is_not(None),
                # Implied by the next condition, but the index is ordered by it.
                events.c.received_at <= given_up_before,
                # A dead letter keeps the end of its last lease.
                events.c.next_attempt_at <= given_up_before,
            )
            .order_by(events.c.received_at)
            .limit(at_most)
            # Skip rows that another replica is deleting.
            .with_for_update(skip_locked=True)
        )
        done = await self._connection.execute(
            update(events).where(events.c.event_id.in_(old)).values(body=None)
        )
        return done.rowcount

    async def delete_bodies(self, *, forwarded_before: int, at_most: int) -> int:
        """Delete bodies of events that were delivered before this time; return the number."""
        old = (
            select(events.c.event_id)
            .where(
                events.c.status == _FORWARDED,
                events.c.handed_on_at <= forwarded_before,
                events.c.body.is_not(None),
            )
            .limit(at_most)
            # Skip rows that another replica is deleting.
            .with_for_update(skip_locked=True)
        )
        done = await self._connection.execute(
            update(events).where(events.c.event_id.in_(old)).values(body=None)
        )
        return done.rowcount

    async def delete_rows(self, *, received_before: int, at_most: int) -> int:
        """Delete rows without a body that are too old for any replay; return the number."""
        old = (
            select(events.c.event_id)
            .where(
                events.c.received_at <= received_before,
                events.c.status.in_([_FORWARDED, _DEAD]),
                events.c.body.is_(None),
            )
            .limit(at_most)
            # Skip rows that another replica is deleting.
            .with_for_update(skip_locked=True)
        )
        done = await self._connection.execute(delete(events).where(events.c.event_id.in_(old)))
        return done.rowcount

    def _event(self, row: Row[Any], *, claimed: bool = False) -> KeptEvent:
        sealed = getattr(row, "body", None)
        return KeptEvent(
            event_id=row.event_id,
            name=row.name,
            received_at=row.received_at,
            body=None if sealed is None else self._sealing.open(BODY, row.event_id, sealed),
            account_id=row.account_id,
            user_id=row.user_id,
            notice=row.notice,
            urgent=row.urgent,
            status=EventStatus(row.status),
            attempts=row.attempts + claimed,
            next_attempt_at=row.next_attempt_at,
            handed_on_at=row.handed_on_at,
            failure=row.failure,
            arrival=row.arrival,
            trace=row.trace,
            signed_at=row.signed_at,
            subject_key=row.subject_key,
            concerned=users_in(row.concerned),
        )


def _position_of(after: str | EventPosition) -> tuple[Any, Any]:
    if isinstance(after, EventPosition):
        return literal(after.received_at, BigInteger), literal(after.event_id)
    last = select(events.c.received_at).where(events.c.event_id == after)
    return last.scalar_subquery(), literal(after)


def _of(row: Row[Any]) -> Any:
    return update(events).where(events.c.event_id == row.event_id)
