"""The fast path answers as the ASGI path does, byte for byte, to any bytes in any pieces."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.inbox_kit import SECRET
from paraph.endpoints.routes import PublicSide
from paraph.errors import StorageError
from paraph.http.endpoint import ReadBody, ReadTogether, Steps, Wait
from paraph.http.fast_path.batch import Batch, FastRoute, FindRoute
from paraph.http.listener.bounded_protocol import MOST_BEHIND
from paraph.http.response import CompleteResponse, Fields
from paraph.service.fast_routes import public_fast_routes
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.zoom.webhook_verification import FreshHeaders
from service import connection_kit
from service.connection_kit import ITERATIONS, Transport, connection, feed
from service.webhook_fuzzing import NOW, endpoint, public_side
from service.webhook_requests import CASES, CHALLENGE, EVENT, FORGED, request


async def responses(pieces: Sequence[bytes], *, is_fast: bool, stopping: bool = False) -> list[Any]:
    """What is written after each piece, whether the connection lives, and what was counted."""
    webhook = endpoint()
    app = public_side(webhook)
    find_route = public_fast_routes(app) if is_fast else None
    async with connection(app, find_route) as (serving, transport):
        seen = await feed(serving, transport, pieces, stopping=stopping)
        if not transport.closed:
            # Behind a broken request the ASGI path drops what it had not begun.
            seen.append((dict(webhook.watch.refused), webhook._inbox.flow.kept, webhook.watch.late))
    webhook.watch.close()
    return seen


def both(pieces: Sequence[bytes], *, stopping: bool = False) -> tuple[list[Any], list[Any]]:
    """The same pieces, on either way."""

    async def run() -> tuple[list[Any], list[Any]]:
        return (
            await responses(pieces, is_fast=False, stopping=stopping),
            await responses(pieces, is_fast=True, stopping=stopping),
        )

    return asyncio.run(run())


@pytest.mark.parametrize("name", CASES)
def test_the_same_answers(name: str) -> None:
    """Each of these is answered alike, counted alike, and leaves the connection alike."""
    asgi, fast = both(CASES[name])
    assert asgi == fast


@pytest.mark.parametrize(
    ("signature", "trailer", "status"),
    [
        (None, b"x-zm-signature: v0=" + b"0" * 64, 200),
        ("", b"x-zm-signature: " + sign(SECRET.reveal(), str(NOW), EVENT).encode(), 401),
    ],
    ids=["another signature", "the only signature"],
)
def test_a_trailer_is_no_header(signature: str | None, trailer: bytes, status: int) -> None:
    """A trailer was not there when the head was checked, by us or by a proxy."""
    whole = request(chunked=True, signature=signature).replace(b"x-zm-signature: \r\n", b"")
    asgi, fast = both([whole[:-2] + trailer + b"\r\n\r\n"])
    assert asgi == fast
    assert fast[0][0].startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("more", [0, 1, 200])
def test_the_same_bound(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests behind each other are answered as on the ASGI path, and then none."""
    monkeypatch.setattr(connection_kit, "ITERATIONS", 4 * MOST_BEHIND)
    refused = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    asgi, fast = both([refused * (1 + MOST_BEHIND + more)])
    assert asgi == fast
    written, closed, _held = fast[0]
    assert written.count(b"HTTP/1.1 401") == (0 if more else 1 + MOST_BEHIND)
    assert closed is bool(more)


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("line", [b"POST /webhook HTTP/1.1", b"POST /elsewhere HTTP/1.1"])
def test_the_same_bound_for_a_mixture(
    line: bytes, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that the fast path has answered count with those that wait behind them."""
    monkeypatch.setattr(connection_kit, "ITERATIONS", 4 * MOST_BEHIND)
    refused = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    stream = refused * 10 + request(line=line) + refused * (MOST_BEHIND - 10 + more)
    asgi, fast = both([stream])
    assert asgi == fast
    assert fast[0][1] is bool(more)


BROKEN = b"z\r\n"


@pytest.mark.parametrize("piece", [request(), FORGED, request(chunked=True)[:-5] + BROKEN])
def test_an_ended_connection_is_freed(piece: bytes) -> None:
    """A connection that has ended is freed at once, and what came on it: it may be long."""

    async def run() -> Any:
        webhook = endpoint()
        app = public_side(webhook)
        async with connection(app, public_fast_routes(app)) as (serving, transport):
            await feed(serving, transport, [piece])
            gone = weakref.ref(serving)
            del serving
        webhook.watch.close()
        return gone()

    gc.disable()
    try:
        assert asyncio.run(run()) is None
    finally:
        gc.enable()


async def settle() -> None:
    """Let the batch end, and what follows from it."""
    for _ in range(ITERATIONS):
        await asyncio.sleep(0)


def test_a_connection_lost_before_its_batch() -> None:
    """The event is kept, nothing is written, and others of the same batch are answered."""

    async def run() -> tuple[bytes, bytes, int]:
        webhook, batch = endpoint(), Batch()
        app = public_side(webhook)
        routes = public_fast_routes(app)
        async with (
            connection(app, routes, batch=batch) as (lost, silent),
            connection(app, routes, batch=batch) as (serving, transport),
        ):
            lost.data_received(request())
            serving.data_received(request(b'{"event":"a.b","payload":{"account_id":"x"}}'))
            lost.connection_lost(None)
            await settle()
            kept = webhook._inbox.flow.kept
        webhook.watch.close()
        return silent.written, transport.written, kept

    nothing, written, kept = asyncio.run(run())
    assert (nothing, kept) == (b"", 2)
    assert written.count(b"HTTP/1.1 200 OK") == 1


def found(route: FastRoute) -> FindRoute:
    """Routes in which every target has the same one."""
    return lambda _target: route


def test_an_endpoint_that_fails_ends_one_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """Others of its batch are answered, also those of other routes, and nothing of it is logged."""

    def fragile(_scope: Any, _named: Any) -> Steps:
        body = yield ReadBody(100, 1.0)
        if b"bad" in body:
            raise RuntimeError("a-canary")
        return CompleteResponse(200, Fields(), b"fine")

    async def run() -> list[Transport]:
        webhook, batch = endpoint(), Batch()
        app = public_side(webhook)
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(connection(app, routes, batch=batch))
                for routes in (
                    *[found(FastRoute(b"POST", fragile))] * 4,
                    public_fast_routes(app),
                )
            ]
            bodies = (b"good", b"bad", b"good", b"bad", EVENT)
            for (serving, _), body in zip(opened, bodies, strict=True):
                serving.data_received(request(body))
            await settle()
            closed = [transport.closed for _, transport in opened]
            assert [False, True, False, True, False] == closed
        webhook.watch.close()
        return [transport for _, transport in opened]

    counts = [one.written.count(b"HTTP/1.1 200 OK") for one in asyncio.run(run())]
    assert [1, 0, 1, 0, 1] == counts
    assert "a-canary" not in "".join(capsys.readouterr())


def test_a_delivery_whose_check_fails_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered 503 on both paths, since Zoom sends that again; those beside it are kept."""
    bad = b'{"event":"a.bad","payload":{"account_id":"x"}}'

    verify = FreshHeaders.verify

    def failing(fresh: FreshHeaders, body: bytes, *, secrets: Any) -> Any:
        if body == bad:
            raise RuntimeError
        return verify(fresh, body, secrets=secrets)

    monkeypatch.setattr(FreshHeaders, "verify", failing)

    async def run(*, is_fast: bool) -> list[bytes]:
        webhook, batch = endpoint(), Batch()
        app = public_side(webhook)
        routes = public_fast_routes(app) if is_fast else None
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(connection(app, routes, batch=batch))
                for _ in range(3)
            ]
            for (serving, _), body in zip(opened, (EVENT, bad, CHALLENGE), strict=True):
                serving.data_received(request(body))
            await settle()
        webhook.watch.close()
        return [transport.written[9:12] for _, transport in opened]

    for is_fast in (True, False):
        assert [b"200", b"503", b"200"] == asyncio.run(run(is_fast=is_fast))


async def _run(
    steps: Callable[[Any, Any], Steps], requests: Sequence[bytes], *, app: Any = None
) -> list[Transport]:
    """Send each request on a connection of its own, in one batch, to an endpoint."""
    batch = Batch()
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                connection(app or deaf, found(FastRoute(b"POST", steps)), batch=batch)
            )
            for _ in requests
        ]
        for (serving, _), raw in zip(opened, requests, strict=True):
            serving.data_received(raw)
        await settle()
    return [transport for _, transport in opened]


async def deaf(_scope: Any, _receive: Any, _send: Any) -> None:
    """An app that no request may reach."""
    raise AssertionError("the ASGI path was taken")


def test_a_context_variable_is_the_requests_own() -> None:
    """What an endpoint sets before it waits is there afterwards, and not in others of its batch."""
    name: ContextVar[bytes] = ContextVar("name", default=b"none")

    async def read() -> bytes:
        return name.get()

    def steps(_scope: Any, _named: Any) -> Steps:
        body = yield ReadBody(100, 1.0)
        before = name.get()
        name.set(body)
        in_task = yield Wait(read())
        return CompleteResponse(200, Fields(), b"%b %b %b" % (before, in_task, name.get()))

    written = asyncio.run(_run(steps, [request(b"a"), request(b"b")]))
    assert [b"none a a", b"none b b"] == [one.written.rpartition(b"\n")[2] for one in written]


def test_an_endpoint_ends_where_its_body_does_not_come() -> None:
    """Its `finally` runs when the ASGI path takes the request over, or the rest is malformed."""
    ended: list[bytes] = []

    def steps(scope: Any, _named: Any) -> Steps:
        try:
            yield ReadBody(100, 1.0)
        finally:
            ended.append(scope["target"])
        raise AssertionError("the body has not come")

    async def ignored(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()

    async def run() -> None:
        for raw in (request()[:-1], request(chunked=True)[:-5] + BROKEN):
            routes = found(FastRoute(b"POST", steps))
            async with connection(ignored, routes) as (serving, _transport):
                serving.data_received(raw)

    asyncio.run(run())
    assert [b"/webhook"] * 2 == ended


def test_an_endpoint_that_waits_before_the_body_takes_the_asgi_path() -> None:
    """It is closed, its coroutine is not started, and ASGI begins it again."""
    reached: list[str] = []

    async def work() -> None:
        raise AssertionError("it was started")

    def steps(_scope: Any, _named: Any) -> Steps:
        yield Wait(work())
        raise AssertionError("it was continued")

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        reached.append(scope["path"])

    asyncio.run(_run(steps, [request()], app=app))
    assert ["/webhook"] == reached


def test_a_step_is_read_together_and_alone_where_that_fails() -> None:
    """One read serves a batch; if it fails each key is read alone, and one bad key fails alone."""
    asked: list[list[bytes]] = []

    def read(keys: Sequence[bytes]) -> list[bytes]:
        asked.append(list(keys))
        if b"bad" in keys:
            raise StorageError("a bad key")
        return [key.upper() for key in keys]

    def steps(_scope: Any, _named: Any) -> Steps:
        try:
            value = yield ReadTogether(read, (yield ReadBody(100, 1.0)))
        except StorageError:
            return CompleteResponse(503, Fields(), b"")
        return CompleteResponse(200, Fields(), value)

    good = asyncio.run(_run(steps, [request(b"a"), request(b"b")]))
    assert [[b"a", b"b"]] == asked
    assert [b"A", b"B"] == [one.written.rpartition(b"\n")[2] for one in good]
    asked.clear()
    mixed = asyncio.run(_run(steps, [request(b"a"), request(b"bad"), request(b"b")]))
    assert [[b"a", b"bad", b"b"], [b"a"], [b"bad"], [b"b"]] == asked
    assert [b"200", b"503", b"200"] == [one.written[9:12] for one in mixed]


@pytest.mark.parametrize(
    "path", ["/%77ebhook", "/webhoo%6b", "/%2fwebhook", "/webhook%2f", "//webhook"]
)
def test_another_spelling_is_not_the_webhook(path: str) -> None:
    """Paths are compared as they stand in the request, on both paths."""
    for written in both([request(line=f"POST {path} HTTP/1.1".encode())]):
        assert written[0][0].startswith(b"HTTP/1.1 404")


def test_a_body_in_many_chunks_is_read() -> None:
    """Joined once, however many there are."""
    chunks = b"".join(b"1\r\n%c\r\n" % one for one in EVENT)
    whole = request(chunked=True)
    asgi, fast = both([whole[: whole.index(b"\r\n\r\n") + 4] + chunks + b"0\r\n\r\n"])
    assert asgi == fast
    assert fast[0][0].startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("name", ["kept", "body later", "two at once"])
def test_the_same_end(name: str) -> None:
    """A server that stops answers what is under way, says that it closes, and closes."""
    asgi, fast = both(CASES[name], stopping=True)
    assert asgi == fast


_REQUESTS = st.one_of(
    st.sampled_from([piece for pieces in CASES.values() for piece in pieces]),
    st.builds(
        request,
        st.sampled_from([EVENT, CHALLENGE, b"", b"[]", b"{}", b"\xff", b"x" * 3000]),
        stamp=st.sampled_from([NOW, NOW - 7200, NOW - 7201, NOW + 301, f"+{NOW}", "", "1e9"]),
        signature=st.sampled_from([None, None, "v0=" + "a" * 64, "v0=", "v1=" + "a" * 64]),
        line=st.sampled_from(
            [b"POST /webhook HTTP/1.1"] * 4 + [b"GET /webhook HTTP/1.1", b"POST /webhook/ HTTP/1.1"]
        ),
        more=st.lists(
            st.sampled_from(
                [
                    b"Connection: keep-alive",
                    b"connection: CLOSE",
                    b"Expect: 100-continue",
                    b"X-Zm-Trackingid: 1",
                    b"Content-Length: 3",
                    b"x-zm-signature: v0=",
                ]
            ),
            max_size=2,
        ),
        length=st.none() | st.integers(0, 120),
        chunked=st.booleans(),
    ),
    st.binary(max_size=40),
)
_SPOILT = st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=2)), max_size=2)


@given(st.lists(_REQUESTS, min_size=1, max_size=4), _SPOILT, st.lists(st.integers(0, 4000)))
@example([request(), request()], [], [600, 700])
def test_the_same_answers_to_anything(
    requests: list[bytes], spoilt: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    """Requests of every kind, behind each other, spoilt anywhere and cut anywhere."""
    stream = b"".join(requests)
    for place, other in spoilt:
        at = place % (len(stream) + 1)
        stream = stream[:at] + other + stream[at + 1 :]
    edges = sorted({0, *(min(cut, len(stream)) for cut in cuts), len(stream)})
    pieces = [stream[start:end] for start, end in pairwise(edges)]
    asgi, fast = both(pieces)
    assert asgi == fast


def test_a_fresh_delivery_makes_no_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast path is really taken: ASGI hears nothing of a delivery that came in one piece."""
    reached: list[str] = []

    async def note(_side: PublicSide, scope: Any, _receive: Any, _send: Any) -> None:
        reached.append(scope["path"])

    monkeypatch.setattr(PublicSide, "__call__", note)
    written, _closed, _held = asyncio.run(responses([request() + FORGED], is_fast=True))[0]
    assert (written.count(b"HTTP/1.1 200 OK"), written.count(b"HTTP/1.1 401")) == (1, 0)
    assert reached == ["/webhook"]
