"""Genuine deliveries under a flood of forged ones: are they answered, how late, and in what memory?

`make flood SECONDS=30`. The flood is as fast as its generator goes, over 64 connections, half of
it refused by its headers and half by its MAC. Beside it a genuine delivery is sent twenty times
a second, each on a connection of its own, as Zoom does.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # It ships none.
import uvloop

import kit
import service_under_load as load

EACH_SECONDS = 0.05
TIMEOUT_SECONDS = 3.0


def flood(port: int, seconds: float) -> None:
    """The generator, in a process of its own; prints how many were refused."""
    requests = [*load.forged_by_shape(), *load.forged_by_key()]
    done = uvloop.run(kit.generate(port, requests, seconds, kit.CONNECTIONS))
    print(done.statuses.total(), flush=True)


async def deliver(port: int, raw: bytes) -> tuple[int, float]:
    """One genuine delivery: its status, 0 for none within Zoom's timeout, and its seconds."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw)
            status = int((await reader.readuntil(b"\r\n"))[9:12])
            writer.close()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        status = 0
    return status, time.perf_counter() - began


async def deliveries(port: int, seconds: float) -> list[tuple[int, float]]:
    """Genuine ones, at their pace, whatever the answers take."""
    until, tasks = time.monotonic() + seconds, []
    for raw in load.genuine(int(seconds / EACH_SECONDS) + 1):
        if time.monotonic() > until:
            break
        tasks.append(asyncio.create_task(deliver(port, raw)))
        await asyncio.sleep(EACH_SECONDS)
    return list(await asyncio.gather(*tasks))


def main(seconds: float) -> int:
    """Flood, deliver, print."""
    with (
        tempfile.TemporaryDirectory(prefix="paraph-flood-") as name,
        load.running_service(Path(name)) as service,
    ):
        process = psutil.Process(service.pid)
        asyncio.run(deliveries(service.port, 2))
        before = process.memory_info().rss
        command = [sys.executable, __file__, "flood", str(service.port), str(seconds)]
        generator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        answers = asyncio.run(deliveries(service.port, seconds))
        refused = int(generator.communicate()[0])
        after = process.memory_info().rss
    statuses = Counter(status for status, _ in answers)
    times = sorted(taken for _, taken in answers)
    p99 = times[int(len(times) * 0.99)]
    print(kit.machine())
    print(f"forged, refused       {refused / seconds:,.0f} a second")
    print(f"genuine, answered     {dict(statuses)} of {len(answers)}")
    print(f"  p50, p99            {times[len(times) // 2] * 1000:.0f} ms, {p99 * 1000:.0f} ms")
    print(f"memory before, after  {before >> 20} MB, {after >> 20} MB")
    return 0 if set(statuses) == {200} and p99 < TIMEOUT_SECONDS else 1


if __name__ == "__main__":
    if sys.argv[1] == "flood":
        flood(int(sys.argv[2]), float(sys.argv[3]))
    else:
        sys.exit(main(float(sys.argv[1])))
