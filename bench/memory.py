"""The memory of a process beside 100 000 installations: idle, and after vending for each of them.

`make memory`. On SQLite, whose reader remembers rows until the next write.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # It ships none.
import uvloop

import kit
import service_under_load as load
from paraph.service.context import open_context
from paraph.settings.loading import load_settings
from token_vend import Installed, fill_context

INSTALLATIONS = 100_000
AT_ONCE = 5_000
IDLE_SECONDS = 10.0
GOAL_MEGABYTES = 150


async def fill(settings_file: Path) -> Installed:
    """All installations, as installing leaves them."""
    pairs: list[tuple[str, str]] = []
    async with open_context(load_settings(settings_file)) as (context, _readiness):
        while len(pairs) < INSTALLATIONS:
            made = await fill_context(context, AT_ONCE, first=len(pairs))
            pairs += made.pairs
    return Installed(made.key, pairs)


def main() -> int:
    """Fill, rest, vend, print."""
    with (
        tempfile.TemporaryDirectory(prefix="paraph-memory-") as name,
        load.running_service(Path(name)) as service,
    ):
        installed = asyncio.run(fill(Path(name) / "paraph.toml"))
        process = psutil.Process(service.pid)
        time.sleep(IDLE_SECONDS)
        idle = process.memory_info().rss >> 20
        requests = installed.requests()
        done = uvloop.run(kit.generate(service.private_port, requests, 12.0, kit.CONNECTIONS))
        used = process.memory_info().rss >> 20
    print(kit.machine())
    print(f"installations         {len(installed.pairs):,}")
    print(f"memory, idle          {idle} MB; goal: under {GOAL_MEGABYTES} MB")
    print(f"after {done.statuses.total():,} vends   {used} MB")
    return 0 if idle < GOAL_MEGABYTES and set(done.statuses) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())
