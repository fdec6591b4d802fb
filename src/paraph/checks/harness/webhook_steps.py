"""Webhook deliveries, signed as Zoom signs them or altered in one part."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from typing import Any

from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import install
from paraph.simulator.state.world import User


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return `v0=` and the hexadecimal HMAC-SHA256 of `v0:timestamp:body`."""
    message = b"v0:" + timestamp.encode("latin-1", "replace") + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def iso(instant: float) -> str:
    """Format a time (epoch seconds) as Zoom does."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant)) + ".000Z"


class Delivery:
    """One webhook POST under construction; every part can be replaced before it is sent.

    Args:
        secret: the webhook secret that signs it.
        body: the body.
        now: the time of its timestamp, in epoch seconds.
    """

    def __init__(self, secret: str, body: bytes, now: float) -> None:
        self.body = body
        self.timestamp = str(int(now))
        self.secret = secret
        self.more: list[tuple[str, str]] = []
        self.content_type = "application/json; charset=utf-8"
        self._signature: str | None = None
        self.omitted: tuple[str, ...] = ()

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

    def without(self, *names: str) -> Delivery:
        """Return the same delivery without some headers; its signature is the correct one."""
        made = Delivery(self.secret, self.body, float(self.timestamp))
        made.more, made.content_type, made.omitted = self.more, self.content_type, names
        return made

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers that Zoom sends, without the omitted ones."""
        headers = [
            ("content-type", self.content_type),
            ("x-zm-request-timestamp", self.timestamp),
            ("x-zm-signature", self.signature),
            *self.more,
        ]
        return [(name, value) for name, value in headers if name not in self.omitted]


def event_body(
    t: CaseContext, name: str = "meeting.ended", payload: dict[str, Any] | None = None
) -> bytes:
    """Build the body of an event as Zoom does; None stands for the payload of a meeting."""
    content = {
        "event": name,
        "event_ts": int(t.now() * 1000),
        "payload": {"account_id": "CheckAccount0000000001", "object": {}}
        if payload is None
        else payload,
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def new_marker() -> str:
    """Return a text that identifies the effect of one delivery."""
    return f"marker-{os.urandom(6).hex()}"


def marked_delivery(
    t: CaseContext, user: User | None = None, name: str = "meeting.ended"
) -> tuple[str, Delivery]:
    """Build an honest delivery; return the marker that identifies its effect, and it."""
    marker = new_marker()
    account = user.account_id if user else "CheckAccount0000000001"
    item = {"topic": marker, "uuid": marker, **({"host_id": user.id} if user else {})}
    payload = {"account_id": account, "object": item}
    return marker, signed_delivery(t, event_body(t, name, payload))


def signed_delivery(t: CaseContext, body: bytes) -> Delivery:
    """Build a correctly signed delivery of a body."""
    return Delivery(t.zoom.app.webhook_secret, body, t.now())


def removal_of(t: CaseContext, user: User, **changes: Any) -> Delivery:
    """Build `app_deauthorized` for a user, dated at least a minute after now."""
    payload = {
        "account_id": user.account_id,
        "user_id": user.id,
        "signature": os.urandom(16).hex(),
        "deauthorization_time": iso(t.now() + 120),
        "client_id": t.zoom.app.client_id,
        **changes,
    }
    return signed_delivery(t, event_body(t, "app_deauthorized", payload))


def post(t: CaseContext, delivery: Delivery, *, url: str = "", timeout: float = 0.0) -> Response:
    """Send a delivery to the app's webhook URL, or to `url`.

    Args:
        t: the context.
        delivery: the delivery.
        url: where to send it; "" means the webhook URL of the target.
        timeout: seconds for each single wait; 0 means the sender's own.

    Raises:
        HookMissingError: neither of the URLs is there.
    """
    return t.direct.send(
        "POST",
        url or t.url("webhook"),
        headers=delivery.headers(),
        body=delivery.body,
        timeout=timeout,
    )


def effects(t: CaseContext, marker: str) -> int:
    """Return the number of effects that the app reports for a marker.

    Raises:
        HookMissingError: the target has no hook `events`.
    """
    events = t.hooks.call_list("events")
    return sum(marker in json.dumps(one, ensure_ascii=False) for one in events)


def has_effect_soon(t: CaseContext, marker: str) -> bool:
    """Wait for the effect of a delivery as long as the target allows; return whether it came."""
    return t.until(lambda: effects(t, marker))


def known_user(t: CaseContext) -> User:
    """Return a user whose events the app should accept; installed once for each environment.

    An app without a redirection endpoint receives webhooks alone, and knows no installation.
    """
    if not t.target.urls.redirect:
        return t.zoom.user()
    known = t.environment.known_user
    if known is None or (t.hooks.has("links") and not t.hooks.linked(user=known.id)):
        known = t.environment.known_user = install(t).user
    return known


def control_delivery(t: CaseContext, user: User | None = None) -> None:
    """Check that an honest delivery is accepted and, where the app reports effects, has one.

    Raises:
        ControlFailedError: it is not, so the rejection of another one proves nothing.
    """
    marker, honest = marked_delivery(t, user)
    response = post(t, honest)
    why = response.problem or f"status {response.status}"
    accepted = 200 <= response.status < 300
    t.control(accepted, f"an honest delivery was not accepted ({why})", _fix_of(response))
    if t.hooks.has("events"):
        seen = has_effect_soon(t, marker)
        t.control(
            seen,
            "an honest delivery has no effect in the hook `events`",
            "Let `events` return the handled events with bodies, or lengthen `effect_within`.",
        )


def _fix_of(response: Response) -> str:
    if response.status in {404, 405}:
        return "Correct `webhook` in [urls]."
    if response.status in {400, 401, 403}:
        return "Pass {webhook_secret} to the app in [start]."
    return "Read the output of the app: its webhook endpoint failed."


def expect_no_effect(t: CaseContext, marker: str, what: str, user: User | None = None) -> None:
    """Check that a delivery had no effect, once a later honest delivery has had its own.

    Raises:
        ExpectationFailedError: it had one.
        ControlFailedError: the honest delivery had no effect.
    """
    if t.hooks.has("events"):
        control_delivery(t, user)
        t.expect(not effects(t, marker), f"{what} had an effect")


def expect_rejected(
    t: CaseContext, response: Response, what: str, *, unbroken: bool = False
) -> None:
    """Check that a delivery was rejected; with `unbroken` a 5xx status fails the case too.

    Raises:
        ExpectationFailedError: it was accepted, or no response came.
    """
    (t.expect_no_error if unbroken else t.expect_response)(response, what)
    t.expect(response.status >= 400, f"{what} was accepted with {response.status}")
