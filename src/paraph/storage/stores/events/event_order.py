"""The order in which events and notices are claimed.

Notices about the same Zoom user are delivered one after the other. So are notices about the same
subject: if it moves to another Zoom user, its new installation must not seem to end.

While forwarding is paused only deauthorizations are claimed: paraph carries them out itself. So it
is while events of the former table wait for their move (`event_move`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, case, exists, literal, literal_column, or_, select

from paraph.model.event import NOTICE_MARK, EventStatus
from paraph.storage.event_tables import EventTables
from paraph.storage.stores.forwarding_pause import is_not_paused

# Literals: with bound parameters, PostgreSQL's generic plans cannot use the partial indexes.
RECEIVED: Any = literal_column(f"'{EventStatus.RECEIVED.value}'")
DEAD: Any = literal_column(f"'{EventStatus.DEAD.value}'")
NO_SUBJECT: Any = literal_column("''")


def claimable(
    tables: EventTables, *, now: int, urgent: bool, ordered: bool, without: Sequence[str]
) -> list[Any]:
    """Build the conditions under which an event is claimed; see `EventStore.claim`."""
    events = tables.current
    where = [
        events.c.status == EventStatus.RECEIVED.value,
        events.c.urgent == urgent,
        events.c.next_attempt_at <= now,
    ]
    if not urgent:
        where += [_is_next_in_order(events), is_not_paused()]
        if tables.former is not None:
            # An earlier event may be among those that have to move first.
            former = tables.former
            where.append(~exists(select(literal(1)).where(former.c.status == RECEIVED)))
    if without:
        # A notice has a kind of its own: a Zoom event may have the same name.
        kind = case((events.c.notice, NOTICE_MARK + events.c.name), else_=events.c.name)
        where.append(kind.not_in(without))
    if ordered:
        earlier = events.alias("earlier")
        # Events without an account have no order among themselves.
        where.append(
            (events.c.account_id == "")
            | ~exists().where(
                earlier.c.account_id == events.c.account_id,
                earlier.c.status == EventStatus.RECEIVED.value,
                earlier.c.urgent == urgent,
                (earlier.c.arrival < events.c.arrival)
                | (
                    (earlier.c.arrival == events.c.arrival)
                    & (earlier.c.event_id < events.c.event_id)
                ),
            )
        )
    return where


def _is_next_in_order(events: Table) -> Any:
    """Build the condition that no earlier notice, to be delivered before this event, waits."""
    earlier = events.alias("earlier_notice")
    waits_before = (
        earlier.c.status == RECEIVED,
        earlier.c.subject_key != NO_SUBJECT,
        earlier.c.arrival < events.c.arrival,
    )
    same_user = (
        earlier.c.account_id == events.c.account_id,
        earlier.c.user_id == events.c.user_id,
    )
    same_subject = earlier.c.subject_key == events.c.subject_key
    return or_(
        events.c.subject_key == NO_SUBJECT,
        ~exists().where(*waits_before, *same_user) & ~exists().where(*waits_before, same_subject),
    )
