"""A resource server of the tests' own: it notes what arrives byte for byte, and plays a script."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from service_kit import ACCOUNT, JANE

JANE_HERSELF = {"id": JANE, "account_id": ACCOUNT, "email": "jane@example.com"}


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """A header, if it came."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass
class Scripted:
    """One answer. `pieces` are sent one by one; with `cut` the connection breaks before the end."""

    status: int = 200
    content: Any = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[bytes] | None = None
    cut: bool = False
    delay: float = 0.0


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listens.set()


class ScriptedZoom:
    """Serves in a thread; `script` is answered in order, after it `ordinary`."""

    def __init__(self) -> None:
        self.reset()
        config = uvicorn.Config(self._app, port=0, interface="asgi3", ws="none", lifespan="off")
        config.access_log = False
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def reset(self) -> None:
        """Return to an empty script."""
        self.script: deque[Scripted] = deque()
        self.ordinary = Scripted(content=JANE_HERSELF)
        self.seen: list[Seen] = []

    def start(self) -> None:
        """Serve until this process ends."""
        self._thread.start()
        if not self._server.listens.wait(10):
            raise RuntimeError("the scripted server did not start")

    def calls(self, prefix: str = "/v2/") -> list[Seen]:
        """What arrived, without what installing itself asks."""
        return [one for one in self.seen if one.target.startswith(prefix)]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b"".join([piece async for piece in _pieces(receive)])
        raw = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        self.seen.append(Seen(scope["method"], raw.decode("latin-1"), headers, body))
        answer = self.script.popleft() if self.script else self.ordinary
        await asyncio.sleep(answer.delay)
        pieces = answer.pieces
        if pieces is None:
            pieces = [b"" if answer.content is None else json.dumps(answer.content).encode()]
        named = {name for name, _ in answer.headers}
        headers = [*answer.headers]
        if "content-type" not in named:
            headers.append(("content-type", "application/json"))
        if answer.cut:
            headers.append(("content-length", str(sum(map(len, pieces)) + 9)))
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
            }
        )
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not answer.cut:
            await send({"type": "http.response.body", "body": b""})


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


# Started servers for the next tests: starting and stopping one takes 0.2 seconds.
_idle: list[ScriptedZoom] = []


@contextmanager
def scripted_zoom() -> Iterator[ScriptedZoom]:
    """A scripted resource server for the length of a block."""
    if _idle:
        zoom = _idle.pop()
    else:
        zoom = ScriptedZoom()
        zoom.start()
    try:
        yield zoom
    finally:
        zoom.reset()
        _idle.append(zoom)
