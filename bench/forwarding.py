"""The cost of forwarding one kept event: CPU time in the service, and in its database.

`make bench` runs it. A tiny host on the other core accepts the events. Each kind of database gets
two loads: a backlog, where there is always more to claim, and deliveries at a steady pace, where
batches are small, and where the time from a webhook to the host is measured too. A commit that few
events share costs more than forwarding them, so the cost of a service that forwards nothing is
measured beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import ClassVar, cast

import psutil  # type: ignore[import-untyped]  # It ships none.
import uvloop

import kit
import service_under_load as load
from paraph.model.event import KeptEvent
from paraph.sealing.key_ring import KeyRing
from paraph.storage.database import open_store
from postgres_server import PostgresServer
from webhook import install

BACKLOG = int(os.environ.get("BENCH_BACKLOG", "4000"))
# Not counted: connections are opened and statements prepared meanwhile.
WARM_UP = 500
RATES = (100, 400, 1200)
IDLE_SECONDS = 3.0
ROUNDS = min(kit.ROUNDS, 3)
SETTLE_SECONDS = 0.3
DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Figure:
    """The cost of one event, and how long it was on its way.

    Attributes:
        service, database: CPU time in microseconds.
        a_second: the number of events.
        median, late: milliseconds from the time a webhook was due until the host had its event,
            for half of the events and for 99 of 100; NaN where nothing was forwarded at a pace.
    """

    service: float
    database: float
    a_second: float
    median: float = math.nan
    late: float = math.nan


class Host(asyncio.Protocol):
    """Takes events and says 204. Next to no work: it shares its core with the database."""

    taken = 0
    # When each event came, by its `event_ts`, on the clock `time.perf_counter`; None: not noted.
    came: ClassVar[dict[int, float] | None] = None
    _transport: asyncio.Transport
    _buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection of the service."""
        # A cast and no check: uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            if Host.came is not None:
                Host.came.setdefault(event_ts_of(self._buffer), time.perf_counter())
            self._buffer = self._buffer[end + 4 + length :]
            Host.taken += 1
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


def event_ts_of(request: bytes) -> int:
    """Return the `event_ts` of the first event in these bytes."""
    return int(request.partition(b'"event_ts":')[2][:13])


@asynccontextmanager
async def listening(*, is_timed: bool = False) -> AsyncIterator[int]:
    """The host on a socket, which notes the time of each event if told to; gives its port."""
    Host.taken, Host.came = 0, {} if is_timed else None
    server = await asyncio.get_running_loop().create_server(Host, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def until_taken(count: int) -> None:
    """Wait until the host has so many."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while Host.taken < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"the host has {Host.taken} of {count} events")
        await asyncio.sleep(0.01)


_numbers = itertools.count(1)


async def fill(database_url: str, key: str, count: int) -> None:
    """So many events that wait."""
    store = await open_store(database_url, KeyRing.parse([key]), randomness=os.urandom)
    now = int(time.time())
    events = [
        KeptEvent(
            f"{number:064x}",
            "meeting.participant_joined",
            now,
            load.body_of(number),
            account_id=load.ACCOUNT,
            next_attempt_at=now,
            arrival=number,
        )
        for number in itertools.islice(_numbers, count)
    ]
    for start in range(0, count, 256):
        await store.keep_events(events[start : start + 256], client_id=load.CLIENT_ID)
    await store.close()


class Spent:
    """CPU seconds of the service and of the database since it was made."""

    def __init__(self, pid: int, database: Callable[[], float]) -> None:
        self._pid, self._database = pid, database
        self._at = time.perf_counter()
        self._before = kit.cpu_seconds(pid), database()

    def __call__(self) -> tuple[float, float, float]:
        """Those of the service, those of the database, and seconds."""
        spent = kit.cpu_seconds(self._pid) - self._before[0], self._database() - self._before[1]
        return *spent, time.perf_counter() - self._at


async def drain(folder: Path, url: str, key: str, database: Callable[[], float]) -> Figure:
    """A backlog, from its first events on until the host has it all."""
    await fill(url, key, BACKLOG + WARM_UP)
    async with listening() as port:
        forward = f"http://127.0.0.1:{port}/hooks"
        with load.running_service(folder, url, key=key, forward_url=forward) as service:
            await until_taken(WARM_UP)
            begun, spent = Host.taken, Spent(service.pid, database)
            await until_taken(BACKLOG + WARM_UP)
            took = spent()[2]
            await asyncio.sleep(SETTLE_SECONDS)
            count = Host.taken - begun
            ours, theirs, _ = spent()
    return Figure(ours / count * 1e6, theirs / count * 1e6, count / took)


async def arrive(
    folder: Path,
    url: str,
    key: str,
    database: Callable[[], float],
    *,
    forwarding: bool,
) -> list[Figure]:
    """Deliveries at each pace, after what an idle service costs was measured."""
    figures = []
    async with listening(is_timed=True) as port:
        forward = f"http://127.0.0.1:{port}/hooks" if forwarding else ""
        with load.running_service(folder, url, key=key, forward_url=forward) as service:
            await send(service.port, RATES[0], 2.0)
            idle = Spent(service.pid, database)
            await asyncio.sleep(IDLE_SECONDS)
            ours_idle, theirs_idle, waited = idle()
            for rate in RATES:
                begun, spent = Host.taken, Spent(service.pid, database)
                due = await send(service.port, rate, 4.0)
                took, count = spent()[2], len(due)
                await until_taken(begun + count if forwarding else 0)
                await asyncio.sleep(SETTLE_SECONDS)
                ours, theirs, whole = spent()
                ours -= ours_idle / waited * whole
                theirs -= theirs_idle / waited * whole
                cost = ours / count * 1e6, theirs / count * 1e6, count / took
                figures.append(Figure(*cost, *(waits(due) if forwarding else ())))
    return figures


def waits(due: dict[int, float]) -> tuple[float, float]:
    """Return the milliseconds until the host had half of these events, and 99 of 100."""
    came = Host.came or {}
    times = sorted(came[event_ts] - at for event_ts, at in due.items())
    return times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3


async def send(port: int, rate: int, seconds: float) -> dict[int, float]:
    """Send deliveries at this pace, over several connections. Return when each was due."""
    requests = load.genuine(int(rate * seconds))
    begun = await load.send_at_pace(port, requests, rate, lambda _seconds: None)
    return {event_ts_of(one): begun + place / rate for place, one in enumerate(requests)}


def places(stack: ExitStack, folder: Path) -> Iterator[tuple[str, str, Callable[[], float]]]:
    """Each kind of database: its name, the URL of a new one, and the CPU seconds it has used."""
    yield "SQLite", f"sqlite:///{folder / 'paraph.db'}", lambda: 0.0
    postgres = PostgresServer()
    stack.callback(postgres.stop)
    postgres.start()
    server = psutil.Process(postgres.pid)

    def spent() -> float:
        total = 0.0
        for one in server.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
        return total

    yield "PostgreSQL", postgres.create_database(), spent


def measure(name: str, folder: Path, url: str, database: Callable[[], float]) -> None:
    """Both loads, several times; print a row for each."""
    key = load.new_key()
    asyncio.run(install(url, key))
    kinds = "accepted", "accepted and forwarded"
    loads = ["forwarded, from a backlog"]
    loads += [f"{kind}, {rate:,} a second" for kind in kinds for rate in RATES]
    rounds: dict[str, list[Figure]] = {one: [] for one in loads}
    for _ in range(ROUNDS):
        figures = [uvloop.run(drain(folder, url, key, database))]
        for forwarding in (False, True):
            figures += uvloop.run(arrive(folder, url, key, database, forwarding=forwarding))
        for name_of_load, figure in zip(loads, figures, strict=True):
            rounds[name_of_load].append(figure)
    for name_of_load, measured in rounds.items():
        columns = zip(*map(astuple, measured), strict=True)
        ours, theirs, rate, *times = map(statistics.median, columns)
        shown = f"{theirs:,.0f}" if theirs else "in the service"
        until_host = " | ".join("" if math.isnan(one) else f"{one:,.0f}" for one in times)
        cells = f"{ours:,.0f} | {shown} | {rate:,.0f} | {until_host}"
        print(f"| {name}, {name_of_load} | {cells} |", flush=True)


def main() -> None:
    """Measure and print."""
    os.sched_setaffinity(0, {kit.LOAD_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(folder):.2f} ms\n")
        print(
            "| events | CPU µs each in the service | in the database | a second, here "
            "| webhook to host, p50 ms | p99 ms |"
        )
        print("|---|--:|--:|--:|--:|--:|", flush=True)
        for kind, url, database in places(stack, folder):
            measure(kind, folder, url, database)


if __name__ == "__main__":
    main()
