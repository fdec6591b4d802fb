"""Long and stalled bodies share limits; honest deliveries pass whatever others send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.installed import installed
from api.private_socket import private_url
from events.inbox_kit import SECRET
from paraph.api import app as api_app
from paraph.api.proxy import REPEATABLE_BYTES
from paraph.http import body as http_body
from paraph.http.body import FREE_BYTES, BodyError, BodyReader
from paraph.service.fast_routes import public_fast_routes
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.zoom.webhook_verification import MAX_BODY_BYTES
from service.served import Served, served
from service.webhook_fuzzing import NOW, endpoint, public_side
from service_kit import running

pytestmark = pytest.mark.anyio

EVENT = b'{"event":"meeting.ended","payload":{"account_id":"AbcDEFghiJKLmnoPQRst01"}}'


def head(signature: str, length: int) -> bytes:
    """The head of a delivery."""
    return (
        f"POST /webhook HTTP/1.1\r\nhost: a\r\nx-zm-request-timestamp: {NOW}\r\n"
        f"x-zm-signature: {signature}\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


@pytest.fixture(params=["fast path", "ASGI path"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    """The webhook on a socket, on both paths."""
    webhook = endpoint()
    app = public_side(webhook)
    routes = public_fast_routes(app)
    async with served(app, routes if request.param == "fast path" else None) as one:
        yield one
    webhook.watch.close()


async def test_stalled_bodies_keep_no_honest_delivery_out(side: Served) -> None:
    """A delivery in two pieces passes a hundred unsigned bodies, each a byte short of its end."""
    stalled = head("v0=" + "0" * 64, MAX_BODY_BYTES) + b"x" * (MAX_BODY_BYTES - 1)
    writers = []
    for _ in range(100):
        _reader, writer = await side.open(stalled)
        writers.append(writer)
    for writer in writers:
        await writer.drain()
    signature = sign(SECRET.reveal(), str(NOW), EVENT)

    assert 200 == await side.status(head(signature, len(EVENT)) + EVENT[:20], EVENT[20:])


@pytest.mark.slow
@pytest.mark.parametrize("count", [1000])
async def test_a_thousand_stalled_bodies_keep_no_honest_delivery_out(
    side: Served, count: int
) -> None:
    """Short and stalled ones as well, for as long as they are held open."""
    stalled = head("v0=" + "0" * 64, 60_000) + b"x" * 50_000
    for _ in range(count):
        await side.open(stalled)
    signature = sign(SECRET.reveal(), str(NOW), EVENT)
    for _ in range(5):
        assert 200 == await side.status(head(signature, len(EVENT)) + EVENT[:20], EVENT[20:])


class Sender:
    """A body that arrives when the test says so."""

    def __init__(self, address: str = "a") -> None:
        self.scope = {"address": address}
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def send(self, size: int, *, more: bool = True) -> None:
        """Some bytes."""
        self._queue.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": more})

    def leave(self) -> None:
        """Close the connection."""
        self._queue.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> Any:
        """As ASGI has it."""
        return await self._queue.get()


async def settle() -> None:
    """Let the readers read."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _read(reader: BodyReader, sender: Sender, *, seconds: float = 5.0) -> bytes:
    body = await reader.read(sender.receive, sender.scope, limit=MAX_BODY_BYTES, seconds=seconds)
    return bytes(body)


class Readings:
    """Bodies that are being read."""

    def __init__(self) -> None:
        self.reader = BodyReader(lambda scope: scope["address"])
        self._tasks: list[asyncio.Task[str]] = []

    async def begin(self, size: int, address: str = "a") -> Sender:
        """A body of which so much is here, and counted beyond what is free."""
        sender = Sender(address)
        sender.send(FREE_BYTES + size)
        self._tasks.append(asyncio.create_task(self._read(sender)))
        await settle()
        return sender

    async def _read(self, sender: Sender) -> str:
        try:
            return str(len(await _read(self.reader, sender)) - FREE_BYTES)
        except BodyError as error:
            return type(error).__name__

    def ended(self) -> list[int]:
        """Which of them are over."""
        return [number for number, task in enumerate(self._tasks) if task.done()]

    def result(self, number: int) -> str:
        """How one ended."""
        return self._tasks[number].result()

    def cancel(self) -> None:
        """End them all."""
        for task in self._tasks:
            task.cancel()

    async def all(self) -> list[str]:
        """How they ended."""
        return await asyncio.gather(*self._tasks)


SLOW = "BodyTooSlow"


async def test_the_oldest_long_body_of_an_address_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer one is read on, and so are those of other addresses."""
    monkeypatch.setattr(http_body, "MOST_BYTES_PER_ADDRESS", 1000)
    readings = Readings()
    other = await readings.begin(900, "b")
    first = await readings.begin(600)
    second = await readings.begin(300)
    third = await readings.begin(400)
    assert [1] == readings.ended()
    for sender in (other, second, third):
        sender.send(1, more=False)
    assert ["901", SLOW, "301", "401"] == await readings.all()
    first.send(1)
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)


async def test_the_oldest_long_body_of_all_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends it: all addresses together hold no more than a fixed amount."""
    monkeypatch.setattr(http_body, "MOST_BYTES", 1000)
    readings = Readings()
    senders = [await readings.begin(300, str(number)) for number in range(5)]
    assert [0, 1] == readings.ended()
    senders[2].send(500)
    await settle()
    assert [0, 1, 3, 4] == readings.ended()
    senders[2].send(0, more=False)
    assert [SLOW, SLOW, "800", SLOW, SLOW] == await readings.all()
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)


async def test_a_body_that_gets_on_is_not_the_one_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An honest long body outlives any number of stalled ones, also newer ones."""
    monkeypatch.setattr(http_body, "MOST_BYTES", 1000)
    readings = Readings()
    honest = await readings.begin(10, "honest")
    for number in range(20):
        await readings.begin(300, str(number))
        honest.send(1)
        await settle()
    honest.send(0, more=False)
    await settle()
    assert 0 in readings.ended()
    assert "30" == readings.result(0)
    readings.cancel()


async def test_short_bodies_are_counted_against_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of them may be under way, and no address is looked up for them."""
    monkeypatch.setattr(http_body, "MOST_BYTES", 0)
    monkeypatch.setattr(http_body, "MOST_BYTES_PER_ADDRESS", 0)
    reader = BodyReader(lambda _scope: pytest.fail("an address was looked up"))
    senders = [Sender() for _ in range(200)]
    reading = [asyncio.create_task(_read(reader, one)) for one in senders]
    for sender in senders:
        sender.send(FREE_BYTES - 1)
        sender.send(1, more=False)

    assert [FREE_BYTES] * 200 == [len(body) for body in await asyncio.gather(*reading)]


async def test_an_ended_body_gets_on_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next piece arrives in the event loop iteration in which another body ends it."""
    monkeypatch.setattr(http_body, "MOST_BYTES_PER_ADDRESS", 1000)
    readings = Readings()
    ended, newer, newest = [await readings.begin(300) for _ in range(3)]
    newer.send(300)
    ended.send(1)
    await settle()
    assert [0] == readings.ended()
    assert readings.reader._all.counted == readings.reader._by_address["a"].counted == 900
    for sender in (newer, newest):
        sender.send(0, more=False)
    assert [SLOW, "600", "300"] == await readings.all()
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)


async def test_a_body_may_end_in_the_moment_of_its_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that exceeds the limit gets on, and nothing stays counted."""
    monkeypatch.setattr(http_body, "MOST_BYTES_PER_ADDRESS", 1000)
    readings = Readings()
    await readings.begin(600)
    newer = await readings.begin(300)
    oldest = next(iter(readings.reader._all.readings))
    # Its time is over and its task has not run yet: the newer body's task is the next one.
    newer.send(300)
    oldest.deadline._on_timeout()  # type: ignore[attr-defined]
    assert oldest.deadline.expired()
    await settle()
    assert (600, [0]) == (readings.reader._all.counted, readings.ended())
    newer.send(0, more=False)
    assert [SLOW, "600"] == await readings.all()
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)


async def test_a_body_that_is_too_long_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """However a reading ends, it holds nothing afterwards."""
    readings = Readings()
    sender = await readings.begin(10)
    sender.send(MAX_BODY_BYTES)
    assert ["BodyTooLong"] == await readings.all()
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)


async def test_a_body_that_does_not_arrive_ends_alone() -> None:
    """Each has its own time; one that ends leaves its task able to wait again."""
    reader = BodyReader()

    async def outcome(sender: Sender, seconds: float) -> str:
        try:
            await _read(reader, sender, seconds=seconds)
        except BodyError as error:
            await asyncio.sleep(0)
            return type(error).__name__
        return "in time"

    silent, whole, late = Sender(), Sender(), Sender()
    whole.send(1, more=False)
    late.send(1)
    reading = [
        asyncio.create_task(outcome(silent, 0.01)),
        asyncio.create_task(outcome(whole, 5)),
        asyncio.create_task(outcome(late, 5)),
    ]
    assert SLOW == await reading[0]
    late.send(1, more=False)
    assert ["in time", "in time"] == await asyncio.gather(*reading[1:])


async def test_a_cancelled_task_is_not_a_slow_body() -> None:
    """A cancellation from outside passes, also in the moment in which the body is given up."""
    readings = Readings()
    await readings.begin(10)
    (long,) = readings.reader._all.readings
    long.deadline.reschedule(asyncio.get_running_loop().time())
    readings.cancel()
    with pytest.raises(asyncio.CancelledError):
        await readings.all()


async def test_a_caller_that_is_gone_is_not_waited_for() -> None:
    """Its body ends at once, and holds nothing."""
    readings = Readings()
    sender = await readings.begin(10)
    sender.leave()
    assert ["CallerGone"] == await readings.all()
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)


@pytest.mark.parametrize("path", ["/v1/link-requests", "/v1/claims/x/decline"])
async def test_a_body_that_does_not_come_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Announced and never sent: 408, and the connection ends."""
    monkeypatch.setattr(api_app, "READ_SECONDS", 0.05)
    async with running(tmp_path) as kit, private_url(kit.service) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{".encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert b"HTTP/1.1 408 Request Timeout" == answer.partition(b"\r\n")[0]
    assert b'"code":"too_slow"' in answer


@pytest.mark.parametrize("begun", [b"{", b"x" * (REPEATABLE_BYTES + 1)])
async def test_a_body_for_zoom_that_stops_arriving_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """With a key, too, and also when the call to Zoom has begun already."""
    monkeypatch.setattr(http_body, "READ_SECONDS", 0.5)
    async with installed(tmp_path) as one, private_url(one.kit.service) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        head = (
            f"POST {one.zoom_path}/v2/users/me/meetings HTTP/1.1\r\nhost: x\r\n"
            f"authorization: {one.api.headers['authorization']}\r\n"
            f"content-length: {len(begun) + 9}\r\n\r\n"
        )
        writer.write(head.encode() + begun)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert b"HTTP/1.1 408 Request Timeout" == answer.partition(b"\r\n")[0]
