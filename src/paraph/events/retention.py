"""Events are forgotten on schedule: their bodies first, their rows when no replay can be fresh.

In small writes, so that nobody waits long behind one of them, and one after the other for as long
as there is something: events are forgotten as quickly as they come, on any number of replicas.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph.lifecycle.context import Context
from paraph.storage.scope import NOTHING_READ
from paraph.zoom.webhook import Freshness

AT_ONCE = 1000
# A row is what a replay is recognised by: it stays a day longer than any delivery can be fresh.
ROW_MARGIN_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds for which events are kept.

    Attributes:
        body: of a body, after its event was forwarded.
        row: of a row, after its event came.
        dead_body: of a dead letter's body, after it was given up.
    """

    body: int
    row: int
    dead_body: int

    @classmethod
    def of(
        cls, event_retention: int, freshness: Freshness, *, dead_letter_retention: int
    ) -> Retention:
        """As the settings want it, and never shorter than deduplication needs."""
        window = freshness.past + freshness.future + ROW_MARGIN_SECONDS
        return cls(event_retention, max(window, event_retention), dead_letter_retention)


async def forget_some(context: Context, retention: Retention) -> bool:
    """Forget what is due, up to a number; whether there may be more.

    Raises:
        StorageError: nothing was forgotten.
    """
    now = context.now()
    async with context.store.transaction(NOTHING_READ) as tx:
        bodies = await tx.events.delete_bodies(
            handed_on_before=now - retention.body, at_most=AT_ONCE
        )
        dead = await tx.events.delete_dead_bodies(
            given_up_before=now - retention.dead_body, at_most=AT_ONCE
        )
        rows = await tx.events.delete_rows(received_before=now - retention.row, at_most=AT_ONCE)
    return max(bodies, dead, rows) == AT_ONCE
