"""An hour of deliveries at a steady pace: does anything grow that should not? `make soak`.

Each delivery is verified, stored and forwarded to a host. Bodies are kept for five minutes, so most
of the run deletes as many as it stores. Rows without a body stay for a day, to recognise replays,
so the database grows by them, and by no more. Every ten seconds the memory, descriptors, threads
and files of the service are read. The last line of the output, and the exit status, say what grew.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import asyncpg
import psutil  # type: ignore[import-untyped]  # It ships none.
import uvloop

import forwarding
import kit
import service_under_load as load
from line_charts import Chart, draw
from postgres_server import PostgresServer
from webhook import install

RATE = 400
SAMPLE_SECONDS = 10.0
BODY_SECONDS = 300
WARM_UP_SECONDS = 600
# The last quarter may exceed the first after the warm-up by so much.
MOST_GROWTH = 1.1
# A row without a body, with its entries in the indexes. One with a body takes more than a page.
MOST_ROW_BYTES = 1024


class Sample(NamedTuple):
    """What was seen at one moment.

    Attributes:
        second: since the start.
        p50, p99: milliseconds from when a delivery was due until it was answered.
        memory, log, database: megabytes.
        descriptors, threads: of the service.
        waiting: events that were answered and not yet forwarded.
    """

    second: float
    p50: float
    p99: float
    memory: float
    descriptors: int
    threads: int
    log: float
    database: float
    waiting: int


# What has to stay flat after the warm-up.
FLAT = ("memory", "descriptors", "threads", "log")


class Answered:
    """Counts the deliveries that were answered, and holds the seconds that the latest ones took."""

    def __init__(self) -> None:
        self.count = 0
        self.took: list[float] = []

    def note(self, seconds: float) -> None:
        """Add one."""
        self.count += 1
        self.took.append(seconds)


class Files:
    """The sizes of the files of a database, in bytes: its log, and everything else."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder

    async def sizes(self) -> tuple[int, int]:
        """Read them."""
        if self._url.startswith("sqlite"):
            log, file = self._folder / "paraph.db-wal", self._folder / "paraph.db"
            return (log.stat().st_size if log.exists() else 0), file.stat().st_size
        connection = await asyncpg.connect(self._url)
        try:
            row = await connection.fetchrow(
                "SELECT (SELECT sum(size) FROM pg_ls_waldir()),"
                " pg_database_size(current_database())"
            )
        finally:
            await connection.close()
        return int(row[0]), int(row[1])


async def soak(
    service: load.Running, files: Files, seconds: float, show: Callable[[Sample], None]
) -> list[Sample]:
    """Deliver at the pace, and sample the service meanwhile."""
    process, samples = psutil.Process(service.pid), []
    answered = Answered()
    # Made one by one: an hour of them would fill the memory of the sender.
    requests = (load.genuine(1)[0] for _ in range(int(seconds * RATE)))
    begun = time.perf_counter()
    sending = asyncio.create_task(load.send_at_pace(service.port, requests, RATE, answered.note))
    while not sending.done():
        await asyncio.wait([sending], timeout=SAMPLE_SECONDS)
        took, answered.took = sorted(answered.took), []
        if not took:
            continue
        log, database = await files.sizes()
        sample = Sample(
            round(time.perf_counter() - begun, 1),
            round(took[len(took) // 2] * 1e3, 2),
            round(took[int(len(took) * 0.99)] * 1e3, 2),
            round(process.memory_info().rss / 2**20, 1),
            process.num_fds(),
            process.num_threads(),
            round(log / 2**20, 1),
            round(database / 2**20, 1),
            answered.count - forwarding.Host.taken,
        )
        samples.append(sample)
        show(sample)
    await sending
    await forwarding.until_taken(answered.count)
    print(f"{answered.count:,} deliveries answered 200; the host has {forwarding.Host.taken:,}")
    return samples


def growth(samples: list[Sample], name: str) -> tuple[float, float]:
    """Return the medians of the first and of the last quarter after the warm-up."""
    later = [one for one in samples if one.second > WARM_UP_SECONDS] or samples
    part = max(1, len(later) // 4)
    first, last = (
        statistics.median(getattr(one, name) for one in some)
        for some in (later[:part], later[-part:])
    )
    return first, last


def row_bytes(samples: list[Sample]) -> float:
    """Return the bytes by which the database grew for each event; 0 if all was warm-up."""
    later = [one for one in samples if one.second > WARM_UP_SECONDS]
    if len(later) < 2:
        return 0.0
    grew = (later[-1].database - later[0].database) * 2**20
    return grew / (RATE * (later[-1].second - later[0].second))


def graph(samples: list[Sample], title: str) -> str:
    """Draw the samples as SVG."""
    minutes = [one.second / 60 for one in samples]

    def chart(name: str, *columns: str) -> Chart:
        lines = {column: [float(getattr(one, column)) for one in samples] for column in columns}
        return Chart(name, minutes, lines)

    return draw(
        title,
        [
            chart("answered after, ms", "p50", "p99"),
            chart("memory, MB", "memory"),
            chart("open descriptors and threads", "descriptors", "threads"),
            chart("write-ahead log, MB", "log"),
            chart("database, MB", "database"),
            chart("events that wait for forwarding", "waiting"),
        ],
    )


async def run(url: str, key: str, folder: Path, seconds: float, table: Path) -> list[Sample]:
    """Start the service and its host, and soak it; each sample is a line of a CSV file."""
    async with forwarding.listening() as port:
        with (
            load.running_service(
                folder,
                url,
                key=key,
                forward_url=f"http://127.0.0.1:{port}/hooks",
                event_retention=BODY_SECONDS,
            ) as service,
            table.open("w", encoding="utf-8") as file,
        ):
            lines = csv.writer(file)
            lines.writerow(Sample._fields)

            def show(sample: Sample) -> None:
                lines.writerow(sample)
                file.flush()

            return await soak(service, Files(url, folder), seconds, show)


def main() -> int:
    """Soak, draw and judge; 1 if something grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--graph", type=Path, default=Path("soak.svg"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="paraph-soak-") as name, ExitStack() as stack:
        folder = Path(name)
        url = f"sqlite:///{folder / 'paraph.db'}"
        if options.database == "postgresql":
            postgres = PostgresServer(durable=True)
            stack.callback(postgres.stop)
            postgres.start()
            url = postgres.create_database()
        key = load.new_key()
        asyncio.run(install(url, key))
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(folder):.2f} ms", flush=True)
        table = options.graph.with_suffix(".csv")
        samples = uvloop.run(run(url, key, folder, options.seconds, table))
    hours = options.seconds / 3600
    name = "SQLite" if options.database == "sqlite" else "PostgreSQL"
    title = f"{RATE} events a second for {hours:g} h, {name}"
    options.graph.write_text(graph(samples, title), encoding="utf-8")
    grown = []
    for one in FLAT:
        first, last = growth(samples, one)
        print(f"{one:12} {first:g} in the first quarter, {last:g} in the last")
        if last > first * MOST_GROWTH:
            grown.append(one)
    print(f"database     {row_bytes(samples):.0f} bytes for each event after the warm-up")
    if row_bytes(samples) > MOST_ROW_BYTES:
        grown.append("database")
    print(f"grew: {', '.join(grown) or 'nothing'}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
