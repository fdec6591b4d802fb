"""Two thousand deliveries a second, no more and no less: how late are they answered?

`make steady SECONDS=600`. Deliveries are sent at their times, whether or not earlier ones were
answered, and a delivery's time counts from when it should have been sent: a service that stands
still for a moment is seen by all who came meanwhile. On PostgreSQL that flushes, over a hundred
connections that stay open.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter, deque
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import cast

import uvloop

import kit
import service_under_load as load
from postgres_server import PostgresServer
from webhook import install

PER_SECOND = 2_000
CONNECTIONS = 100
WARM_SECONDS = 3.0
LAST_SECONDS = 10.0
GOAL_MILLIS = 10.0


class _Connection(asyncio.Protocol):
    """One delivery at a time; its place is free again when it was answered."""

    def __init__(self, free: deque[_Connection], seen: Seen) -> None:
        self._free = free
        self._seen = seen
        self._due = 0.0
        self._buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no check: uvloop's transports are of no class of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        self._free.append(self)

    def send(self, raw: bytes, due: float) -> None:
        """Send one that should be on its way since `due`."""
        assert self.transport is not None
        self._due = due
        self.transport.write(raw)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        # Every answer here has a body of two bytes.
        if self._buffer.endswith(b"\r\n\r\n{}"):
            self._seen.note(int(self._buffer[9:12]), time.perf_counter() - self._due)
            self._buffer = b""
            self._free.append(self)


class Seen:
    """Answers by status, and how late they were; `all_here` when so many have come."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.statuses: Counter[int] = Counter()
        self.late: list[float] = []
        self.all_here = asyncio.Event()

    def note(self, status: int, late: float) -> None:
        """One more."""
        self.statuses[status] += 1
        self.late.append(late)
        if len(self.late) == self._count:
            self.all_here.set()


async def deliver(port: int, seconds: float) -> Seen:
    """All deliveries of so many seconds, each at its time."""
    free: deque[_Connection] = deque()
    count = int(seconds * PER_SECOND)
    seen = Seen(count)
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Connection(free, seen), "127.0.0.1", port)
    began, number = time.perf_counter(), 0
    while number < count:
        due = began + number / PER_SECOND
        if time.perf_counter() < due or not free:
            await asyncio.sleep(0)
            continue
        (raw,) = load.genuine(1)
        free.popleft().send(raw, due)
        number += 1
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_SECONDS):
            await seen.all_here.wait()
    return seen


def main(seconds: float) -> int:
    """Deliver and print; 1 when something was not answered 200."""
    os.sched_setaffinity(0, {kit.LOAD_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="paraph-steady-") as name, ExitStack() as stack:
        postgres = PostgresServer(durable=True)
        stack.callback(postgres.stop)
        postgres.start()
        url = postgres.create_database()
        service = stack.enter_context(load.running_service(Path(name), url))
        asyncio.run(install(url, service.key))
        # The database shares the generator's core, and goes first.
        os.setpriority(os.PRIO_PROCESS, 0, 19)
        uvloop.run(deliver(service.port, WARM_SECONDS))
        before = kit.cpu_seconds(service.pid)
        seen = uvloop.run(deliver(service.port, seconds))
        spent = kit.cpu_seconds(service.pid) - before
        flush = kit.flush_millis(Path(name))
    count = int(seconds * PER_SECOND)
    late = sorted(seen.late)
    print(f"{kit.machine()}; fdatasync of 4 kB: {flush:.2f} ms")
    print(f"deliveries            {count}, {PER_SECOND} a second for {seconds:g} s")
    print(f"answered              {dict(seen.statuses)}")
    for share in (0.5, 0.9, 0.99, 0.999):
        print(f"  p{share * 100:<19g} {late[int(len(late) * share)] * 1000:.1f} ms")
    print(f"  slowest             {late[-1] * 1000:.1f} ms")
    print(f"goal                  p99 at most {GOAL_MILLIS:g} ms")
    print(f"CPU of the service    {spent / seconds * 100:.0f} % of a core")
    return 0 if seen.statuses == {200: count} else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
