"""The cost of one event and of one vend, as the number of rows in the database grows.

`python bench/growth.py`. CPU time of this process and of the database, without HTTP: the median of
several rounds, in which the service stores batches and looks up installations. Most events are
those of accounts with an installation, whose bodies are sealed with data keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import sqlite3
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

import kit
from paces import exact_cpu_seconds
from paraph.model.event import EventStatus, KeptEvent
from paraph.model.grant import ZoomIdentity
from paraph.storage import tables
from paraph.storage.database import Database, open_store
from postgres_server import PostgresServer
from storage import sample

EVENTS = tuple(map(int, os.environ.get("BENCH_EVENTS", "1000 100000").split()))
INSTALLATIONS = tuple(map(int, os.environ.get("BENCH_INSTALLATIONS", "100 10000 100000").split()))
ROUNDS = 9
# Batches in one round, by size.
BATCHES = {1: 40, 32: 6}
VENDS = 200
ACCOUNTS = 200
# Installations whose tokens can be opened; the others are copies of their rows.
OPENED = 50
SECOND = 1_764_000_000
PER_SECOND = 400


class Bench:
    """One database that grows.

    Args:
        url: its URL.
        store: the open store.
        pids: of the processes whose CPU time counts as the database's.
    """

    def __init__(self, url: str, store: Database, pids: Callable[[], list[int]]) -> None:
        self._url = url
        self._store = store
        self._pids = pids
        self._number = itertools.count()

    def events(self, count: int, *, is_known: bool = True) -> list[KeptEvent]:
        """The next events, of accounts with an installation or of others."""
        return [
            self._event(number, is_known=is_known)
            for number in itertools.islice(self._number, count)
        ]

    def _event(self, number: int, *, is_known: bool) -> KeptEvent:
        digest = hashlib.sha256(str(number).encode())
        name = f"{'account' if is_known else 'other'}-{digest.digest()[0] % ACCOUNTS}"
        now = SECOND + number // PER_SECOND
        return KeptEvent(
            digest.hexdigest(),
            "meeting.ended",
            now,
            os.urandom(600),
            account_id=name,
            user_id="user",
            concerned=("user",),
            owners=((name, ""),),
            marks=(("", hashlib.sha256(name.encode()).digest()),),
            status=EventStatus.FORWARDED,
            handed_on_at=now,
            next_attempt_at=now,
            arrival=now * 1_000_000 + number % PER_SECOND * 2_500,
            event_ts=now * 1_000 + number % PER_SECOND,
        )

    async def install_accounts(self) -> None:
        """Data keys for the accounts of the events."""
        async with self._store.transaction() as tx:
            for number in range(ACCOUNTS):
                identity = ZoomIdentity(sample.CLIENT, f"account-{number}", "user")
                await tx.grants.add(sample.grant(f"a{number}", identity=identity))
                await tx.data_keys.add_missing(identity, os.urandom)

    async def fill_events(self, goal: int) -> None:
        """Keep events until so many were kept."""
        while (missing := goal - next(self._number)) > 0:
            await self._store.keep_events(self.events(min(512, missing)), client_id=sample.CLIENT)

    async def keep(self, size: int, *, is_known: bool = True) -> tuple[float, float]:
        """Return the microseconds of CPU time of one event in batches of this size."""
        count = BATCHES[size]
        batches = iter([self.events(size, is_known=is_known) for _ in range(count)])

        async def one() -> None:
            await self._store.keep_events(next(batches), client_id=sample.CLIENT)

        return await self._cost(one, count, size)

    async def fill_installations(self, present: int, goal: int) -> None:
        """Add installations: the first ones as installing does, then copies of their rows."""
        if not present:
            async with self._store.transaction() as tx:
                for number in range(OPENED):
                    await tx.grants.add(sample.grant(f"g{number}"))
                    await tx.links.add(sample.link(f"g{number}"))
            present = OPENED
        ids = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(present, goal)]
        for table, changed in (
            (tables.grants, ("grant_id", "user_id")),
            (tables.links, ("link_id", "grant_id", "subject")),
        ):
            names = [column.name for column in table.columns]
            values = ", ".join("$1" if name in changed else name for name in names)
            key = table.columns[changed[0]].name
            mark = "grant-g0" if table is tables.grants else "link-g0"
            await self._copy(
                f"INSERT INTO {table.name} ({', '.join(names)})"
                f" SELECT {values} FROM {table.name} WHERE {key} = '{mark}'",
                ids,
            )

    async def _copy(self, statement: str, ids: list[str]) -> None:
        if self._url.startswith("sqlite"):
            with closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as file, file:
                file.executemany(statement.replace("$1", "?1"), [(one,) for one in ids])
            return
        connection: Any = await asyncpg.connect(self._url)
        await connection.executemany(statement.replace("$1", "$1::text"), [(one,) for one in ids])
        await connection.execute("ANALYZE")
        await connection.close()

    async def vend(self) -> tuple[float, float]:
        """Return the microseconds of CPU time of one lookup of an installation and its token."""
        marks = itertools.cycle(range(OPENED))

        async def one() -> None:
            row = await self._store.read_access("", f"link-g{next(marks)}")
            self._store.open_access_token(row)

        return await self._cost(one, VENDS, 1)

    async def _cost(
        self, work: Callable[[], Awaitable[None]], count: int, size: int
    ) -> tuple[float, float]:
        pids = self._pids()
        own, theirs = exact_cpu_seconds([os.getpid()]), exact_cpu_seconds(pids)
        for _ in range(count):
            await work()
        own = exact_cpu_seconds([os.getpid()]) - own
        theirs = exact_cpu_seconds(pids) - theirs
        return own / count / size * 1e6, theirs / count / size * 1e6


async def measure(kind: str, url: str, pids: Callable[[], list[int]]) -> None:
    """Measure one database at each size, and print its rows."""
    store = await open_store(url, sample.ring(), randomness=os.urandom)
    bench = Bench(url, store, pids)
    await bench.install_accounts()
    for goal in EVENTS:
        await bench.fill_events(goal)
        for size, is_known in ((1, True), (32, True), (1, False), (32, False)):
            costs = [await bench.keep(size, is_known=is_known) for _ in range(ROUNDS)]
            of = "an event" if is_known else "an event without a data key"
            show(kind, f"{of}, batches of {size}", f"{goal:,} events", costs)
    present = 0
    for goal in INSTALLATIONS:
        await bench.fill_installations(present, goal)
        present = goal
        costs = [await bench.vend() for _ in range(ROUNDS)]
        show(kind, "a vend", f"{goal:,} installations", costs)
    await store.close()


def show(kind: str, what: str, present: str, costs: list[tuple[float, float]]) -> None:
    """Print the medians of one row of the table."""
    own, theirs = (statistics.median(values) for values in zip(*costs, strict=True))
    print(f"| {kind} | {what} | {present} | {own:.0f} | {theirs:.0f} |", flush=True)


def main() -> None:
    """Measure and print."""
    print(f"{kit.machine()}\n\n| database | cost of | present | CPU µs here | in the database |")
    print("|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="paraph-growth-") as folder:
        asyncio.run(measure("SQLite", f"sqlite:///{folder}/paraph.db", list))
    postgres = PostgresServer(durable=True)
    try:
        postgres.start()
        root = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children")
        url = postgres.create_database(empty=True)
        asyncio.run(measure("PostgreSQL", url, lambda: list(map(int, root.read_text().split()))))
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
