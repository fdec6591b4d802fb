"""A receiver of webhooks on a socket in the test's own event loop; it answers from a script."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from paraph.simulator.engine import Simulator
from paraph.simulator.state.clock import Clock
from paraph.simulator.state.world import App, World, default_world

HANG, CUT = -1, -2


@dataclass
class Request:
    """One POST as it came."""

    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all_of(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        """The one value of a header."""
        (value,) = self.all_of(name)
        return value


@dataclass
class SocketReceiver:
    """What came, and what to answer.

    Attributes:
        statuses: answered one after the other, the last one for ever; HANG answers nothing, CUT
            closes the connection.
        answer: makes the body of an answer.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    response: Callable[[Request], bytes] = lambda _request: b""
    headers: str = ""
    requests: list[Request] = field(default_factory=list)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def close(self) -> None:
        """End every connection, and wait until it has ended."""
        for writer in self._writers:
            writer.close()
        waiting = (writer.wait_closed() for writer in self._writers)
        await asyncio.gather(*waiting, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.append(writer)
        try:
            while True:
                request = await _read(reader)
                self.requests.append(request)
                status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
                if status == HANG:
                    await reader.read()
                if status < 0:
                    return
                body = b"" if status == 204 else self.response(request)
                head = f"HTTP/1.1 {status} x\r\n{self.headers}content-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            self._writers.remove(writer)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = [line.partition(": ")[::2] for line in head[1:] if line]
    request = Request(head[0].split(" ")[1], [(key.lower(), value) for key, value in pairs], b"")
    if request.all_of("transfer-encoding"):
        while size := int(await reader.readline(), 16):
            request.body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif length := request.all_of("content-length"):
        request.body = await reader.readexactly(int(length[0]))
    return request


@asynccontextmanager
async def receiving() -> AsyncIterator[SocketReceiver]:
    """A receiver for the length of a block."""
    receiver = SocketReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, limit=1 << 20)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{port}/webhook"
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()


def right_response(app: App) -> Callable[[Request], bytes]:
    """The right answer to a challenge, nothing to an event."""

    def response(request: Request) -> bytes:
        plain = json.loads(request.body)["payload"].get("plainToken")
        if plain is None:
            return b""
        sealed = hmac.new(app.webhook_secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        return json.dumps({"plainToken": plain, "encryptedToken": sealed}).encode()

    return response


class Numbers:
    """Random bytes of a test: counted, so that no two are the same."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, length: int) -> bytes:
        """Bytes that nobody got before."""
        self._next += 1
        return hashlib.shake_256(str(self._next).encode()).digest(length)


def make_simulator(url: str = "", *, world: World | None = None) -> Simulator:
    """A simulator whose wall clock stands still, with the first app's event URL at `url`."""
    world = world or default_world()
    world.apps[0].event_url = url
    return Simulator(world, wall=lambda: 1_800_000_000.25, random_bytes=Numbers())


async def walk(clock: Clock, settle: Callable[[], object], step: float, steps: int) -> None:
    """Advance in steps, and let what came due be done after each."""
    for _ in range(steps):
        clock.advance(step)
        await settle()  # type: ignore[misc]
