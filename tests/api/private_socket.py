"""The private side of a service in this process, on a socket and with the fast path."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from paraph.http.fast_path.protocol import fast_path
from paraph.service.app import Service
from paraph.service.fast_routes import private_fast_routes


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say so."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to pytest."""
        yield


@contextlib.asynccontextmanager
async def private_url(service: Service) -> AsyncIterator[str]:
    """Serve the private side for the length of a block; gives its URL."""
    http: Any = fast_path(private_fast_routes(service.api))
    config = uvicorn.Config(service.private, port=0, http=http, ws="none", lifespan="off")
    config.access_log = False
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    await server.up.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
