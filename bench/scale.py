"""CPU time for one durable event with 1 to 8 processes on one PostgreSQL, and on one JetStream.

The machine has two cores, so what more processes could do at once cannot be seen here. What can:
whether an event costs more when more processes share one inbox. Each process has as many
connections as a process alone, and what an idle process costs is measured before it is loaded.
`python bench/scale.py`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # It ships none.
import uvloop

import kit
import service_under_load as load
from nats_server import NatsServer
from postgres_server import PostgresServer
from webhook import install

PROCESSES = (1, 2, 4, 8)
IDLE_SECONDS = 3.0
SETTLE_SECONDS = 2.0


@dataclass
class Figures:
    """What fleets of one size have cost, a figure for each round."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)


def run_round(services: Sequence[load.Running], keepers: Sequence[str], into: Figures) -> None:
    """Load all replicas at once; CPU microseconds for each event beyond those of idling."""

    def ours() -> float:
        return sum(kit.cpu_seconds(one.pid) for one in services)

    uvloop.run(_generate(services, load.genuine(10_000), 0.5))
    requests = load.genuine(40_000)
    began, before, kept_before = time.perf_counter(), ours(), _cpu_of(keepers)
    time.sleep(IDLE_SECONDS)
    waited = time.perf_counter() - began
    idle, kept_idle = (ours() - before) / waited, (_cpu_of(keepers) - kept_before) / waited
    began, before, kept_before = time.perf_counter(), ours(), _cpu_of(keepers)
    count = uvloop.run(_generate(services, requests, kit.SECONDS))
    into.rates.append(count / (time.perf_counter() - began))
    # What a stream still has to carry into the table belongs to these events.
    time.sleep(SETTLE_SECONDS)
    took = time.perf_counter() - began
    into.ours.append((ours() - before - idle * took) / count * 1e6)
    into.theirs.append((_cpu_of(keepers) - kept_before - kept_idle * took) / count * 1e6)
    into.idle.append(idle / len(services) * 1e3)


async def _generate(
    services: Sequence[load.Running], requests: Sequence[bytes], seconds: float
) -> int:
    share = len(requests) // len(services)
    loads = await asyncio.gather(
        *(
            kit.generate(one.port, requests[n * share : (n + 1) * share], seconds, kit.CONNECTIONS)
            for n, one in enumerate(services)
        )
    )
    wrong = [status for one in loads for status in one.statuses if status != 200]
    count = sum(one.statuses.total() for one in loads)
    if wrong or not count:
        raise SystemExit(f"{len(services)} processes: answers {wrong or 'none'}")
    return count


def _cpu_of(names: Sequence[str]) -> float:
    total = 0.0
    for process in psutil.process_iter(["name"]):
        if process.info["name"] in names:
            times = process.cpu_times()
            total += times.user + times.system
    return total


@contextmanager
def fleet(
    count: int, events_url: str, postgres: PostgresServer, folder: Path
) -> Iterator[Sequence[load.Running]]:
    """So many replicas on one new database, and on a stream of its own."""
    url, key = postgres.create_database(), load.new_key()
    with ExitStack() as stack:
        services = []
        for number in range(count):
            place = folder / url.rpartition("/")[2] / str(number)
            place.mkdir(parents=True)
            service = load.running_service(place, url, events_url=events_url, key=key)
            services.append(stack.enter_context(service))
            if not number:
                asyncio.run(install(url, key))
        yield services


def measure(kind: str, events_url: str, postgres: PostgresServer, folder: Path) -> None:
    """All sizes in turn, several times; print a row for each."""
    keepers = ["nats-server", "postgres"] if events_url else ["postgres"]
    every = {count: Figures() for count in PROCESSES}
    for _ in range(kit.ROUNDS):
        for count, figures in every.items():
            with fleet(count, events_url, postgres, folder) as services:
                run_round(services, keepers, figures)
    for count, figures in every.items():
        ours, theirs, rate, idle = map(
            statistics.median, (figures.ours, figures.theirs, figures.rates, figures.idle)
        )
        print(f"| {kind}, {count} | {ours:.0f} | {theirs:.0f} | {idle:.1f} | {rate:,.0f} |")


def main() -> None:
    """Measure one inbox after the other and print."""
    os.sched_setaffinity(0, {kit.LOAD_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        postgres, nats = PostgresServer(durable=True), NatsServer()
        stack.callback(postgres.stop)
        stack.callback(nats.stop)
        postgres.start()
        nats.start()
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(Path(name)):.2f} ms\n")
        print("| inbox, processes | CPU µs an event, service | the inbox's servers |", end="")
        print(" an idle process, CPU ms a second | events a second, here |")
        print("|---|--:|--:|--:|--:|", flush=True)
        for kind, events_url in (("PostgreSQL", ""), ("JetStream, flushed", nats.events_url)):
            measure(kind, events_url, postgres, Path(name))


if __name__ == "__main__":
    main()
