"""Deliveries for the webhook views: genuine and otherwise, each with its response and effect."""

from __future__ import annotations

import time
from dataclasses import dataclass

from paraph.simulator.webhooks.webhook_sender import sign
from paraph.webhooks import Webhooks
from paraph.zoom.webhook_verification import MAX_BODY_BYTES

SECRET = "zm-7hTq2LwX9fKd-sT4"
EVENT = b'{"event":"meeting.ended","payload":{"account_id":"a1"}}'
CHALLENGE = b'{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'
REMOVAL = (
    b'{"event":"app_deauthorized","payload":{"client_id":"theirs","account_id":"a","user_id":"u"}}'
)
SEEN = b'{"event":"meeting.ended","payload":{"account_id":"seen"}}'
Pairs = list[tuple[str, str]]


def signed(body: bytes, age: int = 0) -> Pairs:
    """The headers of a genuine delivery."""
    stamp = str(int(time.time()) - age)
    return [("x-zm-request-timestamp", stamp), ("x-zm-signature", sign(SECRET, stamp, body))]


@dataclass(frozen=True)
class Delivery:
    """One request, the status of its response, and whether the function is called."""

    body: bytes
    headers: Pairs
    status: int
    has_effect: bool = False


def webhooks() -> Webhooks:
    """Those of the app under test, which has had the effect of `SEEN`."""
    seen_id = Webhooks(SECRET, client_id="ours").receive(signed(SEEN), SEEN).event_id
    return Webhooks(SECRET, client_id="ours", seen=lambda event_id: event_id == seen_id)


def deliveries() -> dict[str, Delivery]:
    """Every kind of request to a webhook."""
    long = b"x" * (MAX_BODY_BYTES + 1)
    good = signed(EVENT)
    return {
        "genuine": Delivery(EVENT, good, 200, has_effect=True),
        "seen": Delivery(SEEN, signed(SEEN), 200),
        "a challenge": Delivery(CHALLENGE, signed(CHALLENGE), 200),
        "another client's removal": Delivery(REMOVAL, signed(REMOVAL), 200),
        "unsigned": Delivery(EVENT, [], 401),
        "forged": Delivery(EVENT, [good[0], ("x-zm-signature", "v0=" + "0" * 64)], 401),
        "other bytes": Delivery(EVENT + b" ", good, 401),
        "stale": Delivery(EVENT, signed(EVENT, age=8000), 401),
        "two signatures": Delivery(EVENT, [*good, good[1]], 401),
        "no event": Delivery(b"[]", signed(b"[]"), 400),
        "too long": Delivery(long, signed(long), 413),
    }
