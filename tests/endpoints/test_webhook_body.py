"""Long and stalled bodies share limits; honest deliveries pass whatever others send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.inbox_kit import SECRET
from paraph.endpoints import webhook_body
from paraph.endpoints.webhook_body import FREE_BYTES, BodyReader
from paraph.errors import DeliveryRejected
from paraph.service.fast_routes import public_judges
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.zoom.webhook import MAX_BODY_BYTES
from service.served import Served, served
from service.webhook_fuzzing import NOW, endpoint

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

    async def elsewhere(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("only deliveries come here")

    webhook = endpoint(otherwise=elsewhere)
    lane = public_judges(webhook, lambda _scope, _named: None)
    async with served(webhook, lane if request.param == "fast path" else None) as one:
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

    async def receive(self) -> Any:
        """As ASGI has it."""
        return await self._queue.get()


async def turns() -> None:
    """Let the readers read."""
    for _ in range(10):
        await asyncio.sleep(0)


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
        await turns()
        return sender

    async def _read(self, sender: Sender) -> str:
        try:
            return str(len(await self.reader.read(sender.receive, sender.scope)) - FREE_BYTES)
        except DeliveryRejected as error:
            return error.detail

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


SLOW = "the body came too slowly"


async def test_the_oldest_long_body_of_an_address_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer one is read on, and so are those of other addresses."""
    monkeypatch.setattr(webhook_body, "MOST_BYTES_PER_ADDRESS", 1000)
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
    monkeypatch.setattr(webhook_body, "MOST_BYTES", 1000)
    readings = Readings()
    senders = [await readings.begin(300, str(number)) for number in range(5)]
    assert [0, 1] == readings.ended()
    senders[2].send(500)
    await turns()
    assert [0, 1, 3, 4] == readings.ended()
    senders[2].send(0, more=False)
    assert [SLOW, SLOW, "800", SLOW, SLOW] == await readings.all()
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)


async def test_a_body_that_gets_on_is_not_the_one_that_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An honest long body outlives any number of stalled ones, also newer ones."""
    monkeypatch.setattr(webhook_body, "MOST_BYTES", 1000)
    readings = Readings()
    honest = await readings.begin(10, "honest")
    for number in range(20):
        await readings.begin(300, str(number))
        honest.send(1)
        await turns()
    honest.send(0, more=False)
    await turns()
    assert 0 in readings.ended()
    assert "30" == readings.result(0)
    readings.cancel()


async def test_short_bodies_are_counted_against_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of them may be under way, and no address is looked up for them."""
    monkeypatch.setattr(webhook_body, "MOST_BYTES", 0)
    monkeypatch.setattr(webhook_body, "MOST_BYTES_PER_ADDRESS", 0)
    reader = BodyReader(lambda _scope: pytest.fail("an address was looked up"))
    senders = [Sender() for _ in range(200)]
    reading = [asyncio.create_task(reader.read(one.receive, one.scope)) for one in senders]
    for sender in senders:
        sender.send(FREE_BYTES - 1)
        sender.send(1, more=False)

    assert [FREE_BYTES] * 200 == [len(body) for body in await asyncio.gather(*reading)]


async def test_a_body_that_is_too_long_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """However a reading ends, it holds nothing afterwards."""
    readings = Readings()
    sender = await readings.begin(10)
    sender.send(MAX_BODY_BYTES)
    assert ["the body is too long"] == await readings.all()
    assert (0, {}) == (readings.reader._all.counted, readings.reader._by_address)
