"""Pauses and resumes the forwarding of events, on all replicas and over restarts.

While forwarding is paused, deliveries are accepted and stored as always, and wait. Nothing expires
meanwhile: waiting events have no retention. Deauthorizations are carried out as always, and their
notices to the host wait like every other event. Deliveries that were claimed before the pause end
within seconds.
"""

from __future__ import annotations

from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.model.event import ForwardingPause
from paraph.storage.database import Database
from paraph.storage.scope import NOTHING_READ


async def read_pause(store: Database) -> ForwardingPause | None:
    """Return the pause of forwarding; None while events are forwarded.

    Raises:
        StorageError: the database failed.
    """
    async with store.reading() as tx:
        return await tx.forwarding_pause.get()


async def pause_forwarding(context: Context, *, operator: str = "") -> bool:
    """Forward no further event until `resume_forwarding`.

    Args:
        context: the store and the clock.
        operator: the id of the operator's API key, for the audit log; "" for the command line.

    Returns:
        False if forwarding was paused already.

    Raises:
        StorageError: the database failed; nothing changed.
    """
    async with context.store.transaction(NOTHING_READ) as tx:
        begun = await tx.forwarding_pause.begin(ForwardingPause(context.now(), operator))
        if begun:
            await audit.record(tx, context, "forwarding.paused", **audit.by_operator(operator))
    return begun


async def resume_forwarding(context: Context, *, operator: str = "") -> bool:
    """Forward events again, oldest first; other replicas help where there are many.

    Args:
        context: the store and the clock.
        operator: the id of the operator's API key, for the audit log; "" for the command line.

    Returns:
        False if forwarding was not paused.

    Raises:
        StorageError: the database failed; nothing changed.
    """
    async with context.store.transaction(NOTHING_READ) as tx:
        ended = await tx.forwarding_pause.end()
        if ended:
            await audit.record(tx, context, "forwarding.resumed", **audit.by_operator(operator))
    return ended
