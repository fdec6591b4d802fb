"""Group `webhook`, part 2: repeated deliveries, parsers, size and time."""

from __future__ import annotations

import gzip
import json
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.recording_zoom import ME, MEETINGS, TOKEN
from paraph.checks.harness.webhook_steps import (
    Delivery,
    control_delivery,
    effects,
    expect_no_effect,
    has_effect_soon,
    known_user,
    marked_delivery,
    post,
    signed_delivery,
)

_STREAMED, _CHUNK = 8_000_000, 64 * 1024


def _expect_one_effect(t: CaseContext, marker: str, what: str) -> None:
    t.control(has_effect_soon(t, marker), "an honest delivery has no effect")
    control_delivery(t, known_user(t))
    count = effects(t, marker)
    t.expect(count == 1, f"{what}: {count} effects")


@case("wh-replay")
def _replay(t: CaseContext) -> None:
    t.hooks.require("events")
    marker, delivery = marked_delivery(t, known_user(t))
    for _ in range(3):
        response = post(t, delivery)
        t.expect(200 <= response.status < 300, f"a repeated delivery got status {response.status}")
    _expect_one_effect(t, marker, "three times the same delivery")
    marker, delivery = marked_delivery(t, known_user(t))
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: post(t, delivery), range(20)))
    _expect_one_effect(t, marker, "twenty times at once")


@case("wh-replay-new-tracking")
def _tracking(t: CaseContext) -> None:
    t.hooks.require("events")
    marker, delivery = marked_delivery(t, known_user(t))
    for number in range(4):
        delivery.more = [
            ("x-zm-trackingid", f"v=2.0;rid=WEB_{number}"),
            ("x-zm-request-id", f"request-{number}"),
        ]
        post(t, delivery)
    _expect_one_effect(t, marker, "a replay with a new tracking id")


def _other_forms(marker: str, account: str) -> dict[str, bytes]:
    """Return the same event in the formats of other parsers."""
    payload = json.dumps({"account_id": account, "object": {"topic": marker, "uuid": marker}})
    fields = {"event": "meeting.ended", "payload": payload}
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    whole = json.dumps({"event": "meeting.ended", "payload": json.loads(payload)})
    return {
        "application/x-www-form-urlencoded": urlencode(fields).encode(),
        "multipart/form-data; boundary=x": f"{parts}--x--\r\n".encode(),
        "application/xml": f"<event>meeting.ended</event><payload>{marker}</payload>".encode(),
        "application/json; charset=utf-16": whole.encode("utf-16"),
    }


@case("wh-content-type")
def _content_type(t: CaseContext) -> None:
    user = known_user(t)
    for kind in ("text/plain", "text/xml", *_other_forms("", "")):
        # Reading the body as JSON despite its content type is harmless, and so is a refusal.
        delivery = marked_delivery(t, user)[1]
        delivery.content_type = kind
        t.expect_no_error(post(t, delivery), f"a signed delivery as {kind}")
    for kind in _other_forms("", ""):
        marker, delivery = marked_delivery(t, user)
        delivery.content_type = kind
        delivery.body = _other_forms(marker, user.account_id)[kind]
        response = t.expect_no_error(post(t, delivery), f"a signed body of {kind}")
        expect_no_effect(t, marker, f"a body of {kind}: the sender has chosen the parser; it", user)
        if not t.hooks.has("events"):
            t.expect(response.status >= 400, f"{kind} was accepted: the sender chooses the parser")


def _bombs() -> dict[str, bytes]:
    head = b'{"event":"meeting.ended","event_ts":1,"payload":'
    return {
        "100 000 levels": b"[" * 100_000 + b"]" * 100_000,
        "nested objects": head + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
        "a number of 5000 digits": head + b"1" * 5000 + b"}",
        "NaN": head + b'{"x":NaN}}',
        "Infinity": head + b'{"x":Infinity}}',
        "two events": b'{"event":"a","event":"meeting.ended","payload":{}}',
        "a lone surrogate": head + b'{"x":"\\ud800"}}',
        "a byte order mark": b"\xef\xbb\xbf" + head + b"{}}",
        "invalid UTF-8": head + b'{"x":"\xff\xfe"}}',
        "an array": b"[1]",
        "a string": b'"meeting.ended"',
        "null": b"null",
        "nothing": b"",
        "a number as event": b'{"event":5,"payload":{}}',
        "an array as payload": b'{"event":"meeting.ended","payload":[]}',
        "no payload": b'{"event":"meeting.ended"}',
        "null as payload": b'{"event":"app_deauthorized","payload":null}',
        "a removal of numbers": b'{"event":"app_deauthorized","payload":{"user_id":5}}',
        "a challenge of null": b'{"event":"endpoint.url_validation","payload":{"plainToken":null}}',
    }


@case("wh-json-bombs")
def _bombed(t: CaseContext) -> None:
    for what, body in _bombs().items():
        delivery = signed_delivery(t, body)
        response = t.expect_no_error(
            post(t, delivery.without("x-zm-signature")), f"unsigned: {what}"
        )
        t.expect(response.status >= 400, f"unsigned {what} was accepted")
        response = t.expect_no_error(post(t, delivery), f"signed: {what}")
        t.expect(response.seconds < 3, f"{what} took {response.seconds:.1f} seconds")
    control_delivery(t, known_user(t))


@case("wh-big-slow")
def _big(t: CaseContext) -> None:
    endpoint = t.url("webhook")
    headers = [("content-type", "application/json")]
    big = t.direct.send("POST", endpoint, headers=headers, body=b"x" * 20_000_000)
    t.expect(big.status < 500 and not 200 <= big.status < 300, f"20 MB got status {big.status}")
    packed = gzip.compress(b"x" * 50_000_000)
    response = t.direct.send(
        "POST", endpoint, headers=[*headers, ("content-encoding", "gzip")], body=packed
    )
    t.expect_no_error(response, "a compressed bomb")
    t.expect(response.status >= 400, "a compressed bomb was accepted")
    t.expect(_endless(t, endpoint), f"{_STREAMED // 1_000_000} MB of a body without end are read")
    _lie(t, endpoint)
    slow = _slow_ones(t, endpoint)
    try:
        begun = time.monotonic()
        control_delivery(t, known_user(t))
        spent = time.monotonic() - begun
        t.expect(
            spent < 6, f"beside fifty slow senders an honest delivery took {spent:.1f} seconds"
        )
        last = t.exchanges[-1]
        t.expect(
            last.seconds < 3,
            f"the response to an honest delivery took {last.seconds:.1f} s",
        )
    finally:
        for one in slow:
            one.close()


def _head(endpoint: str, *lines: str) -> bytes:
    parts = urlsplit(endpoint)
    first = [
        f"POST {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        "content-type: application/json",
    ]
    return ("\r\n".join([*first, *lines]) + "\r\n\r\n").encode()


def _endless(t: CaseContext, endpoint: str) -> bool:
    """Return True if a chunked body is refused or cut off before it grows too large."""
    chunk = f"{_CHUNK:x}\r\n".encode() + b"x" * _CHUNK + b"\r\n"
    try:
        with t.direct.connect(endpoint, timeout=3) as connection:
            connection.sendall(_head(endpoint, "transfer-encoding: chunked"))
            for _ in range(_STREAMED // _CHUNK):
                connection.sendall(chunk)
            connection.settimeout(2)
            return bool(connection.recv(64)) or True
    except TimeoutError:
        return False
    except OSError:
        return True


def _lie(t: CaseContext, endpoint: str) -> None:
    body = _head(endpoint, "content-length: 5", "connection: close") + b'{"event":"x"}'
    response = t.direct.raw(endpoint, body, timeout=4)
    t.expect(response.status < 500, f"a wrong Content-Length got status {response.status}")
    t.expect(not 200 <= response.status < 300, "a wrong Content-Length was accepted")


def _slow_ones(t: CaseContext, endpoint: str) -> list[socket.socket]:
    found = []
    for number in range(50):
        connection = t.direct.connect(endpoint, timeout=5)
        connection.sendall(
            _head(endpoint, "content-length: 500") + b"{" if number % 2 else b"POST /"
        )
        found.append(connection)
    return found


@case("wh-fast-ack")
def _fast(t: CaseContext) -> None:
    user = known_user(t)
    gates = [t.zoom.hold(path, times=None) for path in (ME, MEETINGS, TOKEN)]
    try:
        marker, delivery = marked_delivery(t, user)
        response = post(t, delivery, timeout=10)
    finally:
        for gate in gates:
            gate.open()
    t.expect(
        200 <= response.status < 300, f"with a slow API a delivery got status {response.status}"
    )
    t.expect(
        response.seconds < 3, f"with a slow API the response took {response.seconds:.1f} seconds"
    )
    t.zoom.reset()
    if t.hooks.has("events"):
        post(t, delivery)
        _expect_one_effect(t, marker, "a delivery and its retry")


@case("wh-tenant")
def _tenant(t: CaseContext) -> None:
    t.hooks.require("events")
    # An app that receives webhooks alone knows no accounts.
    t.url("redirect")
    stranger = t.zoom.user()
    marker, delivery = marked_delivery(t, stranger)
    linked = t.hooks.links()
    response = post(t, delivery)
    fine = 200 <= response.status < 300
    t.expect(fine, f"an event of a strange account got status {response.status}")
    expect_no_effect(t, marker, "an event of a strange account", known_user(t))
    t.expect(t.hooks.links() == linked, "an event of a strange account changed the links")


@case("wh-uniform-error")
def _uniform(t: CaseContext) -> None:
    honest = marked_delivery(t, known_user(t))[1]
    right = honest.right()
    variants: dict[str, Delivery] = {}

    def variant(what: str, **changes: str) -> None:
        made = signed_delivery(t, honest.body)
        for name, value in {"timestamp": honest.timestamp, **changes}.items():
            setattr(made, name, value)
        variants[what] = made

    variant("wrong", signature="v0=" + "0" * 64)
    variant("short", signature="v0=00")
    variant("other key", secret="another-secret-of-another-app")
    variant("malformed", signature="nonsense")
    variants["missing"] = honest.without("x-zm-signature")
    stale = t.limits.freshness_past + 3600
    variant("stale", timestamp=str(int(t.now() - stale)))
    shapes = set()
    for what, delivery in variants.items():
        response = t.expect_no_error(post(t, delivery), f"a bad delivery ({what})")
        t.expect(
            right[3:] not in response.everything(), "the response contains the expected signature"
        )
        t.expect(
            delivery.right()[3:] not in response.everything(),
            "the response contains the expected signature",
        )
        shapes.add((response.status, response.body))
    t.expect(len(shapes) == 1, f"bad deliveries get {len(shapes)} different responses")


@case("wh-timing")
def _timing(t: CaseContext) -> None:
    user = known_user(t)
    differences = []
    for _ in range(150):
        spent = []
        for known in (0, 63):
            delivery = marked_delivery(t, user)[1]
            right = delivery.right()
            wrong = "".join("0" if c != "0" else "1" for c in right[3:])
            delivery.signature = "v0=" + right[3 : 3 + known] + wrong[known:]
            spent.append(post(t, delivery).seconds)
        differences.append(spent[1] - spent[0])
    middle = statistics.median(differences)
    slower = sum(one > 0 for one in differences) / len(differences)
    # Only a difference that an attacker could measure despite the noise is a failure.
    t.expect(
        not (middle > 0.004 and slower > 0.9),
        f"63 right digits take {middle * 1000:.1f} ms longer than none, in {slower:.0%} of pairs",
    )
