"""A TLS proxy in front of the service's address, as a team's nginx or Caddy is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Rewrite = Callable[[list[str]], list[str]]


def careful(lines: list[str]) -> list[str]:
    """Set the forwarded headers, whatever the client sent."""
    kept = [one for one in lines if not one.lower().startswith("x-forwarded-")]
    return [*kept, "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"]


def careless(lines: list[str]) -> list[str]:
    """Pass on what the client sent."""
    return lines


@asynccontextmanager
async def small_proxy(
    context: ssl.SSLContext, upstream: int, rewrite: Rewrite, log: Path | None = None
) -> AsyncIterator[int]:
    """Serve TLS on a free port, and pass each request on.

    Args:
        context: the server's side of TLS.
        upstream: the port of the service.
        rewrite: changes the lines of a request's head, without the first one.
        log: the file for the first lines of requests.

    Yields:
        The port.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            if log is not None:
                with log.open("a", encoding="utf-8") as opened:
                    opened.write(f"{first}\n")
            lines = rewrite([one for one in lines if not one.lower().startswith("connection:")])
            inner, outer = await asyncio.open_connection("127.0.0.1", upstream)
            text = "\r\n".join([first, *lines, "Connection: close", "", ""])
            outer.write(text.encode("latin-1"))
            writer.write(await inner.read())
            await writer.drain()
            outer.close()
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
