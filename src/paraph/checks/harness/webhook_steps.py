"""Webhook deliveries, signed as Zoom signs them or altered in one part."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from typing import Any

from paraph.checks.harness.install_steps import Flow
from paraph.checks.harness.response import Answer
from paraph.simulator.state.world import User


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return `v0=` and the hexadecimal HMAC-SHA256 of `v0:timestamp:body`."""
    message = b"v0:" + timestamp.encode("latin-1", "replace") + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def iso(instant: float) -> str:
    """Format a time (epoch seconds) as Zoom does."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant)) + ".000Z"


class Delivery:
    """One webhook POST under construction; every part can be replaced before it is sent."""

    def __init__(self, secret: str, body: bytes, now: float) -> None:
        self.body = body
        self.timestamp = str(int(now))
        self.secret = secret
        self.more: list[tuple[str, str]] = []
        self.content_type = "application/json; charset=utf-8"
        self._signature: str | None = None

    @property
    def signature(self) -> str:
        """The correct signature, unless another value was set."""
        return self._signature if self._signature is not None else self.right()

    @signature.setter
    def signature(self, value: str) -> None:
        self._signature = value

    def right(self) -> str:
        """Return the correct signature, as Zoom would compute it."""
        return sign(self.secret, self.timestamp, self.body)

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that Zoom sends."""
        return [
            ("content-type", self.content_type),
            ("x-zm-request-timestamp", self.timestamp),
            ("x-zm-signature", self.signature),
            *self.more,
        ]


class Deliveries(Flow):
    """Steps that send deliveries and observe their effects."""

    def event(self, name: str = "meeting.ended", payload: dict[str, Any] | None = None) -> bytes:
        """Build the body of an event as Zoom does."""
        content = {
            "event": name,
            "event_ts": int(self.now() * 1000),
            "payload": {"account_id": "CheckAccount0000000001", "object": {}}
            if payload is None
            else payload,
        }
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()

    def marked(self, user: User | None = None, name: str = "meeting.ended") -> tuple[str, Delivery]:
        """Build an honest delivery; return the marker that identifies its effect, and it."""
        marker = f"marker-{os.urandom(6).hex()}"
        account = user.account_id if user else "CheckAccount0000000001"
        payload = {"account_id": account, "object": {"topic": marker, "uuid": marker}}
        if user is not None:
            payload["object"] = {"topic": marker, "uuid": marker, "host_id": user.id}
        return marker, self.delivery(self.event(name, payload))

    def delivery(self, body: bytes) -> Delivery:
        """Build a correctly signed delivery of a body."""
        return Delivery(self.zoom.app.webhook_secret, body, self.now())

    def post(self, delivery: Delivery, *, url: str = "", timeout: float = 0.0) -> Answer:
        """Send a delivery to the app's webhook URL, or to `url`."""
        return self.direct.send(
            "POST",
            url or self.url("webhook"),
            headers=delivery.headers(),
            body=delivery.body,
            timeout=timeout,
        )

    def effects(self, marker: str) -> int:
        """Return the number of effects that the app reports for a marker."""
        content = self.call("events")
        self.control(isinstance(content, list), "the hook `events` must answer with a JSON list")
        return sum(marker in json.dumps(one, ensure_ascii=False) for one in content)

    def known_user(self) -> User:
        """Return a user whose events the app should accept; installed once for each environment."""
        if self.stage.known_user is None or not self._is_installed(self.stage.known_user):
            self.stage.known_user = self.install().user
        return self.stage.known_user

    def _is_installed(self, user: User) -> bool:
        return not self.has("links") or self.linked(user=user.id)

    def control_delivery(self, user: User | None = None) -> None:
        """Check that an honest delivery is accepted and, where the app reports effects, has one."""
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
        """Check that a delivery had no effect, once a later honest delivery has had its own."""
        if self.has("events"):
            self.control_delivery(user)
            self.expect(not self.effects(marker), f"{what} had an effect")

    def expect_rejected(self, answer: Answer, what: str, *, unbroken: bool = False) -> None:
        """Check that a delivery was rejected; with `unbroken` a 5xx status fails the case too."""
        (self.expect_answered if unbroken else self.expect_came)(answer, what)
        self.expect(answer.status >= 400, f"{what} was accepted with {answer.status}")

    def removal(self, user: User, **changes: Any) -> Delivery:
        """Build `app_deauthorized` for a user, dated at least a minute after now."""
        payload = {
            "account_id": user.account_id,
            "user_id": user.id,
            "signature": os.urandom(16).hex(),
            "deauthorization_time": iso(self.now() + 120),
            "client_id": self.zoom.app.client_id,
            **changes,
        }
        return self.delivery(self.event("app_deauthorized", payload))
