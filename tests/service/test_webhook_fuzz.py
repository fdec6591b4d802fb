"""Whatever bytes arrive, signed or not: a verdict, never a crash. `make fuzz` does it at length."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from events.inbox_kit import SECRET
from paraph.errors import DeliveryRejected, EventInvalid
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.zoom.events import (
    parse_app_deauthorized,
    parse_event,
    parse_url_validation,
)
from paraph.zoom.webhook_response import answer_url_validation
from paraph.zoom.webhook_verification import (
    Freshness,
    VerifiedDelivery,
    check_delivery_headers,
    verify_webhook,
)
from service.webhook_fuzzing import NOW, endpoint, public_side
from storage import sample

T = TypeVar("T")

_NAMES = st.sampled_from(
    [b"x-zm-signature", b"x-zm-request-timestamp", b"content-length", b"traceparent", b"host"]
)
_VALUES = st.one_of(
    st.binary(max_size=90),
    st.just(str(NOW).encode()),
    st.integers(-(10**12), 10**12).map(lambda number: str(number).encode()),
    st.binary(min_size=32, max_size=32).map(lambda digest: b"v0=" + digest.hex().encode()),
    st.from_regex(rb"v0=[0-9a-fA-F]{60,66}", fullmatch=True),
    st.just(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
)
_HEADERS = st.lists(st.tuples(_NAMES, _VALUES), max_size=6)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
_WORDS = st.sampled_from(
    ["event", "payload", "account_id", "object", "client_id", "user_id", "event_ts", "host_id"]
)
_EVENT_NAMES = st.sampled_from(["meeting.ended", "app_deauthorized", "endpoint.url_validation"])
_IDS = st.text(max_size=70) | st.just(sample.CLIENT) | st.just(sample.ACCOUNT)
_PAYLOADS = st.dictionaries(_WORDS | st.just("plainToken"), _IDS | _JSON, max_size=6)
_CONTENT = st.fixed_dictionaries({"event": _EVENT_NAMES, "payload": _PAYLOADS | _JSON})
_BODIES = st.one_of(
    st.binary(max_size=300),
    _JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    _CONTENT.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    _CONTENT.map(
        lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )
    ),
)


def _delivery(body: bytes) -> VerifiedDelivery:
    stamp = str(NOW)
    headers = [
        (b"x-zm-signature", sign(SECRET.reveal(), stamp, body).encode()),
        (b"x-zm-request-timestamp", stamp.encode()),
    ]
    fresh = check_delivery_headers(headers, now=NOW, freshness=Freshness())
    return verify_webhook(fresh, body, secrets=[SECRET])


@given(_HEADERS, st.binary(max_size=80))
def test_headers_are_judged(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """No headers but signed ones get through, and none of them breaks the judge."""
    try:
        fresh = check_delivery_headers(headers, now=NOW, freshness=Freshness())
        verify_webhook(fresh, body, secrets=[SECRET])
    except DeliveryRejected:
        return
    raise AssertionError("a forgery was accepted")


@given(_BODIES)
def test_signed_bodies_are_judged(body: bytes) -> None:
    """An event or EventInvalid, and the same for what an event asks for."""
    try:
        event = parse_event(_delivery(body))
    except EventInvalid:
        return
    for parse in (parse_app_deauthorized, parse_url_validation):
        try:
            parse(event)
        except EventInvalid:
            continue


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,140}", fullmatch=True) | _JSON)
def test_challenges_are_judged(token: Any) -> None:
    """Only a token that can be no base string is ever signed."""
    content = {"event": "endpoint.url_validation", "payload": {"plainToken": token}}
    body = json.dumps(content).encode("utf-8", "surrogatepass")
    delivery = _delivery(body)
    try:
        answer = answer_url_validation(delivery, parse_event(delivery))
    except EventInvalid:
        return
    assert re.fullmatch(r"[A-Za-z0-9_-]{8,128}", json.loads(answer)["plainToken"])


@given(_HEADERS, _BODIES, st.booleans(), st.lists(st.integers(0, 300), max_size=4), st.booleans())
def test_the_endpoint_always_answers(
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    signed: bool,  # noqa: FBT001 - Hypothesis draws it.
    cuts: list[int],
    goes_away: bool,  # noqa: FBT001 - Hypothesis draws it.
) -> None:
    """One of the documented statuses, whole, for every request in every number of pieces."""
    if signed:
        stamp = str(NOW)
        headers = [
            (b"x-zm-signature", sign(SECRET.reveal(), stamp, body).encode()),
            (b"x-zm-request-timestamp", stamp.encode()),
            *((name, value) for name, value in headers if not name.startswith(b"x-zm")),
        ]
    edges = sorted({0, *(min(cut, len(body)) for cut in cuts), len(body)})
    parts: list[Any] = [
        {"type": "http.request", "body": body[start:end], "more_body": True}
        for start, end in pairwise(edges)
    ]
    parts.append(
        {"type": "http.disconnect"}
        if goes_away
        else {"type": "http.request", "body": b"", "more_body": False}
    )
    sent: list[Any] = []

    async def receive() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/webhook", "method": "POST", "headers": headers}
    _run(public_side(endpoint())(scope, receive, send))
    start, end = sent
    assert start["status"] in {200, 400, 401, 413, 429}
    assert start["status"] != 200 or (signed and not goes_away)
    assert str(len(end["body"])).encode() == dict(start["headers"])[b"content-length"]


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
