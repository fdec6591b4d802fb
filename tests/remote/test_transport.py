"""The one HTTP door, against servers that do everything wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
import uvicorn

from paraph.errors import TransportError
from paraph.oauth.messages import Request, Response
from paraph.outgoing.route import KEEP_ALIVE_SECONDS, OutgoingRoute
from paraph.remote import transport as transport_module
from paraph.remote.transport import Transport

pytestmark = pytest.mark.anyio

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Reads a request head, then does what the script says."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.heads: list[str] = []
        self.origin = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            await self._script(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on a free port."""
    server = Server(script)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    scheme = "http" if tls is None else "https"
    server.origin = f"{scheme}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server


def saying(text: str, body: bytes = b"") -> Script:
    """A script that sends this and closes."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    return script


async def ask(origin: str, *, deadline: float = 5, allowed: str = "") -> Response:
    """One POST with something secret in it."""
    transport = Transport({allowed or origin}, deadline=deadline)
    try:
        headers = (("authorization", "Basic c2VjcmV0"),)
        return await transport.send(Request("POST", f"{origin}/oauth/token", headers, b"code=abc"))
    finally:
        await transport.close()


async def test_a_response_is_returned_unchanged() -> None:
    """Status, headers and bytes, whatever the status."""
    script = saying("HTTP/1.1 418 X\nDate: Tue, 24 Nov 2026 06:00:00 GMT\nContent-Length: 2", b"{}")
    async with serving(script) as server:
        answer = await ask(server.origin)

    assert (418, b"{}", 1795500000) == (answer.status, answer.body, answer.date())
    assert "authorization: Basic c2VjcmV0" in server.heads[0]
    assert "accept-encoding: identity" in server.heads[0].lower()


@pytest.mark.parametrize(("seconds", "connections"), [(3600.0, 1), (0.0, 2)])
async def test_an_idle_connection_is_given_up_before_the_server_ends_it(
    monkeypatch: pytest.MonkeyPatch, seconds: float, connections: int
) -> None:
    """A code that is sent on an ending connection is lost, so the limit is below a server's 5 s."""
    assert KEEP_ALIVE_SECONDS < uvicorn.Config("").timeout_keep_alive
    monkeypatch.setattr(transport_module, "KEEP_ALIVE_SECONDS", seconds)
    opened: list[None] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(b"code=abc"))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = Transport({origin})
        for _ in range(2):
            await transport.send(Request("POST", f"{origin}/oauth/token", (), b"code=abc"))
        await transport.close()
    assert connections == len(opened)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    """Code, verifier and client secret are not carried to where a redirect points."""
    async with serving(saying("HTTP/1.1 200 OK\nContent-Length: 0")) as elsewhere:
        script = saying(f"HTTP/1.1 {status} X\nLocation: {elsewhere.origin}/\nContent-Length: 0")
        async with serving(script) as server:
            with pytest.raises(TransportError, match="redirect"):
                await ask(server.origin)

    assert [] == elsewhere.heads


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2_000):
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


async def _drop_by_drop(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1_000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _silence(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def _nothing(_writer: asyncio.StreamWriter) -> None:
    return


BOMB = gzip.compress(b"\0" * 50_000_000)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (_endless, "larger than one mebibyte"),
        (_drop_by_drop, "did not answer in"),
        (_silence, "did not answer in"),
        (_nothing, "closed the connection"),
        (saying("not http at all"), "closed the connection"),
        (saying("HTTP/1.1 200 OK\nContent-Length: 100", b"short"), "closed the connection"),
        (
            saying(f"HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: {len(BOMB)}", BOMB),
            "compressed",
        ),
    ],
    ids=["endless", "drop by drop", "silence", "hangs up", "garbage", "cut short", "bomb"],
)
async def test_whatever_a_server_does_it_ends_in_time(script: Script, why: str) -> None:
    """Endless, slow, silent, broken or compressed: a TransportError within the deadline."""
    async with serving(script) as server:
        with pytest.raises(TransportError, match=why):
            await ask(server.origin, deadline=1)


@pytest.mark.parametrize(
    "allowed", ["https://zoom.us", "http://127.0.0.1", "http://localhost:1", "http://127.0.0.1:80"]
)
async def test_nothing_leaves_for_another_host(allowed: str) -> None:
    """Scheme, host and port must be one of the configured origins, exactly."""
    async with serving(_nothing) as server:
        with pytest.raises(TransportError, match="not configured"):
            await ask(server.origin, allowed=allowed)

    assert [] == server.heads


async def test_nothing_secret_stands_in_an_error() -> None:
    """The words of an error name the origin and nothing that was sent."""
    async with serving(_nothing) as server:
        with pytest.raises(TransportError) as caught:
            await ask(server.origin)

    assert not any(secret in repr(caught.value) for secret in ("c2VjcmV0", "code=", "oauth/token"))


async def test_an_untrusted_certificate_gets_no_secret() -> None:
    """A self-made certificate ends the connection before a byte of the request is sent."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with serving(saying("HTTP/1.1 200 OK\nContent-Length: 0"), tls) as server:
        with pytest.raises(TransportError, match="not signed by a trusted authority"):
            await ask(server.origin)

    assert [] == server.heads


async def test_an_exchange_of_steps_is_driven_to_its_end() -> None:
    """A generator yields requests, is given responses, and its value comes back."""
    async with serving(saying("HTTP/1.1 200 OK\nContent-Length: 3", b"one")) as server:

        def steps() -> Generator[Request, Response, bytes]:
            first = yield Request("GET", f"{server.origin}/1", (), b"")
            second = yield Request("GET", f"{server.origin}/2", (), b"")
            return first.body + second.body

        transport = Transport({server.origin})
        assert b"oneone" == await transport.drive(steps())
        await transport.close()


async def test_authorities_that_cannot_be_read_any_more_are_a_transport_error(
    tmp_path: Path,
) -> None:
    """The file may go after the start: its callers know what to do with this error."""
    route = OutgoingRoute(ca_file=str(tmp_path / "gone.pem"))
    transport = Transport(["https://zoom.us"], route=route)
    with pytest.raises(TransportError) as raised:
        await transport.send(Request("GET", "https://zoom.us/x", (), b""))
    await transport.close()
    assert "ca_file" in raised.value.remedy
    assert 1 == transport.failures.by_cause.total()
