"""One webhook under way, its signature, its attempts; and the newest deliveries, within bounds."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from paraph.simulator.behaviours import behaviour
from paraph.simulator.world import App

MAX_DELIVERIES = 10_000
MAX_BODY_BYTES = 32 << 20
MAX_ATTEMPTS = 100
_HALF = re.compile("[\ud800-\udfff]")
# From here on JavaScript writes an exponent.
_EXPONENT_FROM = 1e21


@behaviour(
    "webhooks",
    "compact bytes: no spaces, `/` as it is, whole numbers without `.0`, as JavaScript writes them",
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
    "webhooks", "mixed escapes: emoji as `\\u`, the rest as it is", "seen", source="captures"
)
def encode_body(content: Any, *, variant: str = "") -> bytes:
    r"""The bytes as Zoom writes them: no spaces, `/` as it is.

    With the variant "mixed_escapes", emoji stand as `\u` escapes while other characters are raw
    UTF-8 (seen in live deliveries), so that nobody who prints the JSON again gets these bytes.
    """
    text = json.dumps(_as_javascript(content), separators=(",", ":"), ensure_ascii=False)
    if variant == "mixed_escapes":
        text = "".join(
            json.dumps(character)[1:-1] if ord(character) > 0xFFFF else character
            for character in text
        )
    return utf8_of(text)


def utf8_of(json_text: str) -> bytes:
    """JSON text in UTF-8, in which half a character is an escape."""
    return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", json_text).encode("utf-8")


def _as_javascript(content: Any) -> Any:
    """Whole numbers as integers: receivers that print the JSON anew sign `1`, never `1.0`."""
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
    """`v0=` and the HMAC-SHA256 of `v0:timestamp:body` (documented)."""
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


@dataclass(slots=True)
class Attempt:
    """One try: when (wall time), the status (0: none came), and what happened."""

    time: float
    status: int
    reason: str


@dataclass(slots=True)
class Delivery:
    """One webhook with all its attempts. Faults spoil it before it is first sent.

    Attributes:
        timestamp: of the signature, seconds as text (documented; `event_ts` is milliseconds).
        more_headers: sent after the others; a name may stand here a second time.
        chunked: no length is announced.
        cut_after: bytes of the body after which the connection is closed.
        pause: seconds between the pieces of a body.
        retry_at: when Zoom tries again, by the simulated clock; 0 where it does not.
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
        """Whose it is."""
        return self.app.client_id

    def sign(self) -> None:
        """Sign what is to be sent, as it stands now."""
        self.headers["x-zm-request-timestamp"] = self.timestamp
        self.headers["x-zm-signature"] = sign(self.secret, self.timestamp, self.body)

    def content(self) -> dict[str, Any] | None:
        """The body's object; None where a fault has left none."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    def payload(self) -> dict[str, Any]:
        """The body's payload; empty where a fault has left none."""
        payload = (self.content() or {}).get("payload")
        return payload if isinstance(payload, dict) else {}

    def change(self, **fields: Any) -> None:
        """Set fields of the body's object, and sign it anew; anything else stays as it is."""
        content = self.content()
        if content is not None:
            self.body = encode_body({**content, **fields})
            self.sign()


class Deliveries:
    """The newest deliveries. The oldest go, retries and all, beyond either bound.

    At most 10 000 deliveries and 32 MiB of bodies are kept.
    """

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, Delivery] = OrderedDict()
        self._bytes = 0

    def add(self, delivery: Delivery) -> None:
        """Keep one more; let go of the oldest."""
        self._by_id[delivery.id] = delivery
        self._bytes += len(delivery.body)
        while len(self._by_id) > MAX_DELIVERIES or self._bytes > MAX_BODY_BYTES:
            if len(self._by_id) == 1:
                break
            _, oldest = self._by_id.popitem(last=False)
            self._bytes -= len(oldest.body)

    def find(self, delivery_id: str) -> Delivery | None:
        """A delivery by id, if it is still kept."""
        return self._by_id.get(delivery_id)

    def clear(self) -> None:
        """Forget all of them."""
        self._by_id.clear()
        self._bytes = 0

    def __iter__(self) -> Iterator[Delivery]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, delivery_id: object) -> bool:
        return delivery_id in self._by_id
