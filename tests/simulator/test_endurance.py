"""Many authorizations and deliveries in one process; `make endurance` runs 10 000 of each."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from paraph.simulator.state.journal import MAX_BYTES
from simulator.load import Connection, Process, Receiver, authorize, order_event, repeat, simulating

COUNT = int(os.environ.get("ENDURANCE", "500"))
MEBIBYTE = 1 << 20
# Beside the journal and what it documents: codes and spent tokens, which have bounds of their own.
REST = 48 * MEBIBYTE


async def send_events(running: Process, count: int) -> float:
    """Order events and wait until all of them have arrived; the seconds it took."""
    arrived = 0
    all_there = asyncio.Event()

    def counted() -> None:
        nonlocal arrived
        arrived += 1
        if arrived >= count:
            all_there.set()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(counted), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection(running.url)
    _, _, world = await connection.ask("GET", "/_simulator/world")
    changed = json.loads(world)
    changed["apps"][0]["event_url"] = f"http://127.0.0.1:{port}/webhook"
    header = "content-type: application/json\r\n"
    status, _, response = await connection.ask(
        "PUT", "/_simulator/world", json.dumps(changed), header
    )
    assert status == 200, response
    connection.close()
    begun = loop.time()
    await repeat(count, running.url, order_event, connections=4)
    async with asyncio.timeout(600):
        await all_there.wait()
    took = loop.time() - begun
    server.close()
    assert count == arrived
    return took


@pytest.mark.slow
@pytest.mark.anyio
async def test_memory_is_bounded_and_throughput_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """However much has happened, the process has grown by no more than the documented bounds."""
    with simulating() as running:
        await repeat(50, running.url, authorize, connections=2)
        before, cpu = running.resident(), running.cpu()
        took = await repeat(COUNT, running.url, authorize, connections=8)
        authorizing = running.cpu() - cpu
        cpu = running.cpu()
        sending = await send_events(running, COUNT)
        delivering = running.cpu() - cpu
        grown = running.resident() - before
    report = (
        f"{COUNT} authorizations: {COUNT / took:.0f}/s, {authorizing / COUNT * 1000:.2f} ms of CPU"
        f" each; {COUNT} deliveries: {COUNT / sending:.0f}/s, {delivering / COUNT * 1000:.2f} ms of"
        f" CPU each; {before / MEBIBYTE:.0f} MiB grown by {grown / MEBIBYTE:.0f} MiB"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{report}\n")
    assert grown < MAX_BYTES + REST
