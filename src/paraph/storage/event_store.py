"""The inbox and the outbox in the database. Bodies are sealed, and go before their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from paraph.storage.connection import Connection
from paraph.storage.records import EventStatus, KeptEvent
from paraph.storage.sealing import Sealing
from paraph.storage.tables import events

_BODY = "events.body"
_RECEIVED = EventStatus.RECEIVED.value
_HANDED_ON = EventStatus.HANDED_ON.value
_WITHOUT_BODY = [column for column in events.c if column is not events.c.body]
_INSERT = insert(events).on_conflict_do_nothing(index_elements=[events.c.event_id])


class SqlEventStore:
    """`EventStore` inside one transaction."""

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def add(self, event: KeptEvent) -> bool:
        """Insert once; False: this `event_id` is known."""
        body = event.body
        done = await self._connection.execute(
            _INSERT,
            {
                "event_id": event.event_id,
                "name": event.name,
                "received_at": event.received_at,
                "body": None if body is None else self._sealing.seal(_BODY, event.event_id, body),
                "account_id": event.account_id,
                "user_id": event.user_id,
                "notice": event.notice,
                "urgent": event.urgent,
                "status": event.status.value,
                "attempts": event.attempts,
                "next_attempt_at": event.next_attempt_at,
                "handed_on_at": event.handed_on_at,
                "failure": event.failure,
            },
        )
        return done.rowcount == 1

    async def get(self, event_id: str) -> KeptEvent | None:
        """One, with its body if it still has one."""
        row = (
            await self._connection.execute(select(events).where(events.c.event_id == event_id))
        ).first()
        return None if row is None else self._event(row)

    async def due(self, *, now: int, limit: int, urgent: bool | None = None) -> Sequence[KeptEvent]:
        """Received ones whose time has come: urgent first, then oldest first."""
        where = [events.c.status == _RECEIVED, events.c.next_attempt_at <= now]
        if urgent is not None:
            where.append(events.c.urgent == urgent)
        rows = await self._connection.execute(
            select(events)
            .where(*where)
            .order_by(events.c.urgent.desc(), events.c.received_at, events.c.event_id)
            .limit(limit)
        )
        return [self._event(row) for row in rows]

    async def settle(
        self,
        event_id: str,
        *,
        status: EventStatus,
        now: int,
        failure: str = "",
        drop_body: bool = False,
    ) -> None:
        """Handed on, or dead; with `drop_body` nothing of its content stays."""
        values: dict[str, Any] = {
            "status": status.value,
            "attempts": events.c.attempts + 1,
            "failure": failure,
        }
        if status is EventStatus.HANDED_ON:
            values["handed_on_at"] = now
        if drop_body:
            values["body"] = None
        await self._connection.execute(
            update(events).where(events.c.event_id == event_id).values(**values)
        )

    async def postpone(self, event_id: str, *, next_attempt_at: int, failure: str) -> None:
        """Count a failed attempt."""
        await self._connection.execute(
            update(events)
            .where(events.c.event_id == event_id)
            .values(
                attempts=events.c.attempts + 1, next_attempt_at=next_attempt_at, failure=failure
            )
        )

    async def page(
        self, *, status: EventStatus | None = None, after: str = "", limit: int = 50
    ) -> Sequence[KeptEvent]:
        """For operators: newest first, without bodies."""
        statement = select(*_WITHOUT_BODY).order_by(
            events.c.received_at.desc(), events.c.event_id.desc()
        )
        if status is not None:
            statement = statement.where(events.c.status == status.value)
        if after:
            last = select(events.c.received_at).where(events.c.event_id == after).scalar_subquery()
            statement = statement.where(
                (events.c.received_at < last)
                | ((events.c.received_at == last) & (events.c.event_id < after))
            )
        rows = await self._connection.execute(statement.limit(limit))
        return [self._event(row) for row in rows]

    async def purge(self, *, account_id: str, user_id: str | None) -> int:
        """Delete the bodies of Zoom's events of an account, or of one user in it."""
        where = [
            events.c.account_id == account_id,
            events.c.notice.is_(False),
            events.c.urgent.is_(False),
            events.c.body.is_not(None),
        ]
        if user_id is not None:
            where.append(events.c.user_id == user_id)
        done = await self._connection.execute(
            update(events).where(*where).values(body=None, status=_HANDED_ON, failure="purged")
        )
        return done.rowcount

    async def delete_bodies(self, *, handed_on_before: int) -> int:
        """Retention: forget bodies that were handed on before this time."""
        done = await self._connection.execute(
            update(events)
            .where(
                events.c.status == _HANDED_ON,
                events.c.handed_on_at <= handed_on_before,
                events.c.body.is_not(None),
            )
            .values(body=None)
        )
        return done.rowcount

    async def delete_rows(self, *, received_before: int) -> int:
        """Forget rows without a body that no replay can reach any more."""
        done = await self._connection.execute(
            delete(events).where(
                events.c.received_at <= received_before,
                events.c.status == _HANDED_ON,
                events.c.body.is_(None),
            )
        )
        return done.rowcount

    def _event(self, row: Row[Any]) -> KeptEvent:
        sealed = getattr(row, "body", None)
        return KeptEvent(
            event_id=row.event_id,
            name=row.name,
            received_at=row.received_at,
            body=None if sealed is None else self._sealing.open(_BODY, row.event_id, sealed),
            account_id=row.account_id,
            user_id=row.user_id,
            notice=row.notice,
            urgent=row.urgent,
            status=EventStatus(row.status),
            attempts=row.attempts,
            next_attempt_at=row.next_attempt_at,
            handed_on_at=row.handed_on_at,
            failure=row.failure,
        )
