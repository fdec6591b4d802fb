"""The fast lane answers what the plain way answers, byte for byte, whatever arrives and however."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events.inbox_kit import SECRET
from paraph.endpoints.webhook_endpoint import WebhookEndpoint
from paraph.http.fast_path.protocol import Request, Turn
from paraph.http.listener.bounded_protocol import MOST_BEHIND
from paraph.http.response import Answer, Fields
from paraph.service.fast_routes import public_judges
from paraph.simulator.webhooks.webhook_sender import sign
from service import lane_kit
from service.lane_kit import TURNS, Transport, connection, turns
from service.webhook_fuzzing import NOW, endpoint

EVENT = b'{"event":"meeting.ended","payload":{"account_id":"AbcDEFghiJKLmnoPQRst01"}}'
CHALLENGE = b'{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'


async def answers(pieces: Sequence[bytes], *, lane: bool, going: bool = False) -> list[Any]:
    """What is written after each piece, whether the connection lives, and how it was judged."""
    judge = endpoint(otherwise=elsewhere)
    judges = public_judges(judge, nobody) if lane else None
    async with connection(judge, judges) as (serving, transport):
        seen = await turns(serving, transport, pieces, going=going)
        if not transport.closed:
            # Behind a broken request the plain way forgets what it had not begun.
            seen.append((dict(judge.watch.refused), judge._inbox.flow.kept, judge.watch.late))
    judge.watch.close()
    return seen


def nobody(_scope: Any, _named: Any) -> None:
    """No redirect comes here."""


async def elsewhere(_scope: Any, receive: Any, send: Any) -> None:
    """Everything that is no delivery."""
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"none"})


def request(
    body: bytes = EVENT,
    *,
    stamp: object = NOW,
    signature: str | None = None,
    line: bytes = b"POST /webhook HTTP/1.1",
    more: Sequence[bytes] = (),
    length: int | None = None,
    chunked: bool = False,
) -> bytes:
    """A delivery as Zoom sends it, but for what is said."""
    given_signature = sign(SECRET.reveal(), str(stamp), body) if signature is None else signature
    head = [
        line,
        b"Host: app.example",
        b"User-Agent: Zoom Marketplace/1.0a",
        b"Content-Type: application/json; charset=utf-8",
        f"x-zm-request-timestamp: {stamp}".encode(),
        f"x-zm-signature: {given_signature}".encode(),
        *more,
    ]
    if chunked:
        head.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    else:
        head.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join([*head, b"", body])


def both(pieces: Sequence[bytes], *, going: bool = False) -> tuple[list[Any], list[Any]]:
    """The same pieces, on either way."""

    async def run() -> tuple[list[Any], list[Any]]:
        return (
            await answers(pieces, lane=False, going=going),
            await answers(pieces, lane=True, going=going),
        )

    return asyncio.run(run())


FORGED = request(signature="v0=" + "0" * 64)
STALE = request(stamp=NOW - 9000)
CASES: dict[str, list[bytes]] = {
    "kept": [request()],
    "kept twice": [request(), request()],
    "two at once": [request() + request(b'{"event":"a.b","payload":{"account_id":"x"}}')],
    "forged": [FORGED],
    "stale": [STALE],
    "stale, then again": [STALE + STALE + STALE],
    "ahead": [request(stamp=NOW + 400)],
    "no headers": [b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"],
    "challenge": [request(CHALLENGE)],
    "many challenges": [request(CHALLENGE) * 25],
    "no event": [request(b"[]")],
    "announced too long": [request(length=1 << 21)],
    "announced too long to count": [request(length=10**30)],
    "chunked": [request(chunked=True)],
    "chunked and forged": [request(chunked=True, signature="v0=" + "1" * 64)],
    "broken chunks": [FORGED.replace(b"Content-Length: 77", b"Transfer-Encoding: chunked")],
    "body later": [request()[:-20], request()[-20:]],
    "body in three pieces": [request()[:-50], request()[-50:-10], request()[-10:]],
    "body never": [request()[:-1]],
    "forged, body later": [FORGED[:-20], FORGED[-20:]],
    "stale, body later, then kept": [STALE + STALE[:-20], STALE[-20:], request()],
    "head in two pieces": [request()[:60], request()[60:]],
    "byte by byte": [bytes([one]) for one in request()],
    "expects": [request(more=[b"Expect: 100-continue"])],
    "expects, body later": [
        request(more=[b"Expect: 100-continue"])[: -len(EVENT)],
        EVENT,
    ],
    "closes": [request(more=[b"Connection: close"])],
    "closes, forged": [request(signature="v0=", more=[b"Connection: close"])],
    "version 1.0": [request(line=b"POST /webhook HTTP/1.0")],
    "upgrade": [request(more=[b"Connection: upgrade", b"Upgrade: websocket"])],
    "a delivery behind an upgrade": [
        request(more=[b"Connection: upgrade", b"Upgrade: h2c"]),
        request(),
    ],
    "many headers": [request(more=[b"a: b"] * 94)],
    "too many headers": [request(more=[b"a: b"] * 95)],
    "a refusal with many small chunks": [
        FORGED[: FORGED.index(b"Content-Length")]
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"1\r\na\r\n" * 79
        + b"0\r\n\r\n"
    ],
    "many small chunks in two pieces": [
        request(chunked=True, signature="")[:-200].partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
        b"1\r\na\r\n" * 50,
        b"1\r\na\r\n" * 40 + b"0\r\n\r\n",
    ],
    "another method": [request(line=b"PUT /webhook HTTP/1.1")],
    "another spelling": [request(line=b"POST /%77ebhook HTTP/1.1")],
    "a query": [request(line=b"POST /webhook?x=1 HTTP/1.1")],
    "an absolute target": [request(line=b"POST http://app.example/webhook HTTP/1.1")],
    "another path": [request(line=b"POST /elsewhere HTTP/1.1")],
    "another path behind a delivery": [request() + request(line=b"POST /elsewhere HTTP/1.1")],
    "a delivery behind another path": [request(line=b"POST /elsewhere HTTP/1.1") + request()],
    "a refusal behind a delivery": [request() + FORGED + STALE],
    "garbage behind a refusal": [FORGED + b"GARBAGE\0\r\n\r\n"],
    "garbage behind a delivery": [request() + b"GARBAGE\0\r\n\r\n"],
    "garbage later": [FORGED, b"GARBAGE\0\r\n\r\n"],
    "two lengths": [request(more=[b"Content-Length: 5"])],
    "length and chunks": [request(more=[b"Transfer-Encoding: chunked"])],
    "two signatures": [request(more=[b"x-zm-signature: v0=" + b"0" * 64])],
    "two timestamps": [request(more=[b"X-Zm-Request-Timestamp: 1"])],
    "a header without a name": [request(more=[b": nobody"])],
    "a folded header": [request(more=[b"x-a: 1\r\n 2"])],
    "a control in a header": [request(more=[b"x-a: \x01"])],
    "high bytes in a header": [request(more=[b"x-a: \xff\xfe"])],
    "an empty body": [request(b"")],
    "line breaks before": [b"\r\n\r\n" + request()],
    "a trace": [request(more=[b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"])],
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_answers(name: str) -> None:
    """Each of these is answered alike, counted alike, and leaves the connection alike."""
    plain, lane = both(CASES[name])
    assert plain == lane


@pytest.mark.parametrize(
    ("signature", "trailer", "status"),
    [
        (None, b"x-zm-signature: v0=" + b"0" * 64, 200),
        ("", b"x-zm-signature: " + sign(SECRET.reveal(), str(NOW), EVENT).encode(), 401),
    ],
    ids=["another signature", "the only signature"],
)
def test_a_trailer_is_no_header(signature: str | None, trailer: bytes, status: int) -> None:
    """What stands behind a body was not there when its head was judged, by us or by a proxy."""
    whole = request(chunked=True, signature=signature).replace(b"x-zm-signature: \r\n", b"")
    plain, lane = both([whole[:-2] + trailer + b"\r\n\r\n"])
    assert plain == lane
    assert lane[0][0].startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("more", [0, 1, 200])
def test_the_same_bound(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests behind each other are answered as on the plain way, and then none."""
    monkeypatch.setattr(lane_kit, "TURNS", 4 * MOST_BEHIND)
    refused = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    plain, lane = both([refused * (1 + MOST_BEHIND + more)])
    assert plain == lane
    written, closed, _held = lane[0]
    assert written.count(b"HTTP/1.1 401") == (0 if more else 1 + MOST_BEHIND)
    assert closed is bool(more)


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("line", [b"POST /webhook HTTP/1.1", b"POST /elsewhere HTTP/1.1"])
def test_the_same_bound_for_a_mixture(
    line: bytes, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the lane has answered already counts with what waits behind it."""
    monkeypatch.setattr(lane_kit, "TURNS", 4 * MOST_BEHIND)
    refused = b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    stream = refused * 10 + request(line=line) + refused * (MOST_BEHIND - 10 + more)
    plain, lane = both([stream])
    assert plain == lane
    assert lane[0][1] is bool(more)


BROKEN = b"z\r\n"


@pytest.mark.parametrize("piece", [request(), FORGED, request(chunked=True)[:-5] + BROKEN])
def test_what_is_over_is_let_go(piece: bytes) -> None:
    """A connection that has ended is freed at once, and what came on it: it may be long."""

    async def run() -> Any:
        judge = endpoint(otherwise=elsewhere)
        async with connection(judge, public_judges(judge, nobody)) as (serving, transport):
            await turns(serving, transport, [piece])
            gone = weakref.ref(serving)
            del serving
        judge.watch.close()
        return gone()

    gc.disable()
    try:
        assert asyncio.run(run()) is None
    finally:
        gc.enable()


async def settle() -> None:
    """Let the turn end, and what follows from it."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def test_a_connection_lost_before_its_turn() -> None:
    """The event is kept, nobody is told, and others of the same turn are answered."""

    async def run() -> tuple[bytes, bytes, int]:
        judge, turn = endpoint(otherwise=elsewhere), Turn()
        lane = public_judges(judge, nobody)
        async with (
            connection(judge, lane, turn=turn) as (lost, silent),
            connection(judge, lane, turn=turn) as (serving, transport),
        ):
            lost.data_received(request())
            serving.data_received(request(b'{"event":"a.b","payload":{"account_id":"x"}}'))
            lost.connection_lost(None)
            await settle()
            kept = judge._inbox.flow.kept
        judge.watch.close()
        return silent.written, transport.written, kept

    nothing, written, kept = asyncio.run(run())
    assert (nothing, kept) == (b"", 2)
    assert written.count(b"HTTP/1.1 200 OK") == 1


def test_a_check_that_fails_ends_one_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """Others of its batch are answered, those of other checks too, and no word of it is logged."""

    def raises(requests: Sequence[Request]) -> None:
        for one in requests:
            if b"bad" in one.body:
                raise RuntimeError("a-canary")
            one.answer(Answer(200, Fields(), b"fine"))

    def fragile(_scope: Any, _named: Any) -> Request:
        return Request(raises, None)

    async def run() -> list[Transport]:
        judge, turn = endpoint(otherwise=elsewhere), Turn()
        lane = public_judges(judge, nobody)
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(connection(judge, judges, turn=turn))
                for judges in (*[lambda _target: fragile] * 4, lane)
            ]
            bodies = (b"good", b"bad", b"good", b"bad", EVENT)
            for (serving, _), body in zip(opened, bodies, strict=True):
                serving.data_received(request(body))
            await settle()
            closed = [transport.closed for _, transport in opened]
            assert [False, True, False, True, False] == closed
        judge.watch.close()
        return [transport for _, transport in opened]

    counts = [one.written.count(b"HTTP/1.1 200 OK") for one in asyncio.run(run())]
    assert [1, 0, 1, 0, 1] == counts
    assert "a-canary" not in "".join(capsys.readouterr())


def test_a_delivery_whose_check_fails_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered 503 on both paths, since Zoom sends that again; those beside it are kept."""
    bad = b'{"event":"a.bad","payload":{"account_id":"x"}}'
    real = WebhookEndpoint.judge_body

    def failing(self: WebhookEndpoint, fresh: Any, body: bytes) -> Any:
        if body == bad:
            raise RuntimeError
        return real(self, fresh, body)

    monkeypatch.setattr(WebhookEndpoint, "judge_body", failing)

    async def run(*, lane: bool) -> list[bytes]:
        judge, turn = endpoint(otherwise=elsewhere), Turn()
        judges = public_judges(judge, nobody) if lane else None
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(connection(judge, judges, turn=turn))
                for _ in range(3)
            ]
            for (serving, _), body in zip(opened, (EVENT, bad, CHALLENGE), strict=True):
                serving.data_received(request(body))
            await settle()
        judge.watch.close()
        return [transport.written[9:12] for _, transport in opened]

    for lane in (True, False):
        assert [b"200", b"503", b"200"] == asyncio.run(run(lane=lane))


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
    plain, lane = both([whole[: whole.index(b"\r\n\r\n") + 4] + chunks + b"0\r\n\r\n"])
    assert plain == lane
    assert lane[0][0].startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("name", ["kept", "body later", "two at once"])
def test_the_same_end(name: str) -> None:
    """A server that stops answers what is under way, says that it closes, and closes."""
    plain, lane = both(CASES[name], going=True)
    assert plain == lane


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
    plain, lane = both(pieces)
    assert plain == lane


def test_a_fresh_delivery_makes_no_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane is really taken: ASGI hears nothing of a delivery that came in one piece."""
    asked: list[str] = []

    async def hear(_endpoint: WebhookEndpoint, scope: Any, _receive: Any, _send: Any) -> None:
        asked.append(scope["path"])

    monkeypatch.setattr(WebhookEndpoint, "__call__", hear)
    written, _closed, _paused = asyncio.run(answers([request() + FORGED], lane=True))[0]
    assert (written.count(b"HTTP/1.1 200 OK"), written.count(b"HTTP/1.1 401")) == (1, 0)
    assert asked == ["/webhook"]
