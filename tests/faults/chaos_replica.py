"""One replica in a chaos run. Usage: chaos_replica.py PLAN SEED.

A whole service, without its listeners, and a crowd that does everything to it at random. It runs
until SIGTERM, or until it is killed.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
from sqlalchemy import text

from paraph.errors import NeedsReauthorization, ParaphError
from paraph.events import dispatch
from paraph.lifecycle import refresh_lease
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.active_access import ActiveAccess
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.logs import set_up_logs
from paraph.operations import housekeeping, key_rotation
from paraph.remote.transport import Transport
from paraph.secret import Secret
from paraph.service.app import Service, open_service
from paraph.settings.model import Settings
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.storage.database import Database
from service_kit import PUBLIC_URL, iso, settings_for

CROWD = 6
LEASE_SECONDS = 4
# How far a removal that is clearly newer than the consent lies ahead of it.
AHEAD_SECONDS = 90


def hasten() -> None:
    """The same rules in less time: what waits minutes in production waits seconds here."""
    for function, name, value in (
        (Transport.__init__, "deadline", 1.0),
        (Refresher.__init__, "lease_seconds", LEASE_SECONDS),
    ):
        defaults = function.__kwdefaults__
        assert defaults is not None and name in defaults
        defaults[name] = value
    refresh_lease.LONGEST_WAIT = 2
    housekeeping._LONGEST_WAIT = 1
    # No notice may be given up: the host's view is compared with the store's.
    dispatch.ATTEMPTS = 1_000_000
    housekeeping.REVOCATION_ATTEMPTS = housekeeping.OWNERLESS_ATTEMPTS = 1_000_000


def settings_of(plan: dict[str, Any]) -> Settings:
    """The settings of every replica."""
    zoom = SimpleNamespace(app=SimpleNamespace(**plan["app"]), url=plan["zoom_url"])
    return settings_for(
        cast("Any", zoom),
        Path(plan["folder"]),
        database_url=plan["database_url"],
        encryption_keys=tuple(map(Secret, plan["encryption_keys"])),
        forward_url=plan["forward_url"],
        forward_secrets=(Secret("the forwarding secret of a chaos run"),),
        # So is the lease of a notice whose worker was killed.
        event_timeout=3,
    )


@dataclass
class Crowd:
    """Everybody who does something to the service."""

    plan: dict[str, Any]
    service: Service
    random: random.Random
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.context = self.service.context
        self.access = ActiveAccess(self.context, Refresher(self.context))
        self.visitor = httpx.AsyncClient(timeout=5)

    async def act(self) -> None:
        """Do one thing at random."""
        acts: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (50, self.vend),
            (25, self.expire),
            # Often enough that many are installed at any time, though two others remove them.
            (12, self.install_somebody),
            (3, self.remove),
            (3, self.deauthorize),
            (1, self.rotate),
        ]
        (act,) = self.random.choices([act for _, act in acts], [weight for weight, _ in acts])
        name = act.__name__
        try:
            await act()
            self.done[name] += 1
        except (ParaphError, httpx.HTTPError) as error:
            self.done[f"{name}: {type(error).__name__}"] += 1

    async def _somebody(self) -> Any:
        after = self.context.new_id()
        async with self.context.store.reading() as tx:
            for start in (after, ""):
                found = await tx.installations.page(
                    self.context.client.client_id, after=start, limit=1
                )
                if found:
                    return found[0]
        return None

    async def vend(self) -> None:
        """Ask for an access token, and try it."""
        one = await self._somebody()
        if one is not None:
            with suppress(NeedsReauthorization):
                access = await self.access.current(one.link.link_id)
                await self.context.resource_server.read_user(
                    access.api_server, access_token=access.access_token
                )

    async def expire(self) -> None:
        """An access token runs out, for a whole handful at once."""
        one = await self._somebody()
        if one is not None:
            await expire(self.context.store, one.grant.grant_id, self.context.now() - 1)
            await asyncio.gather(
                *(self.access.current(one.link.link_id) for _ in range(10)), return_exceptions=True
            )

    async def remove(self) -> None:
        """The host removes an installation."""
        one = await self._somebody()
        if one is not None:
            await remove_installation(self.context, one.link.link_id, reason="chaos")

    async def deauthorize(self) -> None:
        """A person removes the app at Zoom."""
        one = await self._somebody()
        if one is None:
            return
        identity = one.grant.identity
        ahead = self.random.choice([0, 0, 0, AHEAD_SECONDS])
        if ahead:
            await self._leave(identity.user_id, int(time.time()) + ahead)
        await self.visitor.post(
            f"{self.plan['zoom_url']}/_simulator/deauthorize",
            json={"client_id": identity.client_id, "user_id": identity.user_id},
        )
        payload = {
            "account_id": identity.account_id,
            "user_id": identity.user_id,
            "client_id": identity.client_id,
            "deauthorization_time": iso(time.time() + ahead),
        }
        body = json.dumps({"event": "app_deauthorized", "payload": payload}).encode()
        # No removal is later than its delivery: Zoom's clock may be ahead of this one.
        now = str(int(time.time() + ahead + 1))
        signature = sign(self.plan["app"]["webhook_secret"], now, body)
        headers = {"x-zm-signature": signature, "x-zm-request-timestamp": now}
        async with self._browser() as zoom:
            answer = await zoom.post("/webhook", content=body, headers=headers)
        assert answer.status_code in {200, 503}, answer.text

    async def rotate(self) -> None:
        """Let the newest encryption key seal, and seal everything anew."""
        await key_rotation.begin_rotation(self.context)
        await key_rotation.reseal(self.context, lambda _count: None)

    async def install_somebody(self) -> None:
        """Somebody installs the app, perhaps again."""
        await self.install(self.random.choice(self.plan["users"]))

    async def _leave(self, user_id: str, until: int) -> None:
        """Nobody consents before a time at which he has left, in any order of Zoom's own clock."""
        with self._presence(user_id).open("a") as left:
            await asyncio.to_thread(fcntl.flock, left, fcntl.LOCK_EX)
            left.truncate(0)
            left.write(str(until))

    def _presence(self, user_id: str) -> Path:
        return Path(self.plan["folder"]) / f"left-{user_id}"

    async def install(self, user_id: str) -> None:
        """The whole way through, unless that person has left."""
        with self._presence(user_id).open("a+") as left:
            await asyncio.to_thread(fcntl.flock, left, fcntl.LOCK_SH)
            left.seek(0)
            if time.time() > int(left.read() or 0):
                await self._install(user_id)

    async def _install(self, user_id: str) -> None:
        """Noted before and after."""
        self._note("begun", user_id)
        async with self._browser() as browser:
            start = await browser.get("/install")
            if start.status_code != 303:
                return
            back = await self._agree(start.headers["location"], user_id)
            answer = await browser.get(back)
            assert answer.status_code < 600 and answer.status_code != 500, answer.text
        if answer.status_code == 303:
            self._note("done", user_id)

    async def _agree(self, location: str, user_id: str) -> str:
        """Consent as somebody; who that is, is one setting of the simulator for all."""
        with (Path(self.plan["folder"]) / "consent.lock").open("w") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            order = {"auto": "approve", "user_id": user_id}
            await self.visitor.put(f"{self.plan['zoom_url']}/_simulator/consent", json=order)
            return str((await self.visitor.get(location)).headers["location"])

    def _note(self, word: str, user_id: str) -> None:
        with (Path(self.plan["folder"]) / "installs").open("a") as notes:
            notes.write(f"{word} {user_id}\n")

    def _browser(self) -> httpx.AsyncClient:
        # Everybody from an address of his own: exchanges are counted by it.
        address = ".".join(str(self.random.randrange(1, 255)) for _ in range(4))
        transport = httpx.ASGITransport(self.service.public, client=(address, 40000))
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)

    async def close(self) -> None:
        """End what is under way."""
        await self.access.close()
        await self.visitor.aclose()


async def expire(store: Any, grant_id: str, at: int) -> None:
    """Let an access token run out, behind everybody's back."""
    assert isinstance(store, Database)
    statement = text("UPDATE grants SET access_expires_at = :at WHERE grant_id = :id")
    from paraph.storage.connection import Connection
    from paraph.storage.scope import NOTHING_READ

    async with store._engine.writing([NOTHING_READ]) as connection:
        await Connection(connection).execute(statement, {"at": at, "id": grant_id})


@asynccontextmanager
async def crowd(plan: dict[str, Any], seed: int) -> AsyncIterator[Crowd]:
    """A service with everybody who uses it."""
    async with open_service(settings_of(plan)) as service:
        made = Crowd(plan, service, random.Random(seed))
        try:
            yield made
        finally:
            await made.close()


async def _live(plan: dict[str, Any], seed: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    counts = Path(plan["folder"]) / f"counts-{os.getpid()}"
    async with crowd(plan, seed) as everybody:

        async def one() -> None:
            while not stopping.is_set():
                await everybody.act()
                counts.write_text(json.dumps(everybody.done))
                await asyncio.sleep(everybody.random.random() * 0.02)

        await asyncio.gather(*(one() for _ in range(CROWD)))


async def _persevere(plan: dict[str, Any], seed: int) -> None:
    """The database may be away just now: then this replica starts a little later."""
    while True:
        try:
            return await _live(plan, seed)
        except ParaphError:
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    hasten()
    set_up_logs()
    asyncio.run(_persevere(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
