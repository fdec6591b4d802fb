"""One process on a database that `paraph migrate` changes.

    python migration_replica.py older|newer|migrate URL

A replica keeps the deliveries whose numbers it reads, and claims and ends what waits. It prints
each step when it is committed, so the one who kills it knows what it has promised.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg

from paraph.errors import StorageError
from paraph.model.event import Outcome
from paraph.sealing.row import Sealing
from paraph.storage import contraction
from paraph.storage.contraction import contract_schema
from paraph.storage.database import open_store
from paraph.storage.scope import Scope
from paraph.storage.stores.events import event_move
from storage import sample

NOW = 2_000_000_000
LEASE_SECONDS = 10_000
AT_ONCE = 5
# The statements of version 0.1 (schema 0006), which knows the table `events` alone.
_KEEP = (
    "INSERT INTO events (event_id, name, received_at, body, account_id, user_id, notice, urgent,"
    " status, attempts, next_attempt_at, failure, arrival, trace)"
    " VALUES (?, 'meeting.ended', 1000, ?, 'account', 'user-1', false, false, 'received', 0, 1000,"
    " '', ?, '') ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
)
_CLAIM = (
    "UPDATE events SET attempts = attempts + 1, next_attempt_at = ? WHERE event_id IN (SELECT"
    " event_id FROM events WHERE status = 'received' AND NOT urgent AND next_attempt_at <= ?"
    " ORDER BY next_attempt_at, arrival, event_id LIMIT ?{skip}) RETURNING event_id"
)
_END = (
    "UPDATE events SET status = 'handed_on', handed_on_at = ?, failure = ''"
    " WHERE event_id = ? AND status IN ('received', 'dead')"
)


def say(step: str, ids: Sequence[str]) -> None:
    """Print what is committed; one write, so that a kill cuts no line."""
    os.write(1, "".join(f"{step} {one}\n" for one in ids).encode())


class Older:
    """Version 0.1, by its statements; it ends when its table is gone."""

    def __init__(self, sqlite: sqlite3.Connection | None, server: Any, sealing: Sealing) -> None:
        self._sqlite, self._server, self._sealing = sqlite, server, sealing
        self._one = asyncio.Lock()

    @classmethod
    async def connect(cls, url: str) -> Older:
        """Connect, and read the id of the database."""
        if url.startswith("sqlite"):
            path = url.removeprefix("sqlite:///")
            connection = sqlite3.connect(path, timeout=30, isolation_level=None)
            ((database_id,),) = connection.execute("SELECT database_id FROM database_identity")
            return cls(connection, None, Sealing(sample.ring(), database_id))
        server = await asyncpg.connect(url)
        database_id = await server.fetchval("SELECT database_id FROM database_identity")
        return cls(None, server, Sealing(sample.ring(), database_id))

    async def _run(self, *statements: tuple[str, tuple[Any, ...]]) -> list[str]:
        """Run them in one transaction, with the lock that every writer shares."""
        try:
            async with self._one:
                rows = await self._run_alone(statements)
        except (sqlite3.OperationalError, asyncpg.UndefinedTableError) as error:
            if isinstance(error, asyncpg.UndefinedTableError) or "no such table" in str(error):
                say("refused", ["events"])
                os._exit(0)
            raise
        return [row[0] for some in rows for row in some]

    async def _run_alone(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        if self._sqlite is not None:
            self._sqlite.execute("BEGIN IMMEDIATE")
            with self._sqlite:
                return [self._sqlite.execute(one, values).fetchall() for one, values in statements]
        async with self._server.transaction():
            lock = f"SELECT pg_advisory_xact_lock_shared({Scope(('writers',)).key})"
            await self._server.execute(lock)
            return [await self._server.fetch(_numbered(one), *v) for one, v in statements]

    async def keep(self, numbers: Sequence[int]) -> set[str]:
        """Return the ids of those that are new."""
        seal = self._sealing.seal
        rows = [
            (f"event-{one}", seal("events.body", f"event-{one}", b"{}"), time.time_ns() // 1_000)
            for one in numbers
        ]
        return set(await self._run(*((_KEEP, row) for row in rows)))

    async def claim(self) -> list[str]:
        """Return the ids."""
        claim = _CLAIM.format(skip="" if self._sqlite else " FOR UPDATE SKIP LOCKED")
        return await self._run((claim, (NOW + LEASE_SECONDS, NOW, AT_ONCE)))

    async def end(self, claimed: Sequence[str]) -> None:
        """Record that they were forwarded."""
        await self._run(*((_END, (NOW, one)) for one in claimed))


def _numbered(statement: str) -> str:
    first, *rest = statement.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


async def newer(url: str) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """The same three steps of this version."""
    store = await open_store(url, sample.ring(), randomness=os.urandom, now=1_000)

    async def keep(numbers: Sequence[int]) -> set[str]:
        arrival = time.time_ns() // 1_000
        events = [
            sample.event(str(one), arrival=arrival + one, event_ts=1_700_000_000_000 + one)
            for one in numbers
        ]
        outcomes = await store.keep_events(events, client_id=sample.CLIENT)
        pairs = zip(events, outcomes, strict=True)
        return {one.event_id for one, outcome in pairs if outcome is Outcome.KEPT}

    async def claim() -> Any:
        async with store.transaction() as tx:
            return (
                await tx.events.claim(
                    now=NOW, until=NOW + LEASE_SECONDS, limit=AT_ONCE, urgent=False
                )
            ).events

    async def end(claimed: Any) -> None:
        async with store.transaction() as tx:
            await tx.events.mark_forwarded(claimed, now=NOW)

    return keep, claim, end


async def retried(work: Callable[..., Awaitable[Any]], *values: Any) -> Any:
    """Do it, and again where the tables have changed."""
    while True:
        try:
            return await work(*values)
        except StorageError:
            await asyncio.sleep(0.01)


async def replica(role: str, url: str) -> None:
    """Keep what is read, and end what waits, until the input ends."""
    if role == "older":
        older = await Older.connect(url)
        keep, claim, end = older.keep, older.claim, older.end
    else:
        keep, claim, end = await newer(url)
    say("ready", [role])
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def take() -> None:
        while some := await reader.read(400):
            if not some.endswith(b"\n"):
                some += await reader.readline()
            numbers = [int(one) for one in dict.fromkeys(some.split())]
            new = await retried(keep, numbers)
            say("new", sorted(new))
            say("there", [f"event-{one}" for one in numbers])

    async def forward() -> None:
        while not taking.done():
            claimed = await retried(claim)
            ids = [getattr(one, "event_id", one) for one in claimed]
            say("claimed", ids)
            if claimed:
                await retried(end, claimed)
                say("ended", ids)
            await asyncio.sleep(0.05)

    taking = asyncio.create_task(take())
    await asyncio.gather(taking, forward())


async def migrate(url: str) -> None:
    """`paraph migrate` with small steps, so that a kill finds it in the middle."""
    move_some = event_move.move_some

    async def told(*values: Any, **options: Any) -> int:
        moved = await move_some(*values, **options)
        # Before the commit.
        say("moved", ["some"])
        return moved

    vars(contraction).update(MOVED_AT_ONCE=25, move_some=told)
    say("ready", ["migrate"])
    await contract_schema(url)
    say("migrated", ["all"])


if __name__ == "__main__":
    asyncio.run(migrate(sys.argv[2]) if sys.argv[1] == "migrate" else replica(*sys.argv[1:]))
