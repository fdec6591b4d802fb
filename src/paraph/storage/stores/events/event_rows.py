"""Rows of events: opened, and read by id or page by page, for operators.

The table that is keyed by time has no index by `event_id` alone, because an entry in it would be
written at a random place for each event. So an id is looked for in the index by which retries are
recognised, from its beginning to its end. Only operators ask by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    Row,
    Table,
    case,
    func,
    literal,
    select,
    tuple_,
)

from paraph.model.event import Backlog, EventFilter, EventPosition, EventStatus, KeptEvent
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.event_tables import MOVED, EventTables, key_of
from paraph.storage.stores.events.event_columns import BODY, PURGED_FAILURE, users_in
from paraph.storage.stores.events.event_filter import conditions_of
from paraph.storage.stores.events.event_keys import (
    is_readable,
    living_keys,
    present,
    sealed_for_in,
)
from paraph.storage.stores.events.event_order import DEAD, RECEIVED
from paraph.storage.tables import former_events, kept_events

EVERY_EVENT = EventFilter()


class EventRows:
    """Reads events, with their bodies or without.

    Args:
        connection: of a transaction.
        sealing: opens the bodies.
        tables: the tables that hold events.
    """

    def __init__(self, connection: Connection, sealing: Sealing, tables: EventTables) -> None:
        self._connection = connection
        self._sealing = sealing
        self._tables = tables
        self._events = tables.current

    async def get(self, event_id: str, *, position: int = 0) -> KeptEvent | None:
        """Return an event, with its body unless that was deleted.

        A known `position` makes it one step.
        """
        for table in self._tables.all:
            one = select(table).where(is_row(table, event_id, position))
            row = (await self._connection.execute(one)).first()
            if row is not None:
                return await self._open(row)
        return None

    async def _open(self, row: Row[Any]) -> KeptEvent:
        """Read a row with the body that its data keys open, or without it if they are gone."""
        event = self._event(row)
        if event.sealed is None:
            return event
        key_ids = present(event.sealed_for)
        keys = await living_keys(self._connection, key_ids)
        body = self._sealing.bodies.open(
            BODY, event.event_id, event.sealed, sealed_for=key_ids, keys=keys
        )
        if body is None:
            return replace(_destroyed(event), sealed=None)
        return replace(event, body=body, sealed=None)

    async def find(self, beginning: str) -> KeptEvent | None:
        """Return the one event whose id begins so, without its body; None if it is not unique."""
        found: dict[str, tuple[Table, Any]] = {}
        for table in self._tables.all:
            event_id = table.c.event_id
            rows = await self._connection.execute(
                select(event_id, key_of(table).label("key"))
                # A range, not LIKE: it uses the index, and no character is a wildcard.
                .where(event_id >= beginning, event_id < f"{beginning}\x7f", *_not_moved(table))
                .order_by(event_id)
                .limit(2)
            )
            for row in rows:
                found.setdefault(row.event_id, (table, row.key))
        if beginning not in found and len(found) != 1:
            return None
        table, key = found[beginning] if beginning in found else next(iter(found.values()))
        one = self._without_body(table).where(key_of(table) == key)
        return self._event((await self._connection.execute(one)).one())

    async def backlog(self) -> Backlog:
        """Return the counts of waiting events and dead letters."""
        waiting = urgent = dead = 0
        oldest: int | None = None
        for events in self._tables.all:
            counts: Any = select(
                func.count(),
                func.coalesce(func.sum(case((events.c.urgent, 1), else_=0)), 0),
                func.min(events.c.received_at),
            ).where(events.c.status == RECEIVED, is_readable(self._connection, events))
            found: Any = (await self._connection.execute(counts)).one()
            waiting, urgent = waiting + found[0], urgent + found[1]
            oldest = min((one for one in (oldest, found[2]) if one is not None), default=None)
            letters = select(func.count()).select_from(events)
            letters = letters.where(
                events.c.status == DEAD,
                events.c.body.is_not(None),
                is_readable(self._connection, events),
            )
            dead += (await self._connection.execute(letters)).scalar_one()
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
        last = await self._position_of(after) if isinstance(after, str) and after else after
        if last is None:
            return []
        found: list[KeptEvent] = []
        for table in self._in_order(last, oldest_first=oldest_first):
            if len(found) == limit:
                break
            where = [*_not_moved(table), *conditions_of(table, matching)]
            if status is not None:
                where.append(table.c.status == status.value)
                if status is not EventStatus.FORWARDED:
                    where.append(is_readable(self._connection, table))
            page = _page(self._without_body(table), table, last, oldest_first=oldest_first)
            page = page.where(*where)
            rows = await self._connection.execute(page.limit(limit - len(found)))
            found += [self._event(row) for row in rows]
        return found

    def _in_order(self, last: str | EventPosition, *, oldest_first: bool) -> list[Table]:
        """Return the tables with events behind a position. The former ones are the older ones."""
        tables = list(reversed(self._tables.all) if oldest_first else self._tables.all)
        if not isinstance(last, EventPosition):
            return tables
        here = [(table is kept_events) == bool(last.key) for table in tables]
        if any(here):
            return tables[here.index(True) :]
        # A position in the former table, which is gone: every event is a later one.
        return tables if oldest_first else []

    async def _position_of(self, event_id: str) -> EventPosition | None:
        for table in self._tables.all:
            wanted = table.c.event_id == event_id, *_not_moved(table)
            place = select(table.c.received_at, key_of(table).label("key")).where(*wanted).limit(1)
            row: Any = (await self._connection.execute(place)).first()
            if row is not None:
                is_by_time = table is kept_events
                return EventPosition(key=row.key) if is_by_time else EventPosition(*row)
        return None

    async def _holds(self, table: Table, event_id: str) -> bool:
        wanted = select(key_of(table)).where(table.c.event_id == event_id)
        return (await self._connection.execute(wanted.limit(1))).first() is not None

    def _without_body(self, table: Table) -> Any:
        columns = [column for column in table.c if column is not table.c.body]
        return select(*columns, is_readable(self._connection, table).label("is_readable"))

    def _event(self, row: Row[Any], *, claimed: bool = False) -> KeptEvent:
        """Read a row. A body under data keys stays sealed: they are read when it is opened."""
        stored = getattr(row, "body", None)
        # Without a body they open nothing, and a damaged value hides no row from a list.
        sealed_for = None if stored is None else sealed_for_in(getattr(row, "sealed_for", None))
        body = None
        if stored is not None and sealed_for is None:
            body, stored = self._sealing.open(BODY, row.event_id, stored), None
        event = KeptEvent(
            event_id=row.event_id,
            name=row.name,
            received_at=row.received_at,
            body=body,
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
            position=getattr(row, "position", 0),
            sealed_for=sealed_for,
            sealed=stored,
        )
        return event if getattr(row, "is_readable", True) else _destroyed(event)


def is_row(table: Table, event_id: str, position: int = 0) -> Any:
    """Build the condition that a row is this event."""
    if table is kept_events and position:
        return (table.c.position == position) & (table.c.event_id == event_id)
    wanted = table.c.event_id == event_id, *_not_moved(table)
    # The key alone is read from an index; the row then is read by its key.
    return key_of(table) == select(key_of(table)).where(*wanted).limit(1).scalar_subquery()


def _destroyed(event: KeptEvent) -> KeptEvent:
    """Return an event as it will be stored once it is found that its content was destroyed."""
    if event.status is EventStatus.FORWARDED:
        return event
    return replace(event, status=EventStatus.FORWARDED, failure=PURGED_FAILURE)


def _page(columns: Any, table: Table, last: str | EventPosition, *, oldest_first: bool) -> Any:
    """Select the rows behind a position, in the order of arrival or against it."""
    key = key_of(table)
    # The order is part of the key, where the key is the time.
    order = [key] if table is kept_events else [table.c.received_at, table.c.event_id]
    statement = columns.order_by(*(one if oldest_first else one.desc() for one in order))
    if not isinstance(last, EventPosition) or bool(last.key) != (table is kept_events):
        return statement
    if last.key:
        return statement.where(key > last.key if oldest_first else key < last.key)
    here = tuple_(*order)
    there = tuple_(literal(last.received_at, BigInteger), literal(last.event_id))
    return statement.where(here > there if oldest_first else here < there)


def _not_moved(table: Table) -> list[Any]:
    """Build the condition that a row is not what is left of one in the other table."""
    return [] if table is not former_events else [table.c.failure != MOVED]
