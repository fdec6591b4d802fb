"""Signed deliveries, kept durably by the fast path, beside the ceiling and other receivers.

`make bench` runs it after `run.py`. Ours also marks every event as delivered, as it does in
production; the peers only keep it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import kit
import service_under_load as load
from kit import Target
from nats_server import NatsServer
from paraph.sealing.key_ring import KeyRing
from paraph.storage.database import open_store
from postgres_server import PostgresServer
from storage import sample

SQLITE, POSTGRESQL = "durable on SQLite", "durable on PostgreSQL"
CORE, EXPRESS = "peer: FastAPI, SQLAlchemy Core, durable", "peer: express, pg, durable"
RIVET = "peer: rivet, verifies, stores nothing"
_NODE = {
    EXPRESS: ("express_receiver.mjs", ["express@5.3.0", "pg@8.23.1"]),
    RIVET: ("rivet_receiver.mjs", ["@zoom/rivet@0.4.0"]),
}
GOALS = {SQLITE: 0.45, POSTGRESQL: 0.55}
AGAINST = [
    (SQLITE, CORE, 15.0),
    (POSTGRESQL, CORE, 15.0),
    (POSTGRESQL, EXPRESS, 7.0),
    (SQLITE, RIVET, 1.5),
    (POSTGRESQL, RIVET, 1.5),
]


def main() -> None:
    """Measure and print."""
    # Databases and the generator beside the server, not on its core; servers are moved to theirs.
    os.sched_setaffinity(0, {kit.LOAD_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        port = kit.free_port()
        pid = stack.enter_context(
            kit.server(kit.uvicorn_command("ceiling:application", port), port)
        )
        ceiling = Target("ceiling: raw ASGI that answers 200", port, pid, load.forged_by_key, 200)
        postgres = PostgresServer(durable=True)
        stack.callback(postgres.stop)
        postgres.start()
        targets = [
            ceiling,
            *_ours(folder, stack, postgres),
            *_peers(folder, stack),
            *_node_peers(folder, stack, postgres),
        ]
        kit.measure(targets)
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(folder):.2f} ms\n")
        print(kit.table(targets, ceiling, GOALS))
        print()
        print(kit.comparison(targets, AGAINST))


def _ours(folder: Path, stack: ExitStack, postgres: PostgresServer) -> list[Target]:
    targets = []
    for name, database_url, events_url in _places(stack, postgres):
        place = folder / name
        place.mkdir()
        service = stack.enter_context(
            load.running_service(place, database_url, events_url=events_url)
        )
        url = database_url or f"sqlite:///{place / 'paraph.db'}"
        asyncio.run(install(url, service.key))
        targets.append(Target(f"durable on {name}", service.port, service.pid, load.genuine, 200))
    return targets


async def install(database_url: str, key: str) -> None:
    """An installation of the account that the deliveries name."""
    store = await open_store(database_url, KeyRing.parse([key]), randomness=os.urandom)
    async with store.transaction() as tx:
        grant = sample.grant()
        identity = replace(grant.identity, client_id=load.CLIENT_ID, account_id=load.ACCOUNT)
        await tx.grants.add(replace(grant, identity=identity))
    await store.close()


def _places(stack: ExitStack, postgres: PostgresServer) -> list[tuple[str, str, str]]:
    nats = NatsServer()
    stack.callback(nats.stop)
    nats.start()
    return [
        ("SQLite", "", ""),
        ("PostgreSQL", postgres.create_database(), ""),
        ("JetStream, flushed", "", nats.events_url),
    ]


def _peers(folder: Path, stack: ExitStack) -> list[Target]:
    targets = []
    os.environ["BENCH_SECRET"] = load.WEBHOOK_SECRET
    for application, name in (("core", "SQLAlchemy Core"), ("orm", "SQLAlchemy ORM")):
        os.environ["BENCH_FILE"] = str(folder / f"{application}.db")
        port = kit.free_port()
        command = kit.uvicorn_command(f"peer_receivers:{application}", port)
        pid = stack.enter_context(kit.server(command, port))
        label = f"peer: FastAPI, {name}, durable"
        targets.append(Target(label, port, pid, load.genuine, 200))
    return targets


def _node_peers(folder: Path, stack: ExitStack, postgres: PostgresServer) -> list[Target]:
    """What teams write in Node: Zoom's kit, and express with a commit for each event."""
    peers: list[tuple[str, Callable[[], Sequence[bytes]]]] = [
        (EXPRESS, load.genuine),
        (RIVET, _for_rivet),
    ]
    targets = []
    os.environ["BENCH_DATABASE"] = postgres.create_database(empty=True)
    for label, requests in peers:
        receiver = installed_receiver(folder, label)
        if receiver is None:
            print(f"{label} is skipped: node or npm is missing, or no network")
            continue
        port = kit.free_port()
        os.environ["BENCH_PORT"] = str(port)
        pid = stack.enter_context(kit.server(["node", str(receiver)], port))
        targets.append(Target(label, port, pid, requests, 200))
    return targets


def _for_rivet() -> list[bytes]:
    """Its path is its own."""
    return [one.replace(b"POST /webhook", b"POST /zoom/events", 1) for one in load.genuine()]


def installed_receiver(folder: Path, label: str) -> Path | None:
    """Install a receiver for Node; None where node, npm or the network is missing."""
    script, packages = _NODE[label]
    if shutil.which("npm") is None:
        return None
    place = folder / script.partition(".")[0]
    place.mkdir()
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", *packages]
    if subprocess.run(command, cwd=place, check=False, capture_output=True).returncode:
        return None
    return Path(shutil.copy(Path(__file__).with_name(script), place / script))


if __name__ == "__main__":
    main()
