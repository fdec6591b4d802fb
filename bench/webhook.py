"""Signed deliveries, kept durably by the fast lane, beside the ceiling and other receivers.

`make bench` runs it after `run.py`. Ours hands every event on as well (to nobody), as it does in
production; the peers only keep it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import kit
import service_under_load as load
from kit import Target
from nats_server import NatsServer
from paraph.storage.database import open_store
from paraph.storage.encryption import KeyRing
from postgres_server import PostgresServer
from storage import sample

GOALS = {
    "durable on SQLite": 0.45,
    "durable on PostgreSQL": 0.55,
}


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
        targets = [ceiling, *_ours(folder, stack), *_peers(folder, stack)]
        kit.measure(targets)
        print(f"{kit.machine()}; fdatasync of 4 kB: {kit.flush_millis(folder):.2f} ms\n")
        print(kit.table(targets, ceiling, GOALS))


def _ours(folder: Path, stack: ExitStack) -> list[Target]:
    targets = []
    for name, database_url, events_url in _places(stack):
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


def _places(stack: ExitStack) -> list[tuple[str, str, str]]:
    postgres, nats = PostgresServer(), NatsServer()
    stack.callback(postgres.stop)
    stack.callback(nats.stop)
    postgres.start()
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
    rivet = _rivet(folder)
    if rivet is None:
        print("peer: Zoom's Node kit (rivet) is skipped: node or npm is missing, or no network")
    else:
        port = kit.free_port()
        os.environ["BENCH_PORT"] = str(port)
        pid = stack.enter_context(kit.server(["node", str(rivet)], port))
        targets.append(Target("peer: rivet, verifies, stores nothing", port, pid, _for_rivet, 200))
    return targets


def _for_rivet() -> list[bytes]:
    """Its path is its own."""
    return [one.replace(b"POST /webhook", b"POST /zoom/events", 1) for one in load.genuine()]


def _rivet(folder: Path) -> Path | None:
    if shutil.which("npm") is None:
        return None
    place = folder / "rivet"
    place.mkdir()
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "@zoom/rivet@0.4.0"]
    if subprocess.run(command, cwd=place, check=False, capture_output=True).returncode:
        return None
    script = place / "receiver.mjs"
    shutil.copy(Path(__file__).with_name("rivet_receiver.mjs"), script)
    return script


if __name__ == "__main__":
    main()
