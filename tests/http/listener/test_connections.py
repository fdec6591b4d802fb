"""No peer holds connections for good, nor keeps others out; on real sockets with small limits."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from paraph.http.listener import connections
from paraph.http.listener.connections import ConnectionLimits, Connections
from service.served import Served, ended, served

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
SLOW = GET.replace(b"/ ", b"/slow ")
LARGE = GET.replace(b"/ ", b"/large ")


class App:
    """Answers at once, when it is told to (/slow), or with many megabytes (/large)."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Event()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Answer."""
        if scope["path"] == "/slow":
            self.asked.set()
            await self.go.wait()
        size = 64 << 20 if scope["path"] == "/large" else 1
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(max(1, size >> 20)):
            piece = b"x" * min(size, 1 << 20)
            size -= len(piece)
            message = {"type": "http.response.body", "body": piece, "more_body": size > 0}
            await send(message)


def known(one: Served) -> Connections:
    """The listener's own."""
    return one.listener._connections


async def until(one: Served, count: int) -> None:
    """Wait until so many connections have been taken in."""
    for _ in range(2000):
        if len(known(one)) == count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(len(known(one)))


async def look_until(one: Served, count: int) -> None:
    """The same, with a look at the connections each time, which the server takes once a second."""
    for _ in range(2000):
        known(one).look_after(asyncio.get_running_loop().time())
        if len(known(one)) == count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(len(known(one)))


@contextlib.contextmanager
def reading_little(one: Served) -> Iterator[socket.socket]:
    """A peer that takes in no more than a few kilobytes at a time."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(("127.0.0.1", one.port))
        peer.setblocking(False)
        yield peer


async def test_idle_connections_of_an_address_end_for_a_newer_one() -> None:
    """The oldest go; other addresses keep theirs, and everybody is answered."""
    async with served(App(), limits=ConnectionLimits(100, per_address=4)) as one:
        other, _ = await one.open(source="127.0.0.9")
        await until(one, 1)
        readers = []
        for number in range(4):
            readers.append((await one.open())[0])
            await until(one, number + 2)
        assert 200 == await one.status(GET)
        assert await ended(readers[0])
        assert 200 == await one.status(GET, source="127.0.0.9")
        assert not other.at_eof()


async def test_idle_connections_in_all_end_for_a_newer_one() -> None:
    """Whatever addresses they come from."""
    async with served(App(), limits=ConnectionLimits(10, per_address=10)) as one:
        readers = [(await one.open(source=f"127.0.0.{number}"))[0] for number in range(10, 40)]
        assert 200 == await one.status(GET)
        assert await ended(readers[0])
        assert len(known(one)) <= 10


@pytest.mark.parametrize(
    "data",
    [b"GET / HT", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nx", GET],
    ids=["half a head", "half a body", "at rest"],
)
async def test_whoever_waits_for_its_peer_can_end(data: bytes) -> None:
    """Before a request, within one, and behind one."""
    async with served(App(), limits=ConnectionLimits(2, per_address=2)) as one:
        for number in range(2):
            await one.open(data)
            await until(one, number + 1)
        assert 200 == await one.status(GET)


async def test_a_request_that_is_being_answered_is_never_ended_for_another() -> None:
    """Then it is the newest one that ends."""
    app = App()
    async with served(app, limits=ConnectionLimits(2, per_address=2)) as one:
        answers = []
        for number in range(2):
            answers.append((await one.open(SLOW))[0])
            await until(one, number + 1)
            await app.asked.wait()
            app.asked.clear()
        assert 0 == await one.status(GET)
        app.go.set()
        for reader in answers:
            assert b"HTTP/1.1 200 OK\r\n" == await reader.readline()


async def test_an_active_connection_outlives_idle_ones() -> None:
    """What counts is when something last came, not when the connection began."""
    async with served(App(), limits=ConnectionLimits(2, per_address=2)) as one:
        active, writer = await one.open(GET)
        await active.readuntil(b"\r\n\r\nx")
        idle, _ = await one.open()
        await until(one, 2)
        known(one).look_after(asyncio.get_running_loop().time())
        writer.write(GET)
        await active.readuntil(b"\r\n\r\nx")
        known(one).look_after(asyncio.get_running_loop().time())
        assert 200 == await one.status(GET)
        assert await ended(idle)
        writer.write(GET)
        assert b"HTTP/1.1 200 OK\r\n" == await active.readline()


async def test_a_trusted_proxy_is_limited_in_all_only() -> None:
    """It carries the connections of everybody."""
    trusted = (ipaddress.ip_network("127.0.0.1/32"),)
    limits = ConnectionLimits(20, per_address=2)
    async with served(App(), limits=limits, trusted=trusted) as one:
        for _ in range(10):
            await one.open()
        await until(one, 10)


class Unread:
    """A connection that is nothing but an address."""

    def __init__(self, host: str) -> None:
        self.client = (host, 1)
        self.has_received = False
        self.is_write_paused = False
        self.has_written = self.closing = False
        self.unwritten = 0
        self.waits_for_peer = True
        self.transport: Any = self
        self.aborted = False

    def is_closing(self) -> bool:
        """As the test has it."""
        return self.closing

    def get_write_buffer_size(self) -> int:
        """As the test has it."""
        return self.unwritten

    def get_extra_info(self, _name: str) -> Any:
        """There is no socket."""

    def abort(self) -> None:
        """Remember it."""
        self.aborted = True


async def test_a_whole_48_has_a_limit() -> None:
    """An address of its own for each connection helps nobody."""
    table = Connections(ConnectionLimits(10_000, per_address=16))
    for number in range(1000):
        table.add(Unread(f"2001:db8:1:{number:x}::1"))
    table.add(Unread("2001:db8:2::1"))

    assert len(table) <= 4 * 16 + 1


async def test_ended_connections_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of a million addresses, one after the other, is empty at the end."""
    table = Connections(ConnectionLimits())
    for number in range(1000):
        one = Unread(f"10.0.{number % 256}.{number // 256}")
        table.add(one)
        table.remove(one)
        table.remove(one)

    assert (0, {}) == (len(table), table._groups)


async def test_a_peer_that_never_reads_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time for progress, and the request with it."""
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.2)
    async with served(App()) as one:
        with reading_little(one) as deaf:
            await asyncio.get_running_loop().sock_sendall(deaf, LARGE)
            await until(one, 1)
            await look_until(one, 0)


async def test_a_peer_that_reads_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress within the time is enough, however long all of it takes."""
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.3)
    loop = asyncio.get_running_loop()
    async with served(App()) as one:
        with reading_little(one) as slow:
            await loop.sock_sendall(slow, LARGE)
            read, begun = 0, loop.time()
            while loop.time() < begun + 1:
                read += len(await loop.sock_recv(slow, 1 << 18))
                known(one).look_after(loop.time())
                await asyncio.sleep(0.005)
            assert 1 == len(known(one))
            assert read


@pytest.mark.parametrize(
    ("sizes", "ends"),
    [([9, 9, 9], True), ([9000, 8000, 9], False), ([9000, 6000, 4000], False), ([9, 5, 1], True)],
)
async def test_a_closed_connection_with_bytes_left_ends(sizes: list[int], *, ends: bool) -> None:
    """What its peer does not read is dropped after a while."""
    table, one = Connections(ConnectionLimits()), Unread("127.0.0.1")
    one.closing = True
    table.add(one)
    for now, size in zip((100, 120, 131), sizes, strict=True):
        one.unwritten = size
        table.look_after(now)

    assert (ends, not ends) == (one.aborted, bool(len(table)))


async def test_what_is_refilled_counts_as_progress() -> None:
    """A long response that is read and written on is as long at every look."""
    table, one = Connections(ConnectionLimits()), Unread("127.0.0.1")
    one.is_write_paused = True
    one.unwritten = 1 << 20
    table.add(one)
    for now in range(0, 200, 20):
        one.has_written = True
        table.look_after(now)
    assert not one.aborted
    for now in range(200, 240, 20):
        table.look_after(now)
    assert one.aborted


async def test_the_first_of_the_connections_is_told() -> None:
    """A listener without connections rests until then."""
    firsts: list[None] = []
    table = Connections(ConnectionLimits())
    table.on_first = lambda: firsts.append(None)
    one, other = Unread("127.0.0.1"), Unread("127.0.0.1")
    table.add(one)
    table.add(other)
    assert 1 == len(firsts)
    table.remove(one)
    table.remove(other)
    table.add(one)
    assert 2 == len(firsts)


async def test_a_listener_at_rest_answers_with_the_present_date() -> None:
    """The date of its last tick may be ten seconds old; the first connection ends the rest."""
    async with served(App()) as one:
        listener = one.listener
        for _ in range(2000):
            if listener.is_resting:
                break
            await asyncio.sleep(0.005)
        assert listener.is_resting
        listener.server_state.default_headers = [(b"date", b"long ago")]
        reader, _ = await one.open(GET)
        async with asyncio.timeout(30):
            head = await reader.readuntil(b"\r\n\r\n")

    assert b"\r\ndate: " in head
    assert b"long ago" not in head
    assert not listener.is_resting
