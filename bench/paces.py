"""The cost of one event at the pace of real apps, and of no event at all. `make bench`.

Real apps receive between 1 and 400 events a second. There each event wakes everything anew, and
often has a commit of its own. So the same deliveries go to this service and to the receivers that a
team would write, at the same pace. An idle process is measured first, after its start has settled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]  # It ships none.
import uvloop

import kit
import service_under_load as load
from postgres_server import PostgresServer
from webhook import EXPRESS, installed_receiver

RATES = tuple(map(int, os.environ.get("BENCH_RATES", "20 100 400").split()))
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
# Nothing may be written for a minute.
IDLE_SECONDS = float(os.environ.get("BENCH_IDLE_SECONDS", "60"))
SETTLE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver that runs.

    Attributes:
        name: as it stands in the table.
        port, pid: where it listens, and its process.
        database: the URL of its database on PostgreSQL; "" with SQLite.
        metrics: the URL of its metrics; "" if it has none.
    """

    name: str
    port: int
    pid: int
    database: str = ""
    metrics: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters of a receiver and of its database, since their start."""

    at: float
    service: float
    database: float
    log_bytes: int
    memory: int
    wake_ups: int

    @classmethod
    def of(cls, receiver: Receiver, postgres: PostgresServer) -> Reading:
        """Read them now."""
        pids = [one.pid for one in psutil.Process(postgres.pid).children(recursive=True)]
        return cls(
            time.perf_counter(),
            exact_cpu_seconds([receiver.pid]),
            exact_cpu_seconds(pids) if receiver.database else 0.0,
            asyncio.run(log_position(receiver.database))
            if receiver.database
            else _written(receiver.pid),
            psutil.Process(receiver.pid).memory_info().rss,
            _wake_ups(receiver.pid),
        )


def exact_cpu_seconds(pids: list[int]) -> float:
    """CPU time of all threads, in the scheduler's resolution: an idle one uses microseconds."""
    total = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(thread.read_text().split()[0])
    return total / 1e9


def _wake_ups(pid: int) -> int:
    """The number of waits of all threads that have ended, since the start of the process."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):
            text = thread.read_text()
            total += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


async def log_position(url: str) -> int:
    """The bytes that a PostgreSQL server has written to its log, the WAL."""
    connection: Any = await asyncpg.connect(url)
    try:
        position = await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return int(position)
    finally:
        await connection.close()


def _written(pid: int) -> int:
    """Bytes that a process has written to files: with SQLite its log and its database."""
    text = Path(f"/proc/{pid}/io").read_text()
    return int(text.partition("\nwrite_bytes: ")[2].split()[0])


def _commits(url: str) -> int:
    if not url:
        return 0
    with urllib.request.urlopen(url) as response:
        text = response.read().decode()
    return int(float(text.partition("\nparaph_inbox_batches_total ")[2].split()[0]))


async def send(port: int, rate: int, seconds: float) -> list[float]:
    """Send deliveries at a pace; return the seconds that each took, from when it was due."""
    took: list[float] = []
    requests = load.genuine(max(1, int(rate * seconds)))
    await load.send_at_pace(port, requests, rate, took.append)
    return sorted(took)


def measure(receiver: Receiver, postgres: PostgresServer) -> None:
    """Measure one receiver, idle and at each pace, and print its rows."""
    # Connections are opened and statements prepared before anything is counted.
    uvloop.run(send(receiver.port, 100, 1.0))
    time.sleep(SETTLE_SECONDS)
    before = Reading.of(receiver, postgres)
    time.sleep(IDLE_SECONDS)
    after = Reading.of(receiver, postgres)
    waited = after.at - before.at
    idle = (after.service - before.service) / waited, (after.database - before.database) / waited
    print(
        f"| {receiver.name}, idle | {idle[0] * 1e3:.2f} ms a second, "
        f"{(after.wake_ups - before.wake_ups) / waited:.1f} wake-ups | "
        f"{_or_dash(receiver.database, f'{idle[1] * 1e3:.2f} ms a second')} | | | "
        f"{after.log_bytes - before.log_bytes:,} B | | {after.memory >> 20} MB |",
        flush=True,
    )
    for rate in RATES:
        # Outside the readings: a request for the metrics costs as much as some events.
        commits_before = _commits(receiver.metrics)
        before = Reading.of(receiver, postgres)
        took = uvloop.run(send(receiver.port, rate, SECONDS))
        after = Reading.of(receiver, postgres)
        count, waited = len(took), after.at - before.at
        # The cost of an idle process is subtracted: it has a row of its own.
        service = (after.service - before.service - idle[0] * waited) / count
        database = (after.database - before.database - idle[1] * waited) / count
        commits = f"{(_commits(receiver.metrics) - commits_before) / count:.2f}"
        print(
            f"| {receiver.name}, {rate} a second | {service * 1e6:,.0f} µs | "
            f"{_or_dash(receiver.database, f'{database * 1e6:,.0f} µs')} | "
            f"{took[count // 2] * 1e3:.1f} | {took[int(count * 0.99)] * 1e3:.1f} | "
            f"{(after.log_bytes - before.log_bytes) / count / 1024:.1f} kB | "
            f"{_or_dash(receiver.metrics, commits)} | {after.memory >> 20} MB |",
            flush=True,
        )


def _or_dash(condition: str, text: str) -> str:
    return text if condition else "-"


def receivers(folder: Path, postgres: PostgresServer) -> Generator[Receiver]:
    """Start each receiver when it is asked for: only one runs at a time."""
    for name, url in (("SQLite", ""), ("PostgreSQL", postgres.create_database())):
        place = folder / name
        place.mkdir()
        # The first start migrates the database; the second is how a service usually starts.
        with load.running_service(place, url) as first:
            key = first.key
        with load.running_service(place, url, key=key) as service:
            metrics = f"http://127.0.0.1:{service.private_port}/metrics"
            yield Receiver(f"paraph, {name}", service.port, service.pid, url, metrics)
    os.environ["BENCH_SECRET"] = load.WEBHOOK_SECRET
    for kind in ("Core", "ORM"):
        os.environ["BENCH_FILE"] = str(folder / f"{kind}.db")
        port = kit.free_port()
        application = f"peer_receivers:{kind.lower()}"
        with kit.server(kit.uvicorn_command(application, port), port) as pid:
            yield Receiver(f"FastAPI, SQLAlchemy {kind}, SQLite", port, pid)
    express = installed_receiver(folder, EXPRESS)
    if express is None:
        print("express and pg are skipped: node or npm is missing, or no network")
        return
    os.environ["BENCH_DATABASE"] = url = postgres.create_database(empty=True)
    os.environ["BENCH_PORT"] = str(port := kit.free_port())
    with kit.server(["node", str(express)], port) as pid:
        yield Receiver("express, pg, PostgreSQL", port, pid, url)


def main() -> None:
    """Measure and print."""
    os.sched_setaffinity(0, {kit.LOAD_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        postgres = PostgresServer(durable=True)
        stack.callback(postgres.stop)
        postgres.start()
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(folder):.2f} ms\n")
        print(
            "| receiver | CPU an event in the service | in the database | p50 ms | p99 ms | "
            "written an event | commits an event | memory |"
        )
        print("|---|--:|--:|--:|--:|--:|--:|--:|", flush=True)
        with contextlib.closing(receivers(folder, postgres)) as started:
            for receiver in started:
                measure(receiver, postgres)


if __name__ == "__main__":
    main()
