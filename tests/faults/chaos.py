"""A chaos run: replicas, a crowd, and everything that can go wrong; then the books are compared.

python tests/faults/chaos.py --seed 7 --seconds 600 --database postgresql
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.chaos_replica import Crowd, crowd, expire, hasten
from faults.notice_host import NoticeHost
from paraph.errors import (
    BeingDecided,
    NeedsReauthorization,
    PeerUnavailable,
    ResourceErrorResponse,
    StorageError,
    TransportError,
)
from paraph.lifecycle.audit import walk_chain
from paraph.model.phase import Phase
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import User
from pgbouncer import PgBouncer
from postgres_server import PostgresServer
from service_kit import simulated_zoom

# Where a replica's script finds what it shares with the tests.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
REPLICAS = 4
SETTLE_SECONDS = 90
SET_UP_ROUNDS = 5
# How often a replica that takes a killed one's place brings a new encryption key.
NEW_KEY = 0.1
# Names of PostgreSQL behind PgBouncer: its mode, and connections to the server.
POOLERS = {
    f"{mode}-{pool}": (mode, pool) for mode in ("transaction", "session") for pool in (4, 20)
}
DATABASES = ["sqlite", "postgresql", *POOLERS]
FAULTS: dict[str, dict[str, Any]] = {
    "token_unavailable": {"times": 3},
    "token_reset": {"times": 2},
    "token_cut": {"times": 1},
    "token_html": {"times": 1},
    "token_slow": {"times": 3, "seconds": 0.4},
    "revoke_unavailable": {"times": 2},
    "user_unavailable": {"times": 2},
}


@dataclass
class Chaos:
    """One run.

    Args:
        seed: decides what is done, though not when it happens.
        seconds: of chaos; setting up and comparing come on top.
    """

    seed: int
    seconds: float
    installations: int
    database: str
    folder: Path
    zoom: SimulatedZoom
    server: PostgresServer | None
    pooler: PgBouncer | None
    host: NoticeHost
    happened: Counter[str] = field(default_factory=Counter)
    replicas: list[subprocess.Popen[bytes]] = field(default_factory=list)
    logs: dict[int, Path] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Everything; what is given back is what was found."""
        hasten()
        self.random = random.Random(self.seed)
        first = self.first_plan()
        asyncio.run(self.set_up(first))
        path = self.folder / "plan.json"
        path.write_text(json.dumps(first))
        self._add_key(path)
        self._rage(path)
        self.zoom.simulator.faults.clear()
        return asyncio.run(self._compare(json.loads(path.read_text())))

    @staticmethod
    def _add_key(path: Path) -> None:
        """A new key, for whoever starts from now on; it can turn when all of them hold it."""
        plan = json.loads(path.read_text())
        plan["encryption_keys"].insert(0, new_encryption_key())
        path.with_suffix(".new").write_text(json.dumps(plan))
        path.with_suffix(".new").replace(path)

    def first_plan(self) -> dict[str, Any]:
        """What every replica is told; with one encryption key for now."""
        app = self.zoom.app
        return {
            "folder": str(self.folder),
            "zoom_url": self.zoom.url,
            "app": {
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "webhook_secret": app.webhook_secret,
            },
            "database_url": self._database_url(),
            "encryption_keys": [new_encryption_key()],
            "forward_url": self.host.url,
            "users": [user.id for user in self.zoom.world.users],
        }

    def _database_url(self) -> str:
        if self.server is None:
            return f"sqlite:///{self.folder / 'paraph.db'}"
        url = self.server.url("postgres")
        return url if self.pooler is None else self.pooler.url(url)

    async def set_up(self, plan: dict[str, Any]) -> None:
        """Install the app for as many people as are wanted."""
        async with crowd(plan, self.seed) as everybody:
            missing = set(plan["users"][: self.installations])
            # Each once; on a busy machine the short timeouts of this run end some installs.
            for _ in range(SET_UP_ROUNDS):
                for user_id in sorted(missing):
                    await everybody.install(user_id)
                async with everybody.context.store.reading() as tx:
                    found = await tx.installations.page(plan["app"]["client_id"], limit=1000)
                missing -= {one.grant.identity.user_id for one in found}
                if not missing:
                    return
        raise AssertionError(f"not installed after {SET_UP_ROUNDS} rounds: {len(missing)}")

    def _rage(self, plan: Path) -> None:
        end = time.monotonic() + self.seconds
        try:
            for _ in range(REPLICAS):
                self._start(plan)
            while time.monotonic() < end:
                time.sleep(self.random.uniform(0.3, 2.0))
                self._strike(plan)
        finally:
            for replica in self.replicas:
                replica.terminate()
            for replica in self.replicas:
                try:
                    replica.wait(40)
                except subprocess.TimeoutExpired:
                    replica.kill()
                    self.happened["replica did not end"] += 1
        for place in self.folder.glob("counts-*"):
            # Empty where the replica was killed while it wrote.
            self.happened.update(json.loads(place.read_text() or "{}"))

    def _start(self, plan: Path) -> None:
        script = Path(__file__).with_name("chaos_replica.py")
        # A log for each, so that the last lines of one that ended by itself say why.
        number = len(list(self.folder.glob("log-*")))
        with (self.folder / f"log-{number}").open("wb") as log:
            replica = subprocess.Popen(
                [sys.executable, str(script), str(plan), str(self.random.getrandbits(32))],
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
            )
        self.replicas.append(replica)
        self.logs[replica.pid] = self.folder / f"log-{number}"

    def _strike(self, plan: Path) -> None:
        for replica in self.replicas:
            # None ends by itself before it is told to.
            log = self.logs[replica.pid]
            assert replica.poll() is None, f"{log.name}: {log.read_text()[-3000:]}"
        choice = self.random.random()
        if choice < 0.3:
            victim = self.replicas.pop(self.random.randrange(len(self.replicas)))
            victim.kill()
            victim.wait()
            if self.random.random() < NEW_KEY:
                self._add_key(plan)
            self._start(plan)
            self.happened["kill -9"] += 1
        elif choice < 0.4 and self.server is not None:
            self.server.kill()
            self.server.start()
            self.happened["database restarted"] += 1
        elif choice < 0.5 and self.pooler is not None:
            self.pooler.kill()
            self.pooler.start()
            self.happened["pooler restarted"] += 1
        else:
            name = self.random.choice(sorted(FAULTS))
            self.zoom.simulator.faults.switch_on(name, FAULTS[name])
            self.happened[name] += 1

    async def _compare(self, plan: dict[str, Any]) -> dict[str, Any]:
        async with crowd(plan, self.seed) as everybody:
            await _settle(everybody)
            ends = Counter[str]()
            async with everybody.context.store.reading() as tx:
                found = await tx.installations.page(plan["app"]["client_id"], limit=10_000)
            for one in found:
                await expire(everybody.context.store, one.grant.grant_id, 0)
            for one in found:
                ends[await _end_of(everybody, one.link.link_id)] += 1
            await _settle(everybody)
            problems = [*await self._problems(everybody), *await self._told(everybody)]
            verdict = await walk_chain(everybody.context.store)
            async with everybody.context.store.reading() as tx:
                turns = len(await tx.key_rotations.all())
        if verdict.broken_at is not None:
            problems.append(f"the audit chain is broken at {verdict.broken_at}: {verdict.why}")
        return {
            "seed": self.seed,
            "happened": dict(sorted(self.happened.items())),
            "ends": dict(ends),
            "audit_entries": verdict.entries,
            "key_turns": turns,
            "problems": problems,
        }

    async def _told(self, everybody: Crowd) -> list[str]:
        """Where the host, which knows notices alone, and the store do not agree."""
        client_id = everybody.context.client.client_id
        async with everybody.context.store.reading() as tx:
            found = await tx.installations.page(client_id, limit=10_000)
            dead = [one for one in await tx.events.page(limit=10_000) if one.status == "dead"]
        store = {one.grant.identity.user_id: (one.link.link_id, one.phase.value) for one in found}
        view = self.host.view()
        problems = [f"a dead letter: {one.name}: {one.failure}" for one in dead]
        problems += [
            f"{user}: the host believes {view.get(user)}, the store holds {store.get(user)}"
            for user in view.keys() | store.keys()
            if view.get(user) != store.get(user)
        ]
        problems += self.host.problems()
        self.happened.update(self.host.happened)
        return problems

    async def _problems(self, everybody: Crowd) -> list[str]:
        """Where the simulator's and the store's books do not agree."""
        interrupted = self._interrupted()
        ledger = {user: grant for (_, user), grant in self.zoom.simulator.ledger.grants.items()}
        async with everybody.context.store.reading() as tx:
            client_id = everybody.context.client.client_id
            grants = [
                grant
                for account_id in {user.account_id for user in self.zoom.world.users}
                for grant in await tx.grants.in_account(client_id, account_id)
            ]
        problems = []
        users = Counter(grant.identity.user_id for grant in grants)
        problems += [f"two rows for {user}" for user, count in users.items() if count > 1]
        for grant in grants:
            user = grant.identity.user_id
            live = ledger.pop(user, None)
            tokens = grant.tokens
            if grant.phase is Phase.NEEDS_REAUTHORIZATION:
                if not grant.reason:
                    problems.append(f"{user} needs reauthorization without a cause")
            elif grant.phase is not Phase.ACTIVE:
                problems.append(f"{user} is {grant.phase}")
            elif live is None:
                problems.append(f"{user} has tokens that Zoom does not know")
            elif (live.access_token, live.refresh_token) != (
                tokens.access_token.reveal(),
                tokens.refresh_token and tokens.refresh_token.reveal(),
            ):
                problems.append(f"{user} has other tokens than Zoom's")
        for user, live in ledger.items():
            if user in interrupted:
                # Killed between Zoom's answer and the first row: nobody holds these tokens.
                self.happened["consents lost in a crash"] += 1
            elif not self._was_presented(live.access_token):
                # The answer to a refresh was lost, and the app removed before anybody noticed:
                # what the removal revokes is a set that is dead already.
                self.happened["rotations lost before a removal"] += 1
            else:
                problems.append(f"{user} is alive at Zoom and not in the store")
        return problems

    def _was_presented(self, token: str) -> bool:
        """Whether anybody ever came to Zoom with a token."""
        return any(
            token in value
            for entry in self.zoom.journal()
            for _, value in (*entry["headers"], *entry["form"])
        )

    def _interrupted(self) -> set[str]:
        begun, done = Counter[str](), Counter[str]()
        for line in (self.folder / "installs").read_text().splitlines():
            word, _, user = line.partition(" ")
            (begun if word == "begun" else done)[user] += 1
        return {user for user, count in begun.items() if count > done[user]}


async def _settle(everybody: Crowd) -> None:
    """Wait until nothing is left to be done."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        now = everybody.context.now() + 3600
        async with everybody.context.store.reading() as tx:
            events = await tx.events.page(limit=10_000)
            left = [
                *(event.name for event in events if event.status == "received"),
                *(["revocation"] * len(await tx.revocations.due(now=now, limit=100))),
                *(["ownerless"] * len(await tx.ownerless.due(now=now, limit=100))),
            ]
        if not left:
            return
        assert time.monotonic() < deadline, Counter(left)
        await asyncio.sleep(0.2)


async def _end_of(everybody: Crowd, installation_id: str) -> str:
    """How an installation came out of it: it works, or it says why it does not."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            access = await everybody.access.current(installation_id)
            try:
                await everybody.context.resource_server.read_user(
                    access.api_server, access_token=access.access_token
                )
            except ResourceErrorResponse:
                await everybody.access.renew(access)
                continue
        except NeedsReauthorization:
            return "needs reauthorization"
        except (PeerUnavailable, TransportError, BeingDecided, StorageError):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        else:
            return "works"


@contextmanager
def prepared(*, seed: int, seconds: float, installations: int, database: str) -> Iterator[Chaos]:
    """A Zoom with people, a database, and a folder; all of it goes at the end."""
    zoom = simulated_zoom()
    first = zoom.world.users[0]
    zoom.world.users.extend(
        User(id=f"chaos{number:017}", account_id=first.account_id,
             email=f"chaos{number}@example.com", display_name=f"Person {number}")
        for number in range(installations + installations // 4)
    )  # fmt: skip
    zoom.app.event_url = zoom.app.deauthorization_url = ""
    with ExitStack() as stack:
        stack.callback(zoom.stop)
        server = pooler = None
        if database != "sqlite":
            server = PostgresServer()
            stack.callback(server.stop)
            server.start()
        if server is not None and database in POOLERS:
            mode, pool = POOLERS[database]
            pooler = PgBouncer(server, mode=mode, pool=pool)
            stack.callback(pooler.stop)
            pooler.start()
        host = NoticeHost(seed)
        stack.callback(host.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paraph-chaos-")))
        yield Chaos(seed, seconds, installations, database, folder, zoom, server, pooler, host)


def main() -> None:
    """Run once, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--installations", type=int, default=200)
    parser.add_argument("--database", choices=DATABASES, default="postgresql")
    with prepared(**vars(parser.parse_args())) as chaos:
        found = chaos.run()
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    sys.exit(1 if found["problems"] else 0)


if __name__ == "__main__":
    main()
