"""Redelivery: an operator has an event delivered again, or all dead letters of a filter."""

from __future__ import annotations

import re
from typing import NamedTuple

from paraph.errors import NotFound, UsageError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import is_stale
from paraph.model.event import EventFilter, EventPosition, EventStatus, KeptEvent

# The most dead letters of one call: each is a transaction of its own.
AT_ONCE = 200
_ID = re.compile(r"[A-Za-z0-9_-]{4,80}")


async def find_event(context: Context, event_id: str) -> KeptEvent:
    """Find one event, without its body, by its id or by the short id that lists show.

    Raises:
        NotFound: no event, or more than one, has this id.
    """
    found = None
    if _ID.fullmatch(event_id):
        async with context.store.reading() as tx:
            found = await tx.events.find(event_id)
    if found is None:
        raise NotFound("no such event", remedy="List them: paraph events list.")
    return found


async def redeliver(
    context: Context, event_id: str, *, operator: str = "", dead_only: bool = False
) -> KeptEvent:
    """Deliver a kept event again, counting from its first attempt.

    A notice keeps its `sequence`. It is delivered before the waiting notices of its installation,
    and after those that were delivered: its `sequence` tells the host that it is late.

    Args:
        context: the store and the clock.
        event_id: the id of the event, or its beginning.
        operator: the id of the operator's API key, for the audit log.
        dead_only: refuse an event that is no dead letter. A caller that has a list needs it:
            another caller may have redelivered the event since the list was read.

    Raises:
        NotFound: there is no such event.
        UsageError: the event is a deauthorization, its body was deleted, its installation was
            removed, a later notice made this notice untrue, or `dead_only` refuses the event.
    """
    event = await find_event(context, event_id)
    await _redeliver(context, event, operator, dead_only=dead_only)
    return event


async def _redeliver(context: Context, event: KeptEvent, operator: str, *, dead_only: bool) -> None:
    async with context.store.transaction() as tx:
        whole = None
        if event.notice:
            whole = await tx.events.get(event.event_id, position=event.position)
        if whole is not None and await is_stale(tx, context, whole):
            raise UsageError(
                "the notice cannot be delivered again: a later notice made it untrue",
                remedy="Deliver the later notices, or read the installation by the API.",
            )
        done = not event.urgent and await tx.events.redeliver(
            event.event_id,
            client_id=context.client.client_id,
            now=context.now(),
            dead_only=dead_only,
            position=event.position,
        )
        if done:
            by = audit.by_operator(operator)
            await audit.record(tx, context, "event.redelivered", event=event.event_id[:16], **by)
    if not done:
        raise UsageError(
            "the event cannot be delivered again: it is a deauthorization, its body was deleted,"
            " or its installation was removed",
            remedy="Ask Zoom for the data itself, for an account that is installed.",
        )


class Redelivered(NamedTuple):
    """The result of a redelivery by filter.

    Attributes:
        done, refused: numbers of dead letters. Those that another caller redelivers at the same
            time are refused.
        after: the position to continue from; None if no further dead letter matches.
    """

    done: int
    refused: int
    after: EventPosition | None


async def redeliver_dead(
    context: Context,
    matching: EventFilter,
    *,
    operator: str = "",
    after: EventPosition | None = None,
    limit: int = AT_ONCE,
) -> Redelivered:
    """Deliver the dead letters of a filter again, oldest first; see `redeliver`.

    Args:
        context: the store and the clock.
        matching: the filter; an empty one matches every dead letter.
        operator: the id of the operator's API key, for the audit log.
        after: the position that the previous call returned.
        limit: the largest number of dead letters.

    Raises:
        StorageError: the database failed; the ones before are due.
    """
    async with context.store.reading() as tx:
        found = await tx.events.page(
            status=EventStatus.DEAD,
            matching=matching,
            after=after or "",
            limit=limit + 1,
            oldest_first=True,
        )
    done = 0
    for event in found[:limit]:
        try:
            await _redeliver(context, event, operator, dead_only=True)
            done += 1
        except UsageError:
            continue
    further = EventPosition.of(found[limit - 1]) if len(found) > limit else None
    return Redelivered(done, min(len(found), limit) - done, further)
