"""The cost of one event and of one vend, as the number of rows in the database grows.

`python bench/growth.py`. CPU time of this process and of the database, and the bytes of the log,
without HTTP: the median of several rounds, in which the service stores batches and looks up
installations. Most events are those of accounts with an installation, whose bodies are sealed with
data keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

import kit
from paces import exact_cpu_seconds, log_position
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
BATCHES = {1: 20, 32: 3}
ACCOUNTS = 500
BODY_BYTES = int(os.environ.get("BENCH_BODY_BYTES", "600"))
# Installations that are looked up, each once in a round; the others are copies of their rows.
OPENED = 50
SECOND = 1_764_000_000
PER_SECOND = 400
# A page in the log of SQLite, with its head.
LOG_PAGE_BYTES = 4096 + 24


class Cost(NamedTuple):
    """CPU time of one work in this process and in the database, in microseconds; bytes of log."""

    own: float
    theirs: float
    log: float


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
        self._log_at = 0

    def events(self, count: int, *, is_known: bool = True) -> list[KeptEvent]:
        """The next events, of accounts with an installation or of others."""
        return [
            self._event(number, is_known=is_known)
            for number in itertools.islice(self._number, count)
        ]

    def _event(self, number: int, *, is_known: bool) -> KeptEvent:
        digest = hashlib.sha256(str(number).encode())
        account = int.from_bytes(digest.digest()[:2]) % ACCOUNTS
        name = f"{'account' if is_known else 'other'}-{account}"
        now = SECOND + number // PER_SECOND
        return KeptEvent(
            digest.hexdigest(),
            "meeting.ended",
            now,
            os.urandom(BODY_BYTES),
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

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

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

    async def keep(self, size: int, *, is_known: bool = True) -> Cost:
        """Return the cost of one event in batches of this size."""
        count = BATCHES[size]
        batches = iter([self.events(size, is_known=is_known) for _ in range(count)])

        async def one() -> None:
            await self._store.keep_events(next(batches), client_id=sample.CLIENT)

        return await self._cost(one, count, size)

    async def fill_installations(self, goal: int) -> None:
        """Add installations: the first ones as installing does, then copies of their rows."""
        async with self._store.transaction() as tx:
            for number in range(OPENED):
                await tx.grants.add(sample.grant(f"g{number}"))
                await tx.links.add(sample.link(f"g{number}"))
        ids = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(OPENED, goal)]
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

    async def vend(self) -> Cost:
        """Return the cost of one lookup of an installation and its token."""
        identity = ZoomIdentity(sample.CLIENT, f"writer-{next(self._number)}", "user")
        async with self._store.transaction() as tx:
            # After a commit no row is used that was read before.
            await tx.grants.add(sample.grant(identity.account_id, identity=identity))
        marks = iter(range(OPENED))

        async def one() -> None:
            row = await self._store.read_access("", f"link-g{next(marks)}")
            self._store.open_access_token(row)

        return await self._cost(one, OPENED, 1)

    async def _cost(self, work: Callable[[], Awaitable[None]], count: int, size: int) -> Cost:
        pids = self._pids()
        await self._new_log_bytes()
        # The scheduler's counters of a process lag while it runs: not for this one.
        own, theirs = time.process_time(), exact_cpu_seconds(pids)
        for _ in range(count):
            await work()
        own = time.process_time() - own
        theirs = exact_cpu_seconds(pids) - theirs
        log = await self._new_log_bytes()
        return Cost(own / count / size * 1e6, theirs / count / size * 1e6, log / count / size)

    async def _new_log_bytes(self) -> int:
        """Return the bytes that were written to the log of the database since the last call."""
        if self._url.startswith("sqlite"):
            with closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as file:
                pages = file.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
                file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return int(pages) * LOG_PAGE_BYTES
        before, self._log_at = self._log_at, await log_position(self._url)
        return self._log_at - before


async def measure(kind: str, urls: Callable[[], str], pids: Callable[[], list[int]]) -> None:
    """Measure databases of each size in alternating rounds, and print their rows."""
    filled = [await opened(urls(), pids, events=goal) for goal in EVENTS]
    for is_known, size in itertools.product((True, False), BATCHES):
        what = f"an event{'' if is_known else ' without a data key'}, batches of {size}"
        works = [partial(bench.keep, size, is_known=is_known) for bench in filled]
        show(kind, what, EVENTS, await alternate(works))
    for bench in filled:
        await bench.close()
    filled = [await opened(urls(), pids, installations=goal) for goal in INSTALLATIONS]
    show(kind, "a vend", INSTALLATIONS, await alternate([bench.vend for bench in filled]))
    for bench in filled:
        await bench.close()


async def opened(
    url: str, pids: Callable[[], list[int]], *, events: int = 0, installations: int = 0
) -> Bench:
    """A new database with so many rows."""
    bench = Bench(url, await open_store(url, sample.ring(), randomness=os.urandom), pids)
    await bench.install_accounts()
    await bench.fill_events(events)
    if installations:
        await bench.fill_installations(installations)
    return bench


async def alternate(works: Sequence[Callable[[], Awaitable[Cost]]]) -> list[Cost]:
    """Return the median CPU times of each work and its mean bytes of log."""
    rounds = [[await work() for work in works] for _ in range(1 + ROUNDS)]
    # The first round opens connections and prepares statements.
    return [
        Cost(
            statistics.median(cost.own for cost in costs),
            statistics.median(cost.theirs for cost in costs),
            statistics.mean(cost.log for cost in costs),
        )
        for costs in zip(*rounds[1:], strict=True)
    ]


def show(kind: str, what: str, present: Sequence[int], costs: Sequence[Cost]) -> None:
    """Print the rows of one work, each beside the first one."""
    for count, cost in zip(present, costs, strict=True):
        ratio = (cost.own + cost.theirs) / (costs[0].own + costs[0].theirs)
        figures = f"{cost.own:.0f} | {cost.theirs:.0f} | {ratio:.2f} | {cost.log / 1024:.1f}"
        print(f"| {kind} | {what} | {count:,} | {figures} |", flush=True)


def main() -> None:
    """Measure and print."""
    print(f"{kit.machine()}\n")
    print(
        "| database | cost of | present | CPU µs here | in the database | of the first | log kB |"
    )
    print("|---|---|--:|--:|--:|--:|--:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="paraph-growth-") as folder:
        names = (f"sqlite:///{folder}/{number}.db" for number in itertools.count())
        asyncio.run(measure("SQLite", lambda: next(names), list))
    postgres = PostgresServer(durable=True)
    try:
        postgres.start()
        root = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children")
        asyncio.run(
            measure(
                "PostgreSQL",
                lambda: postgres.create_database(empty=True),
                lambda: list(map(int, root.read_text().split())),
            )
        )
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
