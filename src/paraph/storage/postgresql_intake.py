"""The inbox's hot statement on PostgreSQL: one INSERT of many rows for each batch.

It speaks to the driver itself, on a connection of its own. Columns go over as arrays, so that
the statement is the same for every size of a batch, and is prepared once; and a batch is three
trips to the server: begin with its locks, the statement, commit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from paraph.errors import StorageError
from paraph.storage.intake_rows import COLUMNS, accounts_of, outcomes_of, rows_of
from paraph.storage.records import KeptEvent, Outcome
from paraph.storage.scope import NOTHING_READ, Scope, account
from paraph.storage.sealing import Sealing

_TYPES = ["text", "text", "bigint", "bytea", "text", "text", "boolean", "bigint", "bigint", "text"]
_TYPES += ["text", "bigint", "bigint"]
_ARRAYS = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_TYPES, 3))
# One statement for both questions: whose accounts are ours, and which events are new.
_KEEP = f"""
WITH ours AS (
    SELECT account_id FROM unnest($2::text[]) AS given (account_id)
    WHERE EXISTS (SELECT FROM grants
                  WHERE client_id = $1 AND grants.account_id = given.account_id)
), added AS (
    INSERT INTO events ({COLUMNS}, notice, attempts, failure)
    SELECT {COLUMNS}, false, 0, ''
    FROM unnest({_ARRAYS}) AS given ({COLUMNS})
    WHERE urgent OR account_id IN (SELECT account_id FROM ours)
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id
)
SELECT (SELECT array_agg(account_id) FROM ours), (SELECT array_agg(event_id) FROM added)
"""  # noqa: S608 - Constants and numbered placeholders; no value is ever written into it.


class PostgresqlIntake:
    """Keeps batches of events. No removal overtakes one: it shares their accounts' scopes.

    Called by one task at a time.

    Args:
        connect: opens a connection to the server.
        locks: the statement that takes the locks of these scopes, as every writing block does.
        sealing: seals the bodies.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        locks: Callable[[Sequence[Scope]], str],
        sealing: Sealing,
    ) -> None:
        self._connect = connect
        self._locks = locks
        self._sealing = sealing
        self._connection: Any = None
        self._statement: Any = None

    async def keep(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """See `Store.keep_events`."""
        accounts = accounts_of(events)
        scopes = [account(client_id, one, shared=True) for one in accounts]
        begin = f"BEGIN; {self._locks(scopes or [NOTHING_READ])}"
        # In one order everywhere: two replicas that keep the same retries never wait in a circle.
        rows = sorted(rows_of(events, self._sealing))
        columns = list(map(list, zip(*rows, strict=True)))
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
                self._statement = await self._connection.prepare(_KEEP)
            # Before the statement, and not in it: what it reads must be of after the wait.
            await self._connection.execute(begin)
            found = await self._statement.fetchrow(client_id, accounts, *columns)
            await self._connection.execute("COMMIT")
        except BaseException as error:
            # In what state the connection is, is not worth knowing: the next batch opens another.
            self._let_go()
            if isinstance(error, StorageError) or not isinstance(error, Exception):
                raise
            # The driver's words may quote values; its class says enough.
            raise StorageError(f"the database failed: {type(error).__name__}") from None
        return outcomes_of(events, ours=set(found[0] or ()), new=set(found[1] or ()))

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
