"""The inbox's hot statement on PostgreSQL: one INSERT of many rows for each batch.

It speaks to the driver itself: columns go over as arrays, so that the statement is the same for
every size of a batch, and is prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from paraph.errors import StorageError
from paraph.storage.event_store import BODY
from paraph.storage.records import KeptEvent, Outcome
from paraph.storage.scope import NOTHING_READ, Scope, account
from paraph.storage.sealing import Sealing

Writing = Callable[[Sequence[Scope]], AbstractAsyncContextManager[AsyncConnection]]

_TYPES = ["text", "text", "bigint", "bytea", "text", "text", "boolean", "bigint", "bigint", "text"]
_TYPES += ["text", "bigint"]
_COLUMNS = (
    "event_id, name, received_at, body, account_id, user_id, urgent, next_attempt_at, arrival,"
    " trace, status, handed_on_at"
)
_ARRAYS = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_TYPES, 3))
# One statement for both questions: whose accounts are ours, and which events are new.
_KEEP = f"""
WITH ours AS (
    SELECT account_id FROM unnest($2::text[]) AS given (account_id)
    WHERE EXISTS (SELECT FROM grants
                  WHERE client_id = $1 AND grants.account_id = given.account_id)
), added AS (
    INSERT INTO events ({_COLUMNS}, notice, attempts, failure)
    SELECT {_COLUMNS}, false, 0, ''
    FROM unnest({_ARRAYS}) AS given ({_COLUMNS})
    WHERE urgent OR account_id IN (SELECT account_id FROM ours)
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
)
SELECT (SELECT array_agg(account_id) FROM ours), (SELECT array_agg(event_id) FROM added)
"""  # noqa: S608 - Constants and numbered placeholders; no value is ever written into it.


class PostgresqlIntake:
    """Keeps batches of events. No removal overtakes one: it shares their accounts' scopes."""

    def __init__(self, writing: Writing, sealing: Sealing) -> None:
        self._writing = writing
        self._sealing = sealing

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Store.keep_events`."""
        accounts = sorted({event.account_id for event in events if not event.urgent})
        scopes = [account(client_id, one, shared=True) for one in accounts]
        rows = {event.event_id: self._row(event) for event in events}
        columns = list(map(list, zip(*rows.values(), strict=True)))
        async with self._writing(scopes or [NOTHING_READ]) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            try:
                found = await driver.fetchrow(_KEEP, client_id, accounts, *columns)
            except Exception as error:
                if not type(error).__module__.startswith("asyncpg"):
                    raise
                # Its own words may quote values.
                raise StorageError(f"the database failed: {type(error).__name__}") from None
        known, new = set(found[0] or ()), set(found[1] or ())
        outcomes = []
        for event in events:
            if not event.urgent and event.account_id not in known:
                outcomes.append(Outcome.NOT_OURS)
            elif event.event_id in new:
                # The second of two in one batch is a duplicate like any other.
                new.discard(event.event_id)
                outcomes.append(Outcome.KEPT)
            else:
                outcomes.append(Outcome.DUPLICATE)
        return outcomes

    async def close(self) -> None:
        """It holds nothing."""

    def _row(self, event: KeptEvent) -> tuple[Any, ...]:
        return (
            event.event_id,
            event.name,
            event.received_at,
            self._sealing.seal(BODY, event.event_id, event.body or b""),
            event.account_id,
            event.user_id,
            event.urgent,
            event.next_attempt_at,
            event.arrival,
            event.trace,
            event.status.value,
            event.handed_on_at,
        )
