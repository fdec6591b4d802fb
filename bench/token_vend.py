"""Vending access tokens over HTTP: the ceiling, the service, and what is usually written.

`python bench/token_vend.py`. Every vend proves the installation active: the service asks its
database each time, as the peer does, and vends nothing from memory.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import kit
import service_under_load as load
from kit import Target
from paraph.lifecycle.api_key import create_key
from paraph.lifecycle.context import Context
from paraph.model.grant import Grant, Tokens, ZoomIdentity
from paraph.model.link import Link
from paraph.model.phase import Phase
from paraph.secret import Secret
from paraph.service.context import open_context
from paraph.settings.loading import load_settings
from postgres_server import PostgresServer

INSTALLATIONS = 2_000
SQLITE, POSTGRESQL = "vend, SQLite", "vend, PostgreSQL"
WRITTEN_TO = "vend, SQLite, while others write to it"
GOALS = {SQLITE: 0.65, POSTGRESQL: 0.50, WRITTEN_TO: 0.65}
FEW_CONNECTIONS = 8
# A commit of another connection, after which nothing that was read may be believed.
WRITE_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Installed:
    """What the load needs: a key, and installations with their subjects."""

    key: str
    pairs: Sequence[tuple[str, str]]

    def requests(self) -> Sequence[bytes]:
        """A vend for each installation."""
        return [
            kit.request(
                "POST",
                f"/v1/installations/{installation_id}/access-token",
                [("authorization", f"Bearer {self.key}"), ("content-type", "application/json")],
                b'{"subject":"%s"}' % subject.encode(),
            )
            for installation_id, subject in self.pairs
        ]


def access_token(number: int) -> str:
    """As long as Zoom's are."""
    return f"eyJzdiI6IjAwMDAwMSIsImFsZyI6IkhTNTEyIn0.{number:0640d}.{'s' * 86}"


def fill(settings_file: Path) -> Installed:
    """Installations in the service's own database, as installing leaves them."""

    async def run() -> Installed:
        async with open_context(load_settings(settings_file)) as (context, _readiness):
            return await fill_context(context)

    return asyncio.run(run())


async def fill_context(
    context: Context, count: int = INSTALLATIONS, *, first: int = 0
) -> Installed:
    """The same, in an open store: so many, numbered from `first`."""
    now = int(time.time())
    pairs = []
    async with context.store.transaction() as tx:
        for number in range(first, first + count):
            grant_id, link_id = context.new_id(), context.new_id()
            subject = f"tenant-{number % 40}:user-{number}"
            tokens = Tokens(
                access_token=Secret(access_token(number)),
                refresh_token=Secret(access_token(number)[::-1]),
                access_expires_at=now + 86_400,
                scopes=frozenset({"user:read:user", "meeting:read:meeting"}),
                api_server="https://api.zoom.us",
                received_at=now,
                zoom_time=now,
            )
            identity = ZoomIdentity(context.client.client_id, load.ACCOUNT, f"user{number}")
            await tx.grants.add(
                Grant(
                    grant_id=grant_id,
                    identity=identity,
                    phase=Phase.ACTIVE,
                    tokens=tokens,
                    token_version=1,
                    email=f"user{number}@example.com",
                    display_name=f"User {number}",
                    granted_at=now,
                    granted_zoom_time=now,
                )
            )
            link = Link(link_id, grant_id, identity.client_id, subject, Phase.ACTIVE, (), now)
            await tx.links.add(replace(link, confirmed_at=now))
            pairs.append((link_id, subject))
    key = await create_key(context, label="bench", scopes=["vend"])
    return Installed(key.reveal(), pairs)


def service_target(stack: ExitStack, folder: Path, name: str, database_url: str) -> Target:
    """`paraph serve` on one core."""
    folder.mkdir()
    running = stack.enter_context(load.running_service(folder, database_url))
    installed = fill(folder / "paraph.toml")
    return Target(name, running.private_port, running.pid, installed.requests, 200)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="paraph-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        postgres = PostgresServer(durable=True)
        stack.callback(postgres.stop)
        postgres.start()
        targets = [
            service_target(stack, folder / "sqlite", SQLITE, ""),
            service_target(stack, folder / "written", WRITTEN_TO, ""),
            service_target(stack, folder / "postgresql", POSTGRESQL, postgres.create_database()),
        ]
        targets[1].beside = stack.enter_context(writer(folder / "written" / "paraph.db"))
        ours = list(targets)
        port = kit.free_port()
        pid = stack.enter_context(
            kit.server(kit.uvicorn_command("ceiling:application", port), port)
        )
        ceiling = Target("ceiling: raw ASGI that answers 200", port, pid, targets[0].requests, 200)
        port = kit.free_port()
        pid = stack.enter_context(
            kit.server(kit.uvicorn_command("peer_vend:application", port), port)
        )
        targets.append(
            Target("peer: FastAPI, ORM session, Fernet, OAuth library", port, pid, _peer, 200)
        )
        targets.insert(0, ceiling)
        kit.measure(targets)
        print(f"{kit.machine()}\n")
        print(kit.table(targets, ceiling, GOALS))
        print(f"\n| path, {FEW_CONNECTIONS} connections | p99 ms | goal |\n|---|--:|--:|")
        for target in [ceiling, *ours]:
            rounds = [kit.run_round(target, connections=FEW_CONNECTIONS) for _ in range(3)]
            p99 = statistics.median(one.p99 * 1000 for one in rounds)
            print(f"| {target.name} | {p99:.2f} | {'' if target is ceiling else '≤ 1.50'} |")


@contextmanager
def writer(database: Path) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Somebody else who commits to the file, so that each vend reads its row anew.

    Gives what lets it work for the length of a block: it rests while others are measured.
    """
    process = subprocess.Popen([sys.executable, __file__, "write", str(database)])
    process.send_signal(signal.SIGSTOP)

    @contextmanager
    def working() -> Iterator[None]:
        process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            process.send_signal(signal.SIGSTOP)

    try:
        yield working
    finally:
        process.kill()
        process.wait()


def write(database: str) -> None:
    """The one who commits."""
    connection = sqlite3.connect(database, timeout=10, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    while True:
        connection.execute("UPDATE api_keys SET label = label")
        time.sleep(WRITE_SECONDS)


def _peer() -> Sequence[bytes]:
    return [
        kit.request(
            "POST",
            f"/installations/{number}/access-token",
            [("authorization", "Bearer bench-peer-key"), ("content-type", "application/json")],
            b'{"subject":"tenant-%d:user-%d"}' % (number % 40, number),
        )
        for number in range(INSTALLATIONS)
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(sys.argv[2])
    else:
        main()
