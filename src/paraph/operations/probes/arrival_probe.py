"""Listens at the service's address for a moment, to see requests as the proxy sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from paraph.operations.probes.facts import Arrival

# An address of RFC 5737 that no client has, and a scheme that the client did not use.
_FORGED_ADDRESS = "192.0.2.77"
FORGED = (("x-forwarded-for", _FORGED_ADDRESS), ("x-forwarded-proto", "http"))
_FORWARDED = frozenset({"x-forwarded-for", "x-forwarded-proto", "forwarded"})
_HEAD_BYTES = 1 << 16
_READ_SECONDS = 5.0
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
# A delivery that is answered with success is never sent again.
_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 30\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n"
)


class Arrivals:
    """The marked requests that arrived, in order: an honest one, then a forged one."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._heads: list[tuple[str, list[tuple[str, str]]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer 200 to a request of this run, and 503 to every other."""
        try:
            async with asyncio.timeout(_READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                line, *rest = head.decode("latin-1").split("\r\n")
                is_marked = self._mark in line
                writer.write(_OK if is_marked else _UNAVAILABLE)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()
        if f"probe={self._mark}" in line:
            pairs = (one.partition(":") for one in rest if ":" in one)
            headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
            peer = (writer.get_extra_info("peername") or ("",))[0]
            self._heads.append((str(peer), headers))

    def summary(self) -> Arrival | None:
        """Compare the honest request with the forged one; None if none arrived."""
        if not self._heads:
            return None
        peer, headers = self._heads[0]
        arrived = {name: value for name, value in headers if name in _FORWARDED}
        forged = self._heads[1][1] if len(self._heads) > 1 else []
        return Arrival(
            peer=peer,
            host=_last(headers, "host"),
            headers=arrived,
            forged_address_arrived=_last(forged, "x-forwarded-for") == _FORGED_ADDRESS,
            forged_scheme_arrived=_last(forged, "x-forwarded-proto") == "http",
        )


def _last(headers: list[tuple[str, str]], name: str) -> str:
    """Return the last element of a header's list, which the nearest proxy wrote."""
    values = [value for key, value in headers if key == name]
    return values[-1].rpartition(",")[2].strip() if values else ""


@asynccontextmanager
async def listening(bind: tuple[str, int], mark: str) -> AsyncIterator[Arrivals | None]:
    """Listen at an address; yield None if something else listens there.

    Args:
        bind: host and port.
        mark: only requests with this text in their query are noted.
    """
    arrivals = Arrivals(mark)
    try:
        server = await asyncio.start_server(
            arrivals.serve, bind[0], bind[1], limit=_HEAD_BYTES, reuse_address=True
        )
    except OSError:
        yield None
        return
    try:
        yield arrivals
    finally:
        server.close()
        await server.wait_closed()
