"""What each kind of 4 kB costs, relative to a usual refusal: `python bench/inputs.py`.

Every parser that a stranger reaches is given every kind of input that has been found to be
expensive somewhere: many separators, many escapes, many headers, many chunks, deep nesting. CPU
microseconds of one request, the best of many rounds, in this process and without a socket, on both
paths of both listeners. A usual refusal is a forged redirect without a cookie on the same path of
the public side, and a call without a key on the private one. The goal: none above 5 times that.

Exit code 1 if an input is above the goal.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from paraph.service.fast_routes import private_fast_routes, public_fast_routes
from service.connection_kit import Transport, connection
from service.input_kinds import PRIVATE, PUBLIC, SIZE, USUAL_PRIVATE, USUAL_PUBLIC, Input
from service_kit import running

GOAL = 5.0
ROUNDS, TIMES = 12, 12


class _Counting(Transport):
    """A socket that counts responses and keeps nothing."""

    responses = 0

    def write(self, data: bytes) -> None:
        self.responses += data.count(b"HTTP/1.1 ")


async def cost(app: Any, fast_routes: Any, one: Input) -> tuple[float, str]:
    """CPU microseconds for one request of an input, and the status of its response."""
    best, status = float("inf"), ""
    for _ in range(ROUNDS):
        spent = 0.0
        for _ in range(TIMES):
            async with connection(app, fast_routes) as (serving, transport):
                begun = time.process_time()
                for piece in one.pieces:
                    if not transport.closed:
                        serving.data_received(piece)
                for _ in range(60):
                    if transport.written:
                        break
                    await asyncio.sleep(0)
                spent += time.process_time() - begun
                status = transport.written[9:12].decode() or ("end" if transport.closed else "-")
        best = min(best, spent / TIMES / one.requests * 1e6)
    return best, status


def rows(service: Any) -> Iterator[tuple[str, Any, Any, Input, tuple[Input, ...]]]:
    """Sides and paths, each with its usual refusal."""
    yield (
        "public, fast path",
        service.public,
        public_fast_routes(service.public),
        USUAL_PUBLIC,
        PUBLIC,
    )
    yield "public, ASGI", service.public, None, USUAL_PUBLIC, PUBLIC
    yield (
        "private, fast path",
        service.private,
        private_fast_routes(service.api),
        USUAL_PRIVATE,
        PRIVATE,
    )
    yield "private, ASGI", service.private, None, USUAL_PRIVATE, PRIVATE


async def main() -> int:
    """Print the table."""
    above = 0
    from ipaddress import ip_network

    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), trusted_proxies=(ip_network("127.0.0.0/8"),)) as kit:
            gc.disable()
            print(f"Inputs of {SIZE} bytes; CPU µs of a request; goal: at most {GOAL:g} x usual\n")
            for name, app, fast_routes, usual, inputs in rows(kit.service):
                unit, _status = await cost(app, fast_routes, usual)
                print(f"{name}: a usual refusal costs {unit:.1f} µs")
                for one in inputs:
                    spent, status = await cost(app, fast_routes, one)
                    ratio = spent / unit
                    above += ratio > GOAL
                    mark = "  ABOVE" if ratio > GOAL else ""
                    print(f"  {one.name:<44} {status:>4} {spent:9.1f} {ratio:6.1f} x{mark}")
                gc.collect()
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
