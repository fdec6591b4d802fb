"""Moves events out of the table of version 0.1, after `paraph migrate` has renamed it.

Waiting events and dead letters move, some at a time, each time in a transaction that is alone: no
removal, delivery or outcome comes between. The others stay for the retention. A moved row leaves
its id, which recognises repeated deliveries, and the mark MOVED.

Until everything has moved no event is claimed that may have to wait for one of these
(`event_order`). Any process may move the next ones, so one that is killed leaves nothing undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Row, bindparam, func, insert, literal, or_, select, update

from paraph.model.event import EventStatus
from paraph.storage.connection import Connection
from paraph.storage.event_tables import (
    MOVED,
    POSITIONS_TRIED,
    arrival_position,
    position_within,
)
from paraph.storage.stores.events.event_order import DEAD, RECEIVED
from paraph.storage.tables import former_events, kept_events

# All other writers wait while so many are moved.
MOVED_AT_ONCE = 250
_former = former_events.c
_WAITING = (_former.status == RECEIVED,)
_DEAD_LETTERS = (_former.status == DEAD, _former.body.is_not(None))
# Two conditions, for two partial indexes: a scan of the whole table would take long each time.
_MOVING = (_WAITING, _DEAD_LETTERS)


async def has_unmoved(connection: Connection) -> bool:
    """Return True if an event still has to be moved."""
    found = [select(literal(1)).select_from(former_events).where(*one).exists() for one in _MOVING]
    return bool((await connection.execute(select(or_(*found)))).scalar())


async def move_some(connection: Connection, *, at_most: int) -> int:
    """Move waiting events, then dead letters; return their number.

    The transaction must be without a scope.
    """
    moved = 0
    for where in _MOVING:
        if moved < at_most:
            moved += await _move(connection, *where, limit=at_most - moved)
    return moved


async def move_one(connection: Connection, event_id: str) -> None:
    """Move an event whatever its status, unless it has no body.

    The transaction must be without a scope.
    """
    await _move(connection, _former.event_id == event_id, _former.body.is_not(None), limit=1)


async def _move(connection: Connection, *where: Any, limit: int) -> int:
    columns = _former.event_id, _former.arrival, _former.received_at
    rows = (await connection.execute(select(*columns).where(*where).limit(limit))).all()
    if not rows:
        return 0
    positions = await _positions(connection, rows)
    names = [column.name for column in former_events.c]
    place = bindparam("at", type_=BigInteger), literal(0, BigInteger)
    copied = select(*former_events.c, *place).where(_former.event_id == bindparam("moved_id"))
    await connection.execute(
        insert(kept_events).from_select([*names, "position", "event_ts"], copied),
        [{"moved_id": row.event_id, "at": at} for row, at in zip(rows, positions, strict=True)],
    )
    done = await connection.execute(
        update(former_events)
        .where(connection.any_of(_former.event_id, [row.event_id for row in rows]))
        .values(
            status=EventStatus.FORWARDED.value,
            body=None,
            failure=MOVED,
            handed_on_at=func.coalesce(_former.handed_on_at, _former.received_at),
        )
    )
    return done.rowcount


async def _positions(connection: Connection, rows: Sequence[Row[Any]]) -> list[int]:
    """Choose a free position for each row, in the order of arrival."""
    chosen: dict[int, str] = {}
    attempt, left = 0, rows
    while left:
        wanted = {_position(row, attempt): row for row in left}
        position = kept_events.c.position
        there = select(position).where(connection.any_of(position, list(wanted)))
        taken = chosen.keys() | set((await connection.execute(there)).scalars())
        chosen |= {at: row.event_id for at, row in wanted.items() if at not in taken}
        done = set(chosen.values())
        left = [row for row in left if row.event_id not in done]
        attempt += 1
    found = {event_id: at for at, event_id in chosen.items()}
    return [found[row.event_id] for row in rows]


def _position(row: Row[Any], attempt: int) -> int:
    if row.arrival and attempt < POSITIONS_TRIED:
        return arrival_position(row.arrival, row.event_id, attempt)
    return position_within(row.received_at, row.event_id, attempt)
