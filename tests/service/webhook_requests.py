"""Deliveries as raw bytes: genuine, forged, malformed, in pieces, and behind each other."""

from __future__ import annotations

from collections.abc import Sequence

from events.inbox_kit import SECRET
from paraph.simulator.webhooks.webhook_sender import sign
from service.webhook_fuzzing import NOW

EVENT = b'{"event":"meeting.ended","payload":{"account_id":"AbcDEFghiJKLmnoPQRst01"}}'
CHALLENGE = b'{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'


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
