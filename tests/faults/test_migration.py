"""`paraph migrate` under load: an older replica beside newer ones, killed at random."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from databases import expand_schema
from faults.migration_replica import AT_ONCE, LEASE_SECONDS, NOW
from paraph.storage.database import open_store
from storage import sample
from tampering import tamper

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("migration_replica.py")
WAITING = 2_000
DELIVERIES = 4_000
KILLS = 8


class Process:
    """One process, and the books of what it said."""

    def __init__(self, role: str, books: Books) -> None:
        self.role, self.books = role, books
        self.ready = asyncio.Event()
        self.claimed: set[str] = set()
        self.moved = 0
        self.has_moved = asyncio.Event()

    async def start(self, url: str) -> Process:
        """Start it, and wait until it works."""
        path = os.pathsep.join((str(SCRIPT.parents[1]), *sys.path))
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPT), self.role, url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.reading = asyncio.create_task(self._read())
        await self.ready.wait()
        return self

    async def _read(self) -> None:
        output = self.process.stdout
        assert output is not None
        async for line in output:
            step, _, event_id = line.decode().strip().partition(" ")
            self.books.said[step][event_id] += 1
            if len(self.books.said["there"]) > WAITING:
                self.books.many.set()
            if step == "moved":
                self.moved += 1
                self.has_moved.set()
            if step == "ready":
                self.ready.set()
            if step == "claimed":
                self.claimed.add(event_id)
            if step == "ended":
                self.claimed.discard(event_id)
        await self.process.wait()
        # What it has claimed and not ended is claimed again when the lease has run out.
        self.books.unfinished |= self.claimed
        self.ready.set()

    @property
    def is_alive(self) -> bool:
        """Whether it can be written to."""
        return not self.reading.done()

    def send(self, numbers: list[int]) -> None:
        """Deliver these."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write("".join(f"{one}\n" for one in numbers).encode())

    async def kill(self) -> None:
        """End it as a power failure would."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.reading

    async def kill_after(self, moved: int) -> None:
        """End it in the middle of one of its steps."""
        while self.is_alive and self.moved < moved:
            self.has_moved.clear()
            waits = asyncio.create_task(self.has_moved.wait()), self.reading
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        await self.kill()

    async def finish(self) -> None:
        """Let it end what it has begun."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.reading


class Books:
    """What the processes said: the number of times for each step and event."""

    def __init__(self) -> None:
        names = ("ready", "new", "there", "claimed", "ended", "refused", "moved", "migrated")
        self.said: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.unfinished: set[str] = set()
        self.many = asyncio.Event()


@pytest.fixture
async def older_url(empty_database_url: str) -> str:
    """A database before `paraph migrate`."""
    await expand_schema(empty_database_url)
    store = await open_store(empty_database_url, sample.ring(), randomness=os.urandom, now=1_000)
    await store.close()
    return empty_database_url


async def test_older_and_newer_replicas_are_killed_while_events_move(older_url: str) -> None:
    """Each delivery is kept once and claimed once, or once more after a lease: none is lost."""
    chance, books = random.Random(17), Books()
    older = await Process("older", books).start(older_url)
    replicas = [older, *[await Process("newer", books).start(older_url) for _ in range(2)]]
    wanted = list(range(DELIVERIES))

    async def deliver() -> None:
        """Send each until a process that has kept it said so; some again and again."""
        start = 0
        while start < DELIVERIES or any(not books.said["there"][f"event-{n}"] for n in wanted):
            behind = [n for n in wanted[:start] if not books.said["there"][f"event-{n}"]]
            some = wanted[start : start + 40] + behind[:40] + chance.sample(wanted[: start + 1], 1)
            start += 40
            chance.choice([one for one in replicas if one.is_alive]).send(some)
            await asyncio.sleep(0.02 if start > WAITING else 0)

    async def replace_killed(place: int) -> None:
        await replicas[place].kill()
        role = "newer" if books.said["refused"] or place else "older"
        replicas[place] = await Process(role, books).start(older_url)

    async with asyncio.TaskGroup() as tasks:
        delivering = tasks.create_task(deliver())
        await books.many.wait()
        for number in range(KILLS):
            migration = await Process("migrate", books).start(older_url) if number > 1 else None
            await replace_killed(number % 3)
            if migration is not None:
                await migration.kill_after(chance.randint(0, 9))
        migration = await Process("migrate", books).start(older_url)
        await migration.reading
        await delivering
    for one in replicas:
        if one.is_alive:
            await one.finish()
    await _check(older_url, books)


async def _check(url: str, books: Books) -> None:
    ids = {f"event-{n}" for n in range(DELIVERIES)}
    store = await open_store(url, sample.ring(), randomness=os.urandom, now=1_000)
    late: Counter[str] = Counter()
    silent: set[str] = set()
    for now in (NOW, NOW + LEASE_SECONDS):
        more = True
        while more:
            async with store.transaction() as tx:
                claimed = (
                    await tx.events.claim(
                        now=now, until=now + 3 * LEASE_SECONDS, limit=500, urgent=False
                    )
                ).events
                await tx.events.mark_forwarded(claimed, now=now)
            more = bool(claimed)
            late.update(one.event_id for one in claimed)
            if now > NOW:
                # Killed between the commit and its line, or between both.
                silent |= {one.event_id for one in claimed} - books.unfinished
    await store.close()
    rows: Counter[str] = Counter()
    for table in ("kept_events", "former_events"):
        found = await tamper(url, f"SELECT event_id FROM {table} WHERE failure <> 'moved'")
        rows.update(row[0] for row in found)
    assert ids == set(rows) == {one for one in ids if books.said["there"][one]}
    assert {1} == set(rows.values())
    assert {1} == set(books.said["new"].values())
    claims = books.said["claimed"] + late
    assert set() == {one for one in ids if claims[one] > 1} - books.unfinished
    assert set() == {one for one in ids if not claims[one]}
    assert len(silent) <= KILLS * AT_ONCE
    assert books.said["migrated"]["all"] and books.said["refused"]["events"]
