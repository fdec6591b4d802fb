"""The conditions of lists of events, for operators."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, func

from paraph.model.event import NOTICE_PREFIX, ZOOM_PREFIX, EventFilter
from paraph.storage.stores.events.event_columns import column_of


def conditions_of(events: Table, chosen: EventFilter) -> list[ColumnElement[bool]]:
    """Build the conditions of a filter on a table; an empty filter matches every event."""
    where: list[ColumnElement[bool]] = []
    if chosen.name:
        where += _named(events, chosen.name)
    if chosen.user_id:
        where.append(_names_user(events, chosen.user_id))
    if chosen.account_id:
        accounts = [chosen.account_id, ""] if chosen.user_id else [chosen.account_id]
        where.append(events.c.account_id.in_(accounts))
    if chosen.received_from is not None:
        where.append(events.c.received_at >= chosen.received_from)
    if chosen.received_before is not None:
        where.append(events.c.received_at < chosen.received_before)
    if chosen.failure:
        where.append(_contains(events.c.failure, chosen.failure))
    return where


def _named(events: Table, name: str) -> list[ColumnElement[bool]]:
    """Match a name as operators see it: `zoom.installation.x` is an event of Zoom's."""
    if name.startswith(ZOOM_PREFIX + NOTICE_PREFIX):
        return [events.c.name == name.removeprefix(ZOOM_PREFIX), events.c.notice.is_(False)]
    if name.startswith(NOTICE_PREFIX):
        return [events.c.name == name, events.c.notice.is_(True)]
    return [events.c.name == name]


def _names_user(events: Table, user_id: str) -> ColumnElement[bool]:
    # Rows of an earlier version have no list of users; a notice has only the one.
    is_first = events.c.concerned.is_(None) | events.c.notice | events.c.urgent
    return _contains(events.c.concerned, column_of([user_id]) or "") | (
        is_first & (events.c.user_id == user_id)
    )


def _contains(column: ColumnElement[str | None], part: str) -> ColumnElement[bool]:
    # Not LIKE: SQLite's ignores case, and the ids of Zoom may differ in case alone.
    return func.replace(column, part, "") != column
