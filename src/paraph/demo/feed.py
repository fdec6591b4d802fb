"""The events and notices that the service has delivered to the host."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_SHOWN = 50
_MAX_SEEN = 5000
_HEARTBEAT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the feed; lines are numbered in order of arrival.

    Attributes:
        at: the time of day in UTC.
        kind: the type of the event or notice.
        subjects: the subjects that it concerns.
    """

    number: int
    at: str
    kind: str
    text: str
    subjects: tuple[str, ...]


class Feed:
    """The newest events and notices that arrived at the host's webhook.

    Args:
        secret: the secret with which the service signs them.
    """

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self.items: deque[Item] = deque(maxlen=_SHOWN)
        self.received = 0
        self._more = asyncio.Event()

    async def receive(self, request: Request) -> Response:
        """Handle `POST /hooks/paraph`: verify a delivery and store it."""
        body = await request.body()
        try:
            self._webhook.verify(body, dict(request.headers))
            content = json.loads(body)
        except Exception:  # noqa: BLE001 - Malformed headers raise many kinds: refuse all.
            return Response(status_code=401)
        event_id = request.headers["webhook-id"]
        if event_id not in self._seen:
            self._seen[event_id] = None
            while len(self._seen) > _MAX_SEEN:
                self._seen.popitem(last=False)
            self._show(content)
        return Response(status_code=204)

    def for_tenant(self, prefix: str) -> list[Item]:
        """Return the items that concern a tenant, the newest first."""
        return [one for one in reversed(self.items) if _concerns(one, prefix)]

    async def stream(self, prefix: str, *, after: int) -> StreamingResponse:
        """Stream items as server-sent events, now and as they arrive.

        Args:
            prefix: the tenant's prefix of subjects; "" for all.
            after: only items with a higher number.
        """
        return StreamingResponse(self._lines(prefix, after), media_type="text/event-stream")

    async def _lines(self, prefix: str, after: int) -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        # After a restart the numbers begin again: an older, higher one would hide new items.
        sent = min(after, self.received)
        while True:
            more = self._more
            for item in [one for one in self.items if one.number > sent]:
                sent = item.number
                if _concerns(item, prefix):
                    line = json.dumps({"at": item.at, "kind": item.kind, "text": item.text})
                    yield f"id: {item.number}\ndata: {line}\n\n"
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await more.wait()
            except TimeoutError:
                yield ": still here\n\n"

    def _show(self, content: dict[str, Any]) -> None:
        self.received += 1
        self.items.append(_item(self.received, content))
        # Streams that wait for the old event wake up, then wait for the new one.
        more, self._more = self._more, asyncio.Event()
        more.set()


def _item(number: int, content: dict[str, Any]) -> Item:
    at = f"{datetime.now(tz=UTC):%H:%M:%S}"
    data = content.get("data", {})
    kind = str(content.get("type", ""))
    if kind.startswith("installation."):
        one = data.get("installation", {})
        subject = str(one.get("subject", ""))
        return Item(number, at, kind, f"{subject}: {data.get('reason', '')}", (subject,))
    subjects = tuple(str(one.get("subject", "")) for one in data.get("installations", []))
    thing = data.get("event", {}).get("payload", {}).get("object", {})
    topic = thing.get("topic", "") if isinstance(thing, dict) else ""
    return Item(number, at, kind, str(topic), subjects)


def _concerns(item: Item, prefix: str) -> bool:
    return not prefix or any(subject.startswith(prefix) for subject in item.subjects)
