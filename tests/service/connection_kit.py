"""One connection of the server, with the fast path or without it, on a recording socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from paraph.http.listener.bounded_protocol import BoundedHeadProtocol

if TYPE_CHECKING:
    from paraph.http.fast_path.batch import Batch, FindRoute

# Iterations of the event loop after each piece: enough for everything without I/O.
ITERATIONS = 40


class Transport:
    """What a protocol needs of a socket: it remembers what was written, and its end."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.paused = False

    def write(self, data: bytes) -> None:
        """Nothing reaches the other side after the end."""
        if not self.closed:
            self.written += data

    def close(self) -> None:
        """End it."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.closed

    def pause_reading(self) -> None:
        """Hold back what comes."""
        self.paused = True

    def resume_reading(self) -> None:
        """Go on."""
        self.paused = False

    def get_extra_info(self, name: str) -> Any:
        """Addresses."""
        return ("127.0.0.1", 1) if name in {"peername", "sockname"} else None


@asynccontextmanager
async def connection(
    app: ASGIApp, find_route: FindRoute | None, *, batch: Batch | None = None
) -> AsyncIterator[tuple[Any, Transport]]:
    """A protocol of the server in front of an application, and the socket under it.

    Args:
        app: the application.
        find_route: finds the routes of the fast path; None: without the fast path.
        batch: shared with other connections.
    """
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        # A machine that stands still for some seconds must not end the connection.
        timeout_keep_alive=300,
    )
    config.load()
    protocol: Any = BoundedHeadProtocol
    if find_route is not None:
        from paraph.http.fast_path.protocol import fast_path

        protocol = fast_path(find_route, batch=batch)
    state = ServerState()
    state.default_headers = [(b"date", b"Wed, 29 Jul 2026 23:50:54 GMT")]
    serving = protocol(config=config, server_state=state, app_state={})
    transport = Transport()
    serving.connection_made(transport)
    try:
        yield serving, transport
    finally:
        serving.connection_lost(None)
        for _ in range(10):
            await asyncio.sleep(0)


async def feed(
    serving: Any, transport: Transport, pieces: Sequence[bytes], *, stopping: bool = False
) -> list[Any]:
    """What has been written after each piece, and whether the connection lives and is read."""
    seen: list[Any] = []
    for piece in pieces:
        if transport.closed:
            break
        serving.data_received(piece)
        if stopping:
            # The server is told to stop while this is under way.
            serving.shutdown()
        for _ in range(ITERATIONS):
            await asyncio.sleep(0)
        held = transport.paused and not transport.closed
        seen.append((transport.written, transport.closed, held))
    return seen
