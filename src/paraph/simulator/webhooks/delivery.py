"""One webhook with its signature and its attempts, and the bounded history of deliveries."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App

MAX_DELIVERIES = 10_000
MAX_BODY_BYTES = 32 << 20
MAX_ATTEMPTS = 100
_HALF = re.compile("[\ud800-\udfff]")
# From this number on JavaScript writes an exponent.
_EXPONENT_FROM = 1e21


@behaviour(
    "webhooks",
    "compact bytes as JavaScript writes them: no spaces, `/` unescaped, numbers without `.0`",
    "seen",
    source="zoom/webhook-sample",
)
@behaviour(
    "webhooks",
    "half a character (a lone surrogate) is written as an escape, as JavaScript does",
    "inferred",
    source="ECMA-262: well-formed JSON.stringify; not seen from Zoom",
)
@behaviour(
    "webhooks", "mixed escapes: emoji as `\\u`, the rest unescaped", "seen", source="captures"
)
def encode_body(content: Any, *, variant: str = "") -> bytes:
    r"""Encode a body as Zoom writes it: no spaces, `/` unescaped.

    Args:
        content: the body's object.
        variant: "mixed_escapes" writes emoji as `\u` escapes and other characters as raw UTF-8, as
            seen in live deliveries. A receiver that prints the JSON again gets different bytes.
    """
    text = json.dumps(_as_javascript(content), separators=(",", ":"), ensure_ascii=False)
    if variant == "mixed_escapes":
        text = "".join(
            json.dumps(character)[1:-1] if ord(character) > 0xFFFF else character
            for character in text
        )
    return utf8_of(text)


def utf8_of(json_text: str) -> bytes:
    """Encode JSON text in UTF-8; half a character becomes an escape."""
    return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", json_text).encode("utf-8")


def _as_javascript(content: Any) -> Any:
    """Write whole numbers as integers: receivers that reprint the JSON write `1`, never `1.0`."""
    if isinstance(content, float) and content.is_integer() and abs(content) < _EXPONENT_FROM:
        return int(content)
    if isinstance(content, dict):
        return {name: _as_javascript(value) for name, value in content.items()}
    return [_as_javascript(one) for one in content] if isinstance(content, list) else content


@behaviour(
    "webhooks",
    "x-zm-signature: v0= and the HMAC-SHA256 of `v0:timestamp:body`",
    "documented",
    source="webhook reference",
)
def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the x-zm-signature of a body: `v0=` and the HMAC-SHA256 of `v0:timestamp:body`.

    Args:
        secret: the webhook secret.
        timestamp: seconds as text, as in x-zm-request-timestamp.
        body: the raw body.
    """
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Attempt:
    """One attempt: its wall time, its status (0: no response), and its result."""

    time: float
    status: int
    reason: str


@dataclass(slots=True)
class Delivery:
    """One webhook with all its attempts. Faults change it before it is first sent.

    Attributes:
        timestamp: of the signature, seconds as text (documented; `event_ts` is milliseconds).
        more_headers: sent after the others; a name may be repeated here.
        chunked: no length is announced.
        cut_after: bytes of the body after which the connection is closed.
        pause: seconds between the pieces of a body.
        retry_at: the time of Zoom's next attempt, by the simulated clock; 0: no attempt.
    """

    id: str
    app: App = field(repr=False)
    event: str
    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timestamp: str
    secret: str = field(repr=False)
    attempts: deque[Attempt] = field(default_factory=lambda: deque(maxlen=MAX_ATTEMPTS))
    more_headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    chunked: bool = False
    cut_after: int | None = None
    pause: float = 0.0
    retry_at: float = 0.0

    @property
    def client_id(self) -> str:
        """Return the client id of the app that receives it."""
        return self.app.client_id

    def sign(self) -> None:
        """Sign the present timestamp and body."""
        self.headers["x-zm-request-timestamp"] = self.timestamp
        self.headers["x-zm-signature"] = sign(self.secret, self.timestamp, self.body)

    def content(self) -> dict[str, Any] | None:
        """Return the body's object; None if a fault has made it unreadable."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    def payload(self) -> dict[str, Any]:
        """Return the body's payload; empty if a fault has made it unreadable."""
        payload = (self.content() or {}).get("payload")
        return payload if isinstance(payload, dict) else {}

    def change(self, **fields: Any) -> None:
        """Set fields of the body's object and sign it again; other bodies are left unchanged."""
        content = self.content()
        if content is not None:
            self.body = encode_body({**content, **fields})
            self.sign()


class Deliveries:
    """The newest deliveries. Beyond either bound the oldest are dropped with their retries.

    At most 10 000 deliveries and 32 MiB of bodies are kept.
    """

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, Delivery] = OrderedDict()
        self._bytes = 0

    def add(self, delivery: Delivery) -> None:
        """Add a delivery; drop the oldest beyond the bounds."""
        self._by_id[delivery.id] = delivery
        self._bytes += len(delivery.body)
        while len(self._by_id) > MAX_DELIVERIES or self._bytes > MAX_BODY_BYTES:
            if len(self._by_id) == 1:
                break
            _, oldest = self._by_id.popitem(last=False)
            self._bytes -= len(oldest.body)

    def find(self, delivery_id: str) -> Delivery | None:
        """Return a delivery by id, if it is still kept."""
        return self._by_id.get(delivery_id)

    @property
    def newest(self) -> Delivery | None:
        """Return the delivery that was added last."""
        return next(reversed(self._by_id.values()), None)

    def clear(self) -> None:
        """Delete all of them."""
        self._by_id.clear()
        self._bytes = 0

    def __iter__(self) -> Iterator[Delivery]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, delivery_id: object) -> bool:
        return delivery_id in self._by_id
