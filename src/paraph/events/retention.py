"""Deletes events on schedule: first their bodies, then their rows once no replay can be fresh.

Deletions are small writes, so that no other write waits long behind one. They repeat while rows
are due, so events are deleted as fast as they arrive, on any number of replicas.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph.lifecycle.context import Context
from paraph.operations.wake_ups import after, earliest
from paraph.storage.hot_reads.due_times import DueTimes
from paraph.storage.scope import NOTHING_READ
from paraph.storage.stores.events.event_move import MOVED_AT_ONCE
from paraph.zoom.webhook_verification import Freshness

AT_ONCE = 1000
# A replay is recognised by the row, so a row stays a day longer than any delivery is fresh.
ROW_MARGIN_SECONDS = 86400
# The oldest row may be one that cannot be deleted yet, and no index finds the next one that can.
AGAIN_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds for which events are kept.

    Attributes:
        body: for a body, after its event was forwarded.
        row: for a row, after its event arrived.
        dead_body: for a dead letter's body, after the last attempt.
    """

    body: int
    row: int
    dead_body: int

    @classmethod
    def of(
        cls, event_retention: int, freshness: Freshness, *, dead_letter_retention: int
    ) -> Retention:
        """Take the values of the settings, raised where deduplication needs longer ones.

        Args:
            event_retention: seconds for which a forwarded event's body is kept.
            freshness: the window for deliveries, in which replays must be recognised.
            dead_letter_retention: seconds for which a dead letter's body is kept.
        """
        window = freshness.past + freshness.future + ROW_MARGIN_SECONDS
        return cls(event_retention, max(window, event_retention), dead_letter_retention)

    def due(self, times: DueTimes, *, looked_at: int = 0) -> int | None:
        """Return when the next event is due for deletion or its move, in epoch seconds, or None.

        Args:
            times: the due times.
            looked_at: when everything that was due was deleted last, in epoch seconds.
        """
        maybe = earliest(
            after(times.dead_since, self.dead_body), after(times.received_at, self.row)
        )
        if maybe is not None and maybe <= looked_at:
            maybe = looked_at + AGAIN_SECONDS
        return earliest(after(times.forwarded_at, self.body), maybe, times.unmoved)


async def delete_expired_events(context: Context, retention: Retention) -> bool:
    """Delete up to a fixed number of due events. Return True if there may be more.

    Raises:
        StorageError: nothing was deleted.
    """
    now = context.now()
    moved = await move_former_events(context)
    async with context.store.transaction(NOTHING_READ) as tx:
        bodies = await tx.events.delete_bodies(
            forwarded_before=now - retention.body, at_most=AT_ONCE
        )
        dead = await tx.events.delete_dead_bodies(
            given_up_before=now - retention.dead_body, at_most=AT_ONCE
        )
        rows = await tx.events.delete_rows(received_before=now - retention.row, at_most=AT_ONCE)
    return max(bodies, dead, rows) == AT_ONCE or moved


async def move_former_events(context: Context) -> bool:
    """Move some events that a `paraph migrate` which was killed has left; True if there was one.

    Raises:
        StorageError: nothing was moved.
    """
    async with context.store.reading() as tx:
        # Alone is dear, so it is asked first.
        if not await tx.events.has_unmoved():
            return False
    async with context.store.transaction() as tx:
        await tx.events.move_some(at_most=MOVED_AT_ONCE)
    return True
