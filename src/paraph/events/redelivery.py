"""Redelivery: an operator has an event handed on once more."""

from __future__ import annotations

import re

from paraph.errors import NotFound, UsageError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import is_stale
from paraph.storage.records import KeptEvent

_ID = re.compile(r"[A-Za-z0-9_-]{4,80}")


async def find_event(context: Context, event_id: str) -> KeptEvent:
    """One event without its body, by its id or the beginning that lists show.

    Raises:
        NotFound: none, or more than one.
    """
    found = None
    if _ID.fullmatch(event_id):
        async with context.store.reading() as tx:
            found = await tx.events.find(event_id)
    if found is None:
        raise NotFound("no such event", remedy="List them: paraph events list.")
    return found


async def redeliver(context: Context, event_id: str, *, operator: str = "") -> KeptEvent:
    """Hand a kept event on again, from its first attempt.

    A notice keeps its `sequence`. It is delivered before those of its installation that still
    wait, and after those that were delivered: by its sequence the host sees that it is late.

    Args:
        context: see there.
        event_id: which one.
        operator: the id of the API key of who is signed in to the operator pages, for the audit.

    Raises:
        NotFound: there is no such event.
        UsageError: its body is gone, or its installation was removed: nothing of a removed
            installation is handed on; or it is a notice that a later one made untrue.
    """
    event = await find_event(context, event_id)
    async with context.store.transaction() as tx:
        whole = await tx.events.get(event.event_id) if event.notice else None
        if whole is not None and await is_stale(tx, context, whole):
            raise UsageError(
                "the notice cannot be delivered again: a later notice made it untrue",
                remedy="Deliver the later notices, or read the installation by the API.",
            )
        done = not event.urgent and await tx.events.redeliver(
            event.event_id, client_id=context.client.client_id, now=context.now()
        )
        if done:
            by = {"operator": operator} if operator else {}
            await audit.record(tx, context, "event.redelivered", event=event.event_id[:16], **by)
    if done:
        return event
    raise UsageError(
        "the event cannot be handed on again: it is a deauthorization, its body was deleted, or"
        " its installation was removed",
        remedy="Ask Zoom for the data itself, for an account that is installed.",
    )
