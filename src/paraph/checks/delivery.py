"""Webhook deliveries: signed as Zoom signs them, or spoilt in one part."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from typing import Any

from paraph.checks.answer import Answer
from paraph.checks.flow import Flow
from paraph.simulator.world import User


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """`v0=` and the HMAC-SHA256 of `v0:timestamp:body`."""
    message = b"v0:" + timestamp.encode("latin-1", "replace") + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def iso(instant: float) -> str:
    """A time as Zoom writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant)) + ".000Z"


class Delivery:
    """One webhook POST under construction; every part may be replaced before it is sent."""

    def __init__(self, secret: str, body: bytes, now: float) -> None:
        self.body = body
        self.timestamp = str(int(now))
        self.secret = secret
        self.more: list[tuple[str, str]] = []
        self.content_type = "application/json; charset=utf-8"
        self._signature: str | None = None

    @property
    def signature(self) -> str:
        """The right one, unless another was put in its place."""
        return self._signature if self._signature is not None else self.right()

    @signature.setter
    def signature(self, value: str) -> None:
        self._signature = value

    def right(self) -> str:
        """What Zoom would send."""
        return sign(self.secret, self.timestamp, self.body)

    def headers(self) -> list[tuple[str, str]]:
        """As Zoom sends them."""
        return [
            ("content-type", self.content_type),
            ("x-zm-request-timestamp", self.timestamp),
            ("x-zm-signature", self.signature),
            *self.more,
        ]


class Deliveries(Flow):
    """Sending deliveries, and seeing what they did."""

    def event(self, name: str = "meeting.ended", payload: dict[str, Any] | None = None) -> bytes:
        """A body as Zoom writes it."""
        content = {
            "event": name,
            "event_ts": int(self.now() * 1000),
            "payload": {"account_id": "CheckAccount0000000001", "object": {}}
            if payload is None
            else payload,
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()

    def marked(self, user: User | None = None, name: str = "meeting.ended") -> tuple[str, Delivery]:
        """An honest delivery with a marker in it by which its effect is found again."""
        marker = f"marker-{os.urandom(6).hex()}"
        account = user.account_id if user else "CheckAccount0000000001"
        payload = {"account_id": account, "object": {"topic": marker, "uuid": marker}}
        if user is not None:
            payload["object"] = {"topic": marker, "uuid": marker, "host_id": user.id}
        return marker, self.delivery(self.event(name, payload))

    def delivery(self, body: bytes) -> Delivery:
        """A rightly signed delivery of a body."""
        return Delivery(self.zoom.app.webhook_secret, body, self.now())

    def post(self, delivery: Delivery, *, url: str = "", timeout: float = 0.0) -> Answer:
        """Send it to the app's webhook URL."""
        return self.direct.send(
            "POST",
            url or self.url("webhook"),
            headers=delivery.headers(),
            body=delivery.body,
            timeout=timeout,
        )

    def effects(self, marker: str) -> int:
        """How many effects the app shows for a marker."""
        content = self.call("events")
        self.control(isinstance(content, list), "the hook `events` must answer with a JSON list")
        return sum(marker in json.dumps(one, ensure_ascii=False) for one in content)

    def known_user(self) -> User:
        """Somebody whose events the app has a reason to take: installed once for each stage."""
        if self.stage.known_user is None or not self._is_installed(self.stage.known_user):
            self.stage.known_user = self.install().user
        return self.stage.known_user

    def _is_installed(self, user: User) -> bool:
        return not self.has("links") or self.linked(user=user.id)

    def control_delivery(self, user: User | None = None) -> None:
        """An honest delivery is accepted and, where it can be seen, has its effect."""
        marker, good = self.marked(user)
        answer = self.post(good)
        why = answer.problem or f"status {answer.status}"
        self.control(200 <= answer.status < 300, f"an honest delivery was not accepted ({why})")
        if self.has("events"):
            within = self.stage.target.limits.effect_within
            self.control(
                self.until(lambda: self.effects(marker), within),
                "an honest delivery has no effect in the hook `events`",
            )

    def expect_no_effect(self, marker: str, what: str, user: User | None = None) -> None:
        """Nothing came of it, known once a later honest delivery has had its effect."""
        if self.has("events"):
            self.control_delivery(user)
            self.expect(not self.effects(marker), f"{what} had an effect")

    def expect_rejected(self, answer: Answer, what: str, *, unbroken: bool = False) -> None:
        """A delivery that nobody may accept; `unbroken` where breaking would be the finding."""
        (self.expect_answered if unbroken else self.expect_came)(answer, what)
        self.expect(answer.status >= 400, f"{what} was accepted with {answer.status}")

    def removal(self, user: User, **changes: Any) -> Delivery:
        """`app_deauthorized` of a user, a minute and more after now."""
        payload = {
            "account_id": user.account_id,
            "user_id": user.id,
            "signature": os.urandom(16).hex(),
            "deauthorization_time": iso(self.now() + 120),
            "client_id": self.zoom.app.client_id,
            **changes,
        }
        return self.delivery(self.event("app_deauthorized", payload))
