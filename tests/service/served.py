"""A listener of the service on a real socket, on either path, with limits of the test's choice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from paraph.http.fast_path.batch import FindRoute
from paraph.http.fast_path.protocol import fast_path
from paraph.http.listener.bounded_protocol import BoundedHeadProtocol
from paraph.http.listener.connections import ConnectionLimits
from paraph.service.server import _Listener, _listener


class Served:
    """What runs, and the connections that a test has opened to it."""

    def __init__(self, listener: _Listener) -> None:
        self.listener = listener
        self.port = int(listener.servers[0].sockets[0].getsockname()[1])
        self._writers: list[asyncio.StreamWriter] = []

    async def open(
        self, data: bytes = b"", *, source: str = "127.0.0.1", limit: int = 1 << 16
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection from an address of this machine, and the first bytes on it."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(source, 0), limit=limit
        )
        self._writers.append(writer)
        writer.write(data)
        return reader, writer

    async def status(self, *pieces: bytes, source: str = "127.0.0.1") -> int:
        """The status of one request, whose pieces arrive one after the other; 0: closed."""
        reader, writer = await self.open(source=source)
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                # The other side reads what is there before the next piece comes.
                await asyncio.sleep(0.01)
        try:
            async with asyncio.timeout(20):
                line = await reader.readline()
        except ConnectionError:
            line = b""
        writer.close()
        return int(line.split()[1]) if line else 0

    def close(self) -> None:
        """End the test's connections."""
        for writer in self._writers:
            writer.transport.abort()


@contextlib.asynccontextmanager
async def served(
    app: Any,
    find_route: FindRoute | None = None,
    *,
    limits: ConnectionLimits | None = None,
    **named: Any,
) -> AsyncIterator[Served]:
    """Serve an application for the length of a block."""
    protocol = BoundedHeadProtocol if find_route is None else fast_path(find_route)
    listener = _listener(
        app, ("127.0.0.1", 0), protocol=protocol, limits=limits or ConnectionLimits(), **named
    )
    up = asyncio.Event()
    listener.on_started = up.set
    serving = asyncio.create_task(listener.serve())
    await up.wait()
    one = Served(listener)
    try:
        yield one
    finally:
        one.close()
        listener.should_exit = True
        await serving


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether a connection has been ended by the other side, within seconds."""
    try:
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
