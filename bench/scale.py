"""CPU time for one durable event with 1 to 8 processes on one PostgreSQL, and on one JetStream.

The machine has two cores, so what more processes could do at once cannot be seen here. What can:
whether an event costs more when more processes share one database. `python bench/scale.py`.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
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
CONNECTIONS = 64


@dataclass
class Fleet:
    """So many replicas on one inbox."""

    name: str
    services: Sequence[load.Running]
    keepers: Sequence[str]
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def run_round(self) -> None:
        """Load all replicas at once; CPU microseconds for each event."""
        before, kept_before = self._ours(), _cpu_of(self.keepers)
        began = time.perf_counter()
        count = uvloop.run(self._generate())
        took = time.perf_counter() - began
        self.rates.append(count / took)
        self.ours.append((self._ours() - before) / count * 1e6)
        self.theirs.append((_cpu_of(self.keepers) - kept_before) / count * 1e6)

    def _ours(self) -> float:
        return sum(kit.cpu_seconds(one.pid) for one in self.services)

    async def _generate(self) -> int:
        each = CONNECTIONS // len(self.services)
        requests = load.genuine(12_000)
        share = len(requests) // len(self.services)
        loads = await asyncio.gather(
            *(
                kit.generate(one.port, requests[n * share : (n + 1) * share], kit.SECONDS, each)
                for n, one in enumerate(self.services)
            )
        )
        wrong = [status for one in loads for status in one.statuses if status != 200]
        count = sum(one.statuses.total() for one in loads)
        if wrong or not count:
            raise SystemExit(f"{self.name}: answers {wrong or 'none'}")
        return count


def _cpu_of(names: Sequence[str]) -> float:
    total = 0.0
    for process in psutil.process_iter(["name"]):
        if process.info["name"] in names:
            times = process.cpu_times()
            total += times.user + times.system
    return total


def fleets(
    kind: str, events_url: str, postgres: PostgresServer, folder: Path, stack: ExitStack
) -> list[Fleet]:
    """One of each size, idle until its round."""
    made = []
    for count in PROCESSES:
        url, key = postgres.create_database(), load.new_key()
        services = []
        for number in range(count):
            place = folder / f"{kind}-{count}-{number}"
            place.mkdir()
            service = load.running_service(place, url, events_url=events_url, key=key)
            services.append(stack.enter_context(service))
            if not number:
                asyncio.run(install(url, key))
        keepers = ["nats-server", "postgres"] if events_url else ["postgres"]
        made.append(Fleet(f"{kind}, {count}", services, keepers))
    return made


def measure(every: Sequence[Fleet]) -> None:
    """Alternate, after a round that does not count; print a row for each."""
    for number in range(kit.ROUNDS + 1):
        for one in every:
            one.run_round()
            if not number:
                for figures in (one.ours, one.theirs, one.rates):
                    figures.clear()
    for one in every:
        ours, theirs, rate = map(statistics.median, (one.ours, one.theirs, one.rates))
        print(f"| {one.name} | {ours:.0f} | {theirs:.0f} | {rate:,.0f} |", flush=True)


def main() -> None:
    """Measure one inbox after the other and print."""
    os.sched_setaffinity(0, {kit.LOAD_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        postgres, nats = PostgresServer(), NatsServer()
        stack.callback(postgres.stop)
        stack.callback(nats.stop)
        postgres.start()
        nats.start()
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(Path(name)):.2f} ms\n")
        print("| inbox, processes | CPU µs an event, ours | the inbox's servers | a second, here |")
        print("|---|--:|--:|--:|")
        for kind, events_url in (("PostgreSQL", ""), ("JetStream, flushed", nats.events_url)):
            with ExitStack() as running:
                measure(fleets(kind, events_url, postgres, Path(name), running))


if __name__ == "__main__":
    main()
