"""What stands before a body is bounded in size and in time, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from packaging.requirements import Requirement

from paraph.http.listener import bounded_protocol
from paraph.http.listener.bounded_protocol import (
    MOST_BEHIND,
    MOST_HEAD_BYTES,
    MOST_HEADERS,
    MOST_PATH_ESCAPES,
    MOST_SMALL_PIECES,
    MOST_TRAILERS,
)
from paraph.http.response import CompleteResponse, Fields
from paraph.service.server import _Listener, _listener
from service.served import served

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Say how long the body was; at /at-once, before it has come."""
    size, more = 0, scope["path"] != "/at-once"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = [(b"content-length", b"7")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"%07d" % size})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A listener as the service opens it, but for how long a connection may rest."""
    server: _Listener = _listener(answering, ("127.0.0.1", 0))
    server.config.timeout_keep_alive = 1
    up = asyncio.Event()
    server.on_started = up.set
    serving = asyncio.create_task(server.serve())
    await up.wait()
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    await serving


class Everything(asyncio.Protocol):
    """Collects what arrives on a connection, also if the server resets it afterwards.

    A stream reader raises the reset even if it has received the answer before.
    """

    def __init__(self) -> None:
        self.received = b""
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Add it."""
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake the test."""
        self.lost.set()


async def sent(port: int, *pieces: bytes, pause: float = 0) -> bytes:
    """Send the pieces, with so many seconds between them; return everything until the end."""
    loop = asyncio.get_running_loop()
    transport, everything = await loop.create_connection(Everything, "127.0.0.1", port)
    for piece in pieces:
        if transport.is_closing():
            break
        transport.write(piece)
        await asyncio.sleep(pause)
    async with asyncio.timeout(20):
        await everything.lost.wait()
    return everything.received


@pytest.mark.parametrize(
    "piece",
    [b"x: " + b"a" * 1000 + b"\r\n", b"a" * 1000],
    ids=["many headers", "one header without end"],
)
async def test_a_head_without_end_is_cut_off(port: int, piece: bytes) -> None:
    """However it is written, no more than its bound is taken in."""
    pieces = [piece] * (4 * MOST_HEAD_BYTES // len(piece))
    answer = await sent(port, b"GET / HTTP/1.1\r\nhost: x\r\nlong: ", *pieces)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize(
    "start", [b"0\r\nx: ", b"0\r\nx: a\r\n", b"5;x="], ids=["trailer", "trailers", "extension"]
)
async def test_what_follows_a_chunked_body_has_an_end(port: int, start: bytes) -> None:
    """Trailers and extensions of chunks are no way around the bound."""
    piece = b"y: a\r\n" * 100 if start.endswith(b"\n") else b"a" * 700
    post = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await sent(port, post, start, *[piece] * (4 * MOST_HEAD_BYTES // 700))
    assert b"200 OK" not in answer


async def test_a_head_that_does_not_come_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a silent connection nor half a head holds a place."""
    monkeypatch.setattr(bounded_protocol, "HEAD_SECONDS", 0.05)
    assert b"" == await sent(port)
    assert b"" == await sent(port, b"GET / HTTP/1.1\r\nhost: x")


async def test_long_bodies_and_further_requests_are_served(port: int) -> None:
    """Only the head is counted: bodies are as long as they were, one after the other."""
    size = 5 * MOST_HEAD_BYTES
    post = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"a" * size
    last = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    answer = await sent(port, post, post, last)
    assert 3 == answer.count(b"HTTP/1.1 200 OK")
    assert 2 == answer.count(b"%07d" % size)


async def test_requests_behind_each_other_are_served(port: int) -> None:
    """As many as a client may have use for, in one piece, and each gets its answer."""
    get = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    assert MOST_BEHIND == (await sent(port, get * MOST_BEHIND)).count(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("path", [b"/", b"/at-once"])
async def test_requests_without_end_are_cut_off(port: int, path: bytes) -> None:
    """A queue behind an unanswered request does not grow with what is sent."""
    get = b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path
    answer = await sent(port, *[get * 500] * 40)
    assert answer.count(b"HTTP/1.1 200 OK") < 500


async def test_a_connection_that_rests_ends(port: int) -> None:
    """After an answer nobody holds a place for nothing; a request in time is served."""
    get = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    assert 2 == (await sent(port, get, get)).count(b"HTTP/1.1 200 OK")


async def test_what_was_answered_is_not_read_for_ever(port: int) -> None:
    """A body that still comes, a byte at a time, behind its answer keeps no connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /at-once HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
    sending = asyncio.create_task(_trickle(writer))
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    sending.cancel()
    writer.close()


async def _trickle(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)


OK, BAD = b"HTTP/1.1 200", b"HTTP/1.1 400"
LAST = b"connection: close\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n" + LAST + b"\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * (MOST_HEADERS - 1) + LAST + b"\r\n", OK),
        (b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * MOST_HEADERS + LAST + b"\r\n", BAD),
        (b"GET /" + b"%61" * MOST_PATH_ESCAPES + b" HTTP/1.1\r\n" + LAST + b"\r\n", OK),
        (b"GET /" + b"%61" * 1300 + b" HTTP/1.1\r\n" + LAST + b"\r\n", OK),
        (b"GET /?" + b"%61" * 1000 + b" HTTP/1.1\r\n" + LAST + b"\r\n", OK),
        (CHUNKED + b"1\r\na\r\n" * MOST_SMALL_PIECES + b"0\r\n\r\n", OK),
        (CHUNKED + b"1\r\na\r\n" * (MOST_SMALL_PIECES + 1) + b"0\r\n\r\n", BAD),
        (CHUNKED + (b"40\r\n" + b"a" * 64 + b"\r\n") * 1000 + b"0\r\n\r\n", OK),
        (CHUNKED + b"0\r\n" + b"a:b\r\n" * MOST_TRAILERS + b"\r\n", OK),
        (CHUNKED + b"0\r\n" + b"a:b\r\n" * (MOST_TRAILERS + 1) + b"\r\n", BAD),
    ],
    ids=[
        *("headers", "too many headers", "escapes", "many escapes", "escapes in a query"),
        *("small chunks", "too many small chunks", "chunks", "trailers", "too many trailers"),
    ],
)
async def test_a_request_has_so_many_parts(port: int, data: bytes, status: bytes) -> None:
    """Each part costs work of its own, however short it is."""
    assert (await sent(port, data)).startswith(status)


@pytest.mark.parametrize("count", [2, 20])
async def test_each_request_has_its_own_parts(port: int, count: int) -> None:
    """What one request on a connection had is not counted against the next one."""
    head = b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * (MOST_HEADERS - 2)
    body = CHUNKED.replace(LAST, b"") + b"1\r\na\r\n" * 70 + b"0\r\n" + b"a:b\r\n" * 30 + b"\r\n"
    answer = await sent(port, (head + b"\r\n") * count, body * count, head + LAST + b"\r\n")
    assert 2 * count + 1 == answer.count(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("to", [b"websocket", b"h2c", b"foo, bar"])
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "at once"])
@pytest.mark.parametrize(
    "length", [b"", b"content-length: 50\r\n", b"transfer-encoding: chunked\r\n"]
)
async def test_nothing_behind_a_request_to_upgrade_is_read(
    port: int, to: bytes, length: bytes, *, apart: bool
) -> None:
    """It is answered as any other, and is the last one: what follows may be anything."""
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: " + to + b"\r\n"
    behind = b"POST /at-once HTTP/1.1\r\nhost: x\r\n\r\n"
    pieces = [head + length + b"\r\n", behind] if apart else [head + length + b"\r\n" + behind]
    answer = await sent(port, *pieces, pause=0.01)
    assert 1 == answer.count(b"HTTP/1.1")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(("count", "path"), [(MOST_PATH_ESCAPES, "a"), (1000, "%61")])
async def test_a_path_of_many_escapes_is_not_decoded(count: int, path: str) -> None:
    """It costs what a long path costs, and nothing is found under it."""
    scopes: list[Any] = []

    async def noting(scope: Any, _receive: Any, send: Any) -> None:
        scopes.append(scope)
        await CompleteResponse(404, Fields(), b"").send(send)

    async with served(noting) as one:
        raw = b"/" + b"%61" * count
        assert 404 == await one.status(b"GET %b?a=%%62 HTTP/1.1\r\nhost: x\r\n\r\n" % raw)
    assert (raw, b"a=%62") == (scopes[0]["raw_path"], scopes[0]["query_string"])
    assert "/" + path * count == scopes[0]["path"]


def test_the_server_has_a_version_that_was_tried() -> None:
    """Its inner protocol is subclassed: a new minor version is tried before the cap is raised."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    required = {Requirement(one) for extra in extras for one in extra}
    (server,) = [one for one in required if one.name == "uvicorn"]
    major, minor, *_ = (int(part) for part in uvicorn.__version__.split("."))
    assert server.specifier.contains(uvicorn.__version__), "try this version, then raise the cap"
    assert not server.specifier.contains(f"{major}.{minor + 1}.0"), "an untried minor is allowed"
