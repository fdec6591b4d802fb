"""Every hot path beside the ceiling, in one run. `make bench`."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import kit
import service_under_load as load
from kit import Target

GOALS = {
    "forged webhook, refused by its headers": 0.95,
    "forged webhook, refused by its MAC": 0.85,
    "forged redirect, no I/O": 0.80,
}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        ceiling_port = kit.free_port()
        ceiling_pid = stack.enter_context(
            kit.server(kit.uvicorn_command("ceiling:application", ceiling_port), ceiling_port)
        )
        service = stack.enter_context(load.running_service(folder))
        ceiling = Target(
            "ceiling: raw ASGI that answers 200",
            ceiling_port,
            ceiling_pid,
            load.forged_by_key,
            200,
        )
        targets = [
            ceiling,
            Target(
                "forged webhook, refused by its headers",
                service.port,
                service.pid,
                load.forged_by_shape,
                401,
            ),
            Target(
                "forged webhook, refused by its MAC",
                service.port,
                service.pid,
                load.forged_by_key,
                401,
            ),
            Target(
                "forged redirect, no I/O", service.port, service.pid, load.forged_redirects, 400
            ),
            Target("verified webhook", service.port, service.pid, load.genuine, 200),
        ]
        kit.measure(targets)
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(folder):.2f} ms\n")
        print(kit.table(targets, ceiling, GOALS))


if __name__ == "__main__":
    main()
