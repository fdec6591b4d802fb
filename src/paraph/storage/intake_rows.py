"""What the inbox's hot statements share on every database: their columns, rows and outcomes.

The constant columns `notice`, `attempts` and `failure` are the statement's own affair.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from paraph.storage.event_store import BODY
from paraph.storage.records import KeptEvent, Outcome
from paraph.storage.sealing import Sealing

COLUMNS = (
    "event_id, name, received_at, body, account_id, user_id, urgent, next_attempt_at, arrival,"
    " trace, status, handed_on_at, signed_at"
)


def rows_of(events: Sequence[KeptEvent], sealing: Sealing) -> list[tuple[Any, ...]]:
    """A row of `COLUMNS` for each event, sealed; two of one id are one row, the later one's."""
    rows = {
        event.event_id: (
            event.event_id,
            event.name,
            event.received_at,
            sealing.seal(BODY, event.event_id, event.body or b""),
            event.account_id,
            event.user_id,
            event.urgent,
            event.next_attempt_at,
            event.arrival,
            event.trace,
            event.status.value,
            event.handed_on_at,
            event.signed_at,
        )
        for event in events
    }
    return list(rows.values())


def accounts_of(events: Sequence[KeptEvent]) -> list[str]:
    """The accounts that must be ours for these events to be kept; removals are kept anyway."""
    return sorted({event.account_id for event in events if not event.urgent})


def outcomes_of(
    events: Sequence[KeptEvent], *, ours: Collection[str], new: set[str]
) -> list[Outcome]:
    """What became of each event.

    Args:
        events: the batch.
        ours: the accounts of it that have a grant.
        new: ids of rows that were not there before; used up.
    """
    outcomes = []
    for event in events:
        if not event.urgent and event.account_id not in ours:
            outcomes.append(Outcome.NOT_OURS)
        elif event.event_id in new:
            # The second of two in one batch is a duplicate like any other.
            new.discard(event.event_id)
            outcomes.append(Outcome.KEPT)
        else:
            outcomes.append(Outcome.DUPLICATE)
    return outcomes
