"""Two replicas behind nginx, one sender of deliveries, people who install, and a host product."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import httpx

from end_to_end.nginx import certificate, run_nginx
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.engine import Consent
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import User
from paraph.simulator.webhooks.webhook_sender import sign
from ports import reserve_ports
from private_file import write_private
from service_kit import ACCOUNT, simulated_zoom

PEOPLE = 120
# A person reads the consent page: most flows begin at one replica and end at another.
READING_SECONDS = 2.0

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream paraph {{
    server 127.0.0.1:{first} max_fails=0;
    server 127.0.0.1:{second} max_fails=0;
    {keepalive}
  }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    location / {{
      proxy_pass http://paraph;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_connect_timeout 3s;
      proxy_next_upstream error timeout;
    }}
  }}
}}
"""


@dataclass
class Books:
    """The books of one run."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kept: int = 0
    forwarded: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    installed: int = 0

    def __str__(self) -> str:
        return (
            f"deliveries: {self.sent} sent, {dict(self.statuses)} answered, {self.kept} kept, "
            f"{len(self.forwarded)} forwarded ({self.forwarded.total()} times); "
            f"installs: {self.begun} begun, {dict(self.ends)} ended, {self.installed} kept"
        )


class Replica:
    """One process of the service, over several lives."""

    def __init__(self, folder: Path, settings: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._command = [
            *(sys.executable, "-m", "paraph.cli.main", "serve", "--config", str(settings))
        ]
        kept = {name: v for name, v in os.environ.items() if not name.startswith("PARAPH_")}
        self._environment = {**kept, "PARAPH_PUBLIC_BIND": f"127.0.0.1:{port}"}
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self._folder / f"{self.port}.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - A start takes no time.
                self._command, env=self._environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as http:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"http://127.0.0.1:{self.port}/readyz")).is_success:
                        return
                await asyncio.sleep(0.1)

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, 60)

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """Everything that all its lives have logged."""
        return (self._folder / f"{self.port}.log").read_text()


@dataclass
class Place:
    """All of it."""

    url: str
    trust: ssl.SSLContext
    zoom: SimulatedZoom
    database_url: str
    replicas: list[Replica]
    books: Books
    _consenting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def roll(self) -> None:
        """Restart one replica after the other, as a deployment does."""
        for replica in self.replicas:
            assert 0 == await replica.stop()
            await replica.start()

    async def deliver(self, http: aiohttp.ClientSession, number: int) -> None:
        """One genuine delivery; its answer is noted, 0 where there is none."""
        content = {
            "event": "meeting.ended",
            "event_ts": int(time.time() * 1000),
            "payload": {"account_id": ACCOUNT, "object": {"id": str(number), "host_id": "unknown"}},
        }
        body, stamp = json.dumps(content).encode(), str(int(time.time()))
        headers = {
            "x-zm-signature": sign(self.zoom.app.webhook_secret, stamp, body),
            "x-zm-request-timestamp": stamp,
            "content-type": "application/json",
        }
        self.books.sent += 1
        try:
            async with http.post(f"{self.url}/webhook", data=body, headers=headers) as answer:
                self.books.statuses[answer.status] += 1
        except (aiohttp.ClientError, TimeoutError):
            self.books.statuses[0] += 1

    async def install(self, user_id: str) -> None:
        """One person installs the app, and reads the consent page for a while."""
        self.books.begun += 1
        async with httpx.AsyncClient(verify=self.trust, timeout=30, trust_env=False) as browser:
            try:
                start = await browser.get(f"{self.url}/install")
                async with self._consenting:
                    self.zoom.simulator.consent = Consent("approve", user_id)
                    agreed = await browser.get(start.headers["location"])
                await asyncio.sleep(READING_SECONDS)
                end = await browser.get(agreed.headers["location"])
                self.books.ends[f"{end.status_code} {end.headers.get('location', '')}".strip()] += 1
            except (httpx.TransportError, KeyError) as error:
                self.books.ends[type(error).__name__] += 1

    async def load(self, *, deliveries: float, installs: float, until: asyncio.Event) -> None:
        """So many of each a second, whatever becomes of them, until told to stop."""
        # The cheapest client there is: a sender that cannot keep up would look like the service.
        connector = aiohttp.TCPConnector(limit=0, ssl=self.trust)
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            asyncio.TaskGroup() as tasks,
        ):
            begun, number, people = time.monotonic(), 0, 0
            while not until.is_set():
                passed = time.monotonic() - begun
                while number < passed * deliveries:
                    tasks.create_task(self.deliver(http, number))
                    number += 1
                while people < passed * installs:
                    tasks.create_task(self.install(f"person-{people + 1}"))
                    people += 1
                await asyncio.sleep(0.01)

    async def close_books(self) -> None:
        """Wait until everything is forwarded, and read the database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            async with asyncio.timeout(60):
                waiting = "SELECT count(*) FROM kept_events WHERE status = 'received'"
                while await connection.fetchval(waiting):  # noqa: ASYNC110 - Others empty it.
                    await asyncio.sleep(0.2)
            self.books.kept = await connection.fetchval(
                "SELECT count(*) FROM kept_events WHERE NOT notice"
            )
            self.books.installed = await connection.fetchval("SELECT count(*) FROM links")
        finally:
            await connection.close()


@asynccontextmanager
async def host(books: Books) -> AsyncIterator[str]:
    """A host product that counts the events of Zoom's by their ids."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                if body["type"].startswith("zoom."):
                    books.forwarded[fields["webhook-id"]] += 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"


def _people(zoom: SimulatedZoom) -> None:
    world = zoom.world
    world.users += [
        User(id=f"person-{n}", account_id=ACCOUNT, email=f"person-{n}@example.com")
        for n in range(PEOPLE)
    ]
    zoom.reset(world)


def _settings(url: str, zoom: SimulatedZoom, database_url: str, hooks: str) -> dict[str, Any]:
    return {
        "client_id": zoom.app.client_id,
        "client_secret": zoom.app.client_secret,
        "webhook_secrets": [zoom.app.webhook_secret],
        "public_url": url,
        "private_bind": "127.0.0.1:0",
        "database_url": database_url,
        "encryption_keys": [new_encryption_key()],
        "linking": "none",
        "authorization_server": zoom.url,
        "api_servers": [zoom.url],
        "trusted_proxies": ["127.0.0.0/8"],
        "forward_url": hooks,
        "forward_secrets": ["a-forwarding-key-of-the-test-2xP"],
    }


@contextmanager
def _front(
    folder: Path, port: int, replicas: list[Replica], pem: Path, keepalive: str
) -> Iterator[None]:
    folder.mkdir()
    text = _NGINX.format(
        folder=folder,
        first=replicas[0].port,
        second=replicas[1].port,
        port=port,
        pem=pem,
        keepalive=keepalive,
    )
    with run_nginx(folder, text, port=port):
        yield


@asynccontextmanager
async def two_replicas(folder: Path, database_url: str, *, keepalive: str) -> AsyncIterator[Place]:
    """Start everything; end it after the block.

    Args:
        folder: for files.
        database_url: an empty PostgreSQL database.
        keepalive: directives of nginx in its `upstream` block.
    """
    books = Books()
    pem, trust = certificate(folder)
    port, *ports = reserve_ports(3)
    url = f"https://localhost:{port}"
    zoom = simulated_zoom(url)
    _people(zoom)
    async with host(books) as hooks:
        lines = _settings(url, zoom, database_url, hooks).items()
        settings = write_private(
            folder / "paraph.toml", "".join(f"{n} = {json.dumps(v)}\n" for n, v in lines)
        )
        replicas = [Replica(folder, settings, one) for one in ports]
        try:
            for replica in replicas:
                await replica.start()
            with _front(folder / "nginx", port, replicas, pem, keepalive):
                yield Place(url, trust, zoom, database_url, replicas, books)
        finally:
            for replica in replicas:
                replica.kill()
            zoom.stop()
