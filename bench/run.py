"""Every hot path beside the ceiling, in one run. `make bench`."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

import kit
import service_under_load as load
from kit import Target
from webhook import install

GOALS = {
    "forged webhook, refused by its headers, fast path": 2.0,
    "forged webhook, refused by its headers, ASGI path": 0.95,
    "forged webhook, refused by its MAC, fast path": 1.4,
    "forged webhook, refused by its MAC, ASGI path": 0.85,
    "forged redirect, fast path": 0.80,
    "forged redirect, ASGI path": 0.80,
    "verified webhook, fast path": 0.45,
    "verified webhook, ASGI path": 0.35,
}
FAST_PATH = {"fast path": True, "ASGI path": False}
PATHS = {
    "forged webhook, refused by its headers": (load.forged_by_shape, 401),
    "forged webhook, refused by its MAC": (load.forged_by_key, 401),
    "verified webhook": (load.genuine, 200),
    "forged redirect": (load.forged_redirects, 400),
}


def ours(folder: Path, stack: ExitStack) -> list[Target]:
    """The service on SQLite, with the fast path and without it."""
    running = {}
    for path, on in FAST_PATH.items():
        place = folder / path
        place.mkdir()
        running[path] = stack.enter_context(load.running_service(place, fast_path=on))
        asyncio.run(install(f"sqlite:///{place / 'paraph.db'}", running[path].key))
    return [
        Target(f"{name}, {path}", service.port, service.pid, requests, status)
        for name, (requests, status) in PATHS.items()
        for path, service in running.items()
    ]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        port = kit.free_port()
        pid = stack.enter_context(
            kit.server(kit.uvicorn_command("ceiling:application", port), port)
        )
        ceiling = Target("ceiling: raw ASGI that answers 200", port, pid, load.forged_by_key, 200)
        targets = [ceiling, *ours(folder, stack)]
        kit.measure(targets)
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(folder):.2f} ms\n")
        print(kit.table(targets, ceiling, GOALS))


if __name__ == "__main__":
    main()
