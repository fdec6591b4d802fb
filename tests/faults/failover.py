"""A failover under load: the primary is killed, and ten seconds later another server answers.

The standby has every committed transaction (synchronous replication, as hosting providers run
it). It takes over under the primary's address, or under its own one in a URL with both. Two
replicas receive deliveries and installs all the while; then the books are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from faults.crash import Host, listening
from paraph.secret import Secret
from paraph.service.app import Service, open_service
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import User
from paraph.simulator.webhooks.webhook_sender import sign
from postgres_server import PostgresServer
from service_kit import ACCOUNT, PUBLIC_URL, agree_as, settings_for, simulated_zoom

GAP_SECONDS = 10
BEFORE_SECONDS, AFTER_SECONDS = 4, 8
# Zoom's own deadline for a delivery.
ANSWER_SECONDS = 3
SETTLE_SECONDS = 60


class Standby(PostgresServer):
    """A server that follows another one, and can take its place."""

    def follow(self, primary: PostgresServer) -> None:
        """Copy the primary and stream from it; return when commits there wait for this server."""
        self._run("pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "paraph",
                  "-D", str(self.data), "-R", "-X", "stream", "--checkpoint=fast")  # fmt: skip
        self.start()
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        while not primary.ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"):
            time.sleep(0.05)

    def promote(self) -> None:
        """Become a primary at the same address."""
        self.ask("SELECT pg_promote()")

    def replace(self, primary: PostgresServer) -> None:
        """Become a primary at the address of a server that was killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        (self.data / "standby.signal").unlink()
        self.port = primary.port
        self._launch()


@dataclass
class Books:
    """Sent and begun on one side; kept, forwarded and installed on the other."""

    answers: Counter[str] = field(default_factory=Counter)
    sent: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    kept: Counter[str] = field(default_factory=Counter)
    forwarded: Counter[str] = field(default_factory=Counter)
    begun: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    installed: set[str] = field(default_factory=set)
    install_answers: Counter[str] = field(default_factory=Counter)
    outage_seconds: float = 0.0

    def problems(self) -> list[str]:
        """Every disagreement."""
        found = [f"never accepted: {one}" for one in self.sent - self.accepted]
        found += [f"{self.kept[one]} rows: {one}" for one in self.sent if self.kept[one] != 1]
        found += [f"not forwarded: {one}" for one in self.sent if not self.forwarded[one]]
        found += [f"begun and not finished: {one}" for one in self.begun - self.finished]
        found += [f"finished and not installed: {one}" for one in self.finished - self.installed]
        return found

    def text(self) -> str:
        """The books as lines."""
        sent, accepted, kept = len(self.sent), len(self.accepted), sum(self.kept.values())
        begun, finished, installed = len(self.begun), len(self.finished), len(self.installed)
        forwarded = len(self.forwarded)
        return "\n".join(
            [
                f"deliveries: {sent=} {accepted=} {kept=} {forwarded=}",
                f"  answers {dict(self.answers)}",
                f"installs: {begun=} {finished=} {installed=}",
                f"  answers {dict(self.install_answers)}",
                f"seconds without a delivery accepted: {self.outage_seconds:.1f}",
            ]
        )


class Load:
    """Deliveries and installs to replicas that a balancer would choose from."""

    def __init__(self, zoom: SimulatedZoom, services: list[Service], books: Books) -> None:
        self._zoom = zoom
        self._services = services
        self._books = books
        self._consent = asyncio.Lock()
        self._enough = asyncio.Event()
        self._last_accepted = time.monotonic()

    def finish(self) -> None:
        """Begin nothing new; what was begun is seen through."""
        self._enough.set()

    def _browser(self) -> httpx.AsyncClient:
        # Everybody from an address of his own: exchanges are limited by it.
        address = ".".join(str(random.randrange(1, 255)) for _ in range(4))
        service = random.choice(self._services)
        transport = httpx.ASGITransport(service.public, client=(address, 40000))
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)

    async def run(self) -> None:
        """Begin twenty deliveries and two installs a second until `finish`."""
        number = 0
        async with asyncio.TaskGroup() as group:
            while not self._enough.is_set():
                group.create_task(self._deliver(number))
                if number % 10 == 0:
                    group.create_task(self._install(self._zoom.world.users[number // 10].id))
                number += 1
                await asyncio.sleep(0.05)

    async def _deliver(self, number: int) -> None:
        """Send one event until it is accepted, as Zoom does, only sooner."""
        books = self._books
        content = {
            "event": "meeting.ended",
            "event_ts": int(time.time() * 1000),
            "payload": {"account_id": ACCOUNT, "object": {"uuid": str(number)}},
        }
        body, at = json.dumps(content).encode(), str(int(time.time()))
        client_id = self._zoom.app.client_id.encode()
        digest = hashlib.sha256(len(client_id).to_bytes(4, "big") + client_id + body).hexdigest()
        headers = {
            "x-zm-signature": sign(self._zoom.app.webhook_secret, at, body),
            "x-zm-request-timestamp": at,
        }
        books.sent.add(digest)
        while digest not in books.accepted:
            status = "none in 3 s"
            async with self._browser() as sender:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_SECONDS):
                        answer = await sender.post("/webhook", content=body, headers=headers)
                        status = str(answer.status_code)
            books.answers[status] += 1
            if status == "200":
                now = time.monotonic()
                books.outage_seconds = max(books.outage_seconds, now - self._last_accepted)
                self._last_accepted = now
                books.accepted.add(digest)
            else:
                assert status in ("503", "none in 3 s")
                await asyncio.sleep(2)

    async def _install(self, user_id: str) -> None:
        """One person: reloads the page where it says so, and begins again where it says so."""
        books = self._books
        books.begun.add(user_id)
        async with self._browser() as browser:
            for _ in range(10):
                start = await browser.get("/install")
                back = await self._agree(start.headers["location"], user_id)
                for _ in range(30):
                    answer = await browser.get(back)
                    books.install_answers[str(answer.status_code)] += 1
                    # A busy simulator may close an idle connection as a request is sent on it.
                    if answer.status_code != 503 or "Zoom could not be reached" in answer.text:
                        break
                    # The second page is for a commit that the killed server did not confirm.
                    assert any(
                        advice in answer.text
                        for advice in ("Reload this page", "Load this page again")
                    ), answer.text
                    await asyncio.sleep(1)
                if answer.status_code == 303:
                    books.finished.add(user_id)
                    return

    async def _agree(self, location: str, user_id: str) -> str:
        # Who consents is one setting of the simulator for all.
        async with self._consent, httpx.AsyncClient() as visitor:
            agree_as(self._zoom, user_id)
            return str((await visitor.get(location)).headers["location"])


@asynccontextmanager
async def _replicas(
    zoom: SimulatedZoom, folder: Path, database_url: str, host_port: int
) -> AsyncIterator[list[Service]]:
    settings = settings_for(
        zoom,
        folder,
        database_url=database_url,
        forward_url=f"http://127.0.0.1:{host_port}/",
        forward_secrets=(Secret("the forwarding secret of a failover"),),
        event_timeout=5,
    )
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_service(settings)) for _ in range(2)]


async def run(folder: Path, *, with_both_hosts: bool) -> Books:
    """One failover; the books of it."""
    zoom = simulated_zoom()
    people = [f"failover{number:014}" for number in range(200)]
    account_id = zoom.world.users[0].account_id
    zoom.world.users[:] = [
        User(id=one, account_id=account_id, email=f"{one}@example.com", display_name="A person")
        for one in people
    ]
    zoom.app.event_url = zoom.app.deauthorization_url = ""
    primary, standby = PostgresServer(), Standby()
    try:
        await asyncio.to_thread(primary.start)
        await asyncio.to_thread(standby.follow, primary)
        url = primary.url("postgres")
        if with_both_hosts:
            url = url.replace("/postgres", f",127.0.0.1:{standby.port}/postgres")
        host = Host()
        take_over = standby.promote if with_both_hosts else partial(standby.replace, primary)
        async with listening(host) as port, _replicas(zoom, folder, url, port) as services:
            return await _campaign(zoom, services, host, primary, take_over)
    finally:
        primary.stop()
        standby.stop()
        zoom.stop()


async def _campaign(
    zoom: SimulatedZoom,
    services: list[Service],
    host: Host,
    primary: PostgresServer,
    take_over: Callable[[], None],
) -> Books:
    books = Books()
    load = Load(zoom, services, books)
    # Events of an account are kept once it has installed the app.
    await load._install(zoom.world.users[-1].id)
    working = asyncio.create_task(load.run())
    await asyncio.sleep(BEFORE_SECONDS)
    await asyncio.to_thread(primary.kill)
    await asyncio.sleep(GAP_SECONDS / 2)
    assert [503] * len(services) == [await _readiness(one) for one in services]
    await asyncio.sleep(GAP_SECONDS / 2)
    await asyncio.to_thread(take_over)
    await asyncio.sleep(AFTER_SECONDS)
    load.finish()
    await working
    assert [200] * len(services) == [await _readiness(one) for one in services]
    await _settle(services[0], host, books)
    return books


async def _readiness(service: Service) -> int:
    transport = httpx.ASGITransport(service.public)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as platform:
        return (await platform.get("/readyz")).status_code


async def _settle(service: Service, host: Host, books: Books) -> None:
    """Wait until everything kept is forwarded, and fill in our side of the books."""
    store: Any = service.context.store
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        async with store.reading() as tx:
            waiting = (await tx.events.backlog()).waiting
        if not waiting or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    async with store.reading() as tx:
        rows = [one for one in await tx.events.page(limit=100_000) if not one.notice]
        found = await tx.installations.page(service.context.client.client_id, limit=1_000)
    books.kept = Counter(one.event_id for one in rows)
    books.forwarded = Counter({one: n for one, n in host.handed_on.items() if one in books.sent})
    books.installed = {one.grant.identity.user_id for one in found}
