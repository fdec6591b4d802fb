"""Webhooks as Zoom sends them: compact bytes, signed, retried after 5, 20 and 60 more minutes.

Retries follow timeouts and 5xx only, never 3xx or 4xx (documented). Whether Zoom signs a retry
anew is unknown; here it keeps the first timestamp, which is the harder case for a receiver.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from paraph.simulator.clock import Clock
from paraph.simulator.faults import Faults
from paraph.simulator.world import App

TIMEOUT_SECONDS = 3.0
RETRY_WAITS = (300, 1200, 3600)
MAX_DELIVERIES = 10_000


@dataclass(slots=True)
class Attempt:
    """One try: when (wall time), the status (0: none came), and what happened."""

    time: float
    status: int
    reason: str


@dataclass(slots=True)
class Delivery:
    """One webhook with all its attempts."""

    id: str
    client_id: str
    event: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    attempts: list[Attempt] = field(default_factory=list)


def encode_body(content: Any, *, variant: str = "") -> bytes:
    r"""The bytes as Zoom writes them: no spaces, `/` as it is.

    With the variant "mixed_escapes", emoji stand as `\u` escapes while other characters are raw
    UTF-8 (seen in live deliveries), so that nobody who prints the JSON again gets these bytes.
    """
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    if variant == "mixed_escapes":
        text = "".join(
            json.dumps(character)[1:-1] if ord(character) > 0xFFFF else character
            for character in text
        )
    return text.encode("utf-8")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """`v0=` and the HMAC-SHA256 of `v0:timestamp:body` (documented)."""
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class WebhookSender:
    """Sends webhooks in the background and remembers what became of them.

    Args:
        clock: for retries.
        faults: may double a delivery.
        random_text: for ids.
    """

    def __init__(self, clock: Clock, faults: Faults, random_text: Callable[[int], str]) -> None:
        self._clock = clock
        self._faults = faults
        self._random_text = random_text
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    def send(self, app: App, event: str, payload: Any, *, url: str, variant: str = "") -> Delivery:
        """Sign and send one event, without waiting for the answer."""
        now = self._clock.wall()
        content = {"event": event, "event_ts": int(now * 1000), "payload": payload}
        delivery = self._prepare(app, event, encode_body(content, variant=variant), url=url)
        self.deliveries.append(delivery)
        if url:
            for _ in range(2 if self._faults.take("delivery_duplicated") else 1):
                self._in_background(self._deliver(delivery))
        return delivery

    async def validate(self, app: App, *, url: str) -> tuple[bool, str]:
        """The URL-validation challenge, signed (documented). True and why, or False and why not."""
        plain = self._random_text(22)
        now = self._clock.wall()
        content = {
            "payload": {"plainToken": plain},
            "event_ts": int(now * 1000),
            "event": "endpoint.url_validation",
        }
        delivery = self._prepare(app, "endpoint.url_validation", encode_body(content), url=url)
        self.deliveries.append(delivery)
        answer = await self._attempt(delivery)
        if answer is None or answer.status_code not in {200, 204}:
            return False, delivery.attempts[-1].reason
        expected = hmac.new(app.webhook_secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        try:
            answered = answer.json()
        except ValueError:
            return False, "the answer is not JSON"
        if not isinstance(answered, dict) or answered.get("plainToken") != plain:
            return False, "the answer does not repeat plainToken"
        if answered.get("encryptedToken") != expected:
            return False, "encryptedToken is not the HMAC of plainToken"
        return True, "the endpoint answered the challenge"

    def find(self, delivery_id: str) -> Delivery | None:
        """A delivery by id."""
        return next((one for one in self.deliveries if one.id == delivery_id), None)

    def repeat(self, delivery: Delivery) -> None:
        """Send the same signed bytes once more, as a replay would."""
        self._in_background(self._deliver(delivery))

    def clear(self) -> None:
        """Stop what is under way and forget what was."""
        for task in self._tasks:
            task.cancel()
        self.deliveries.clear()

    async def close(self) -> None:
        """Stop, and let go of connections."""
        self.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _prepare(self, app: App, event: str, body: bytes, *, url: str) -> Delivery:
        timestamp = str(int(self._clock.wall()))
        request_id = self._random_text(36).lower().replace("-", "_")
        headers = {
            "user-agent": "Zoom Marketplace/1.0a",
            "content-type": "application/json; charset=utf-8",
            "clientid": app.client_id,
            "x-zm-request-id": request_id,
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": sign(app.webhook_secret, timestamp, body),
            "x-zm-trackingid": f"v=2.0;clid=us02;rid=WEB_{request_id[:16]}",
        }
        return Delivery(self._random_text(16), app.client_id, event, url, headers, body)

    async def _deliver(self, delivery: Delivery) -> None:
        begun = self._clock.now()
        answer = await self._attempt(delivery)
        due = begun
        for wait in RETRY_WAITS:
            if answer is not None and answer.status_code < 500:
                return
            due += wait
            await self._clock.sleep_until(due)
            answer = await self._attempt(delivery)

    async def _attempt(self, delivery: Delivery) -> httpx.Response | None:
        if self._http is None:
            self._http = httpx.AsyncClient(
                timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
            )
        at = self._clock.wall()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answer = await self._http.post(
                    delivery.url, content=delivery.body, headers=delivery.headers
                )
        except TimeoutError:
            delivery.attempts.append(Attempt(at, 0, "no answer within 3 seconds"))
            return None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            delivery.attempts.append(Attempt(at, 0, f"not reached: {type(error).__name__}"))
            return None
        delivery.attempts.append(Attempt(at, answer.status_code, f"answered {answer.status_code}"))
        return answer

    def _in_background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
