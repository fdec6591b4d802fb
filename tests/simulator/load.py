"""Load on a simulator that is a process of its own, and what it costs that process."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import psutil  # type: ignore[import-untyped]  # Its stubs are a package of their own.

from paraph.simulator.state.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, default_world

USER = default_world().users[0].id
REDIRECT = default_world().apps[0].redirect_uris[0]
_BASIC = base64.b64encode(f"{DEFAULT_CLIENT_ID}:{DEFAULT_CLIENT_SECRET}".encode()).decode()


@dataclass
class Process:
    """A running `paraph simulate`."""

    url: str
    process: psutil.Process

    def resident(self) -> int:
        """Bytes of memory that it holds."""
        return int(self.process.memory_info().rss)

    def cpu(self) -> float:
        """Seconds that it has computed."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def simulating() -> Iterator[Process]:
    """`paraph simulate` on a free port, for the length of a block."""
    command = [sys.executable, "-m", "paraph.cli.main", "simulate", "--port", "0"]
    command += ["--auto-consent", USER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        found = re.match(r"listening (\S+)", child.stdout.readline())
        assert found is not None
        try:
            yield Process(found[1], psutil.Process(child.pid))
        finally:
            child.terminate()


class Connection:
    """One kept connection, with as little in the way as there can be."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, target: str, body: str = "", headers: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        head = f"{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n"
        writer.write(f"{head}{headers}\r\n{body}".encode())
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        named = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
        }
        response = await reader.readexactly(int(named.get("content-length", "0")))
        return int(lines[0].split()[1]), named, response

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


async def authorize(connection: Connection) -> None:
    """Consent, code, tokens: one whole authorization."""
    query = urlencode(
        {"response_type": "code", "client_id": DEFAULT_CLIENT_ID, "redirect_uri": REDIRECT}
    )
    status, headers, _ = await connection.ask("GET", f"/oauth/authorize?{query}")
    assert status == 302
    code = urlsplit(headers["location"]).query.removeprefix("code=")
    form = urlencode({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT})
    status, _, response = await connection.ask(
        "POST",
        "/oauth/token",
        form,
        f"authorization: Basic {_BASIC}\r\ncontent-type: application/x-www-form-urlencoded\r\n",
    )
    assert status == 200, response


async def order_event(connection: Connection) -> None:
    """One event, ordered by the control API."""
    order = {
        "client_id": DEFAULT_CLIENT_ID,
        "event": "meeting.started",
        "payload": {"account_id": "a", "object": {"topic": "Weekly tide table"}},
    }
    status, _, response = await connection.ask(
        "POST", "/_simulator/events", json.dumps(order), "content-type: application/json\r\n"
    )
    assert status == 200, response


async def repeat(
    count: int, url: str, work: Callable[[Connection], Awaitable[None]], *, connections: int
) -> float:
    """Do something so many times over a few connections; the seconds it took."""
    left = iter(range(count))

    async def stream() -> None:
        connection = Connection(url)
        for _ in left:
            await work(connection)
        connection.close()

    begun = time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(connections)))
    return time.perf_counter() - begun


class Receiver(asyncio.Protocol):
    """Answers 200 to every POST, and counts them."""

    count = 0

    def __init__(self, counted: Callable[[], None]) -> None:
        self._counted = counted
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request once it is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = re.search(rb"content-length: *(\d+)", self._buffer[:end], re.IGNORECASE)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            self._counted()
