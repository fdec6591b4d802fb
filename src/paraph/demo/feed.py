"""Events and notices as the service hands them on: verified, deduplicated, shown as they come."""

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
_REMEMBERED = 5000
_HEARTBEAT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the feed, for the tenant whose it is."""

    at: str
    kind: str
    text: str
    subjects: tuple[str, ...]


class Feed:
    """What arrived at the host's webhook."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self.items: deque[Item] = deque(maxlen=_SHOWN)
        self.received = 0
        self._listeners: set[asyncio.Queue[Item]] = set()

    async def receive(self, request: Request) -> Response:
        """POST /hooks/paraph."""
        body = await request.body()
        try:
            self._webhook.verify(body, dict(request.headers))
            content = json.loads(body)
        except Exception:  # noqa: BLE001 - The library raises many kinds for odd headers: all are a no.
            return Response(status_code=401)
        event_id = request.headers["webhook-id"]
        if event_id not in self._seen:
            self._seen[event_id] = None
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            self._show(content)
        return Response(status_code=204)

    def for_tenant(self, prefix: str) -> list[Item]:
        """The newest items that concern a tenant."""
        return [one for one in reversed(self.items) if _concerns(one, prefix)]

    async def stream(self, prefix: str) -> StreamingResponse:
        """Server-sent events for a tenant."""
        return StreamingResponse(self._lines(prefix), media_type="text/event-stream")

    async def _lines(self, prefix: str) -> AsyncIterator[str]:
        queue: asyncio.Queue[Item] = asyncio.Queue(maxsize=100)
        self._listeners.add(queue)
        try:
            yield "retry: 2000\n\n"
            while True:
                try:
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        item = await queue.get()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if _concerns(item, prefix):
                    line = json.dumps({"at": item.at, "kind": item.kind, "text": item.text})
                    yield f"data: {line}\n\n"
        finally:
            self._listeners.discard(queue)

    def _show(self, content: dict[str, Any]) -> None:
        self.received += 1
        item = _item(content)
        self.items.append(item)
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(item)


def _item(content: dict[str, Any]) -> Item:
    at = f"{datetime.now(tz=UTC):%H:%M:%S}"
    data = content.get("data", {})
    kind = str(content.get("type", ""))
    if kind.startswith("installation."):
        one = data.get("installation", {})
        subject = str(one.get("subject", ""))
        return Item(at, kind, f"{subject}: {data.get('reason', '')}", (subject,))
    subjects = tuple(str(one.get("subject", "")) for one in data.get("installations", []))
    thing = data.get("event", {}).get("payload", {}).get("object", {})
    topic = thing.get("topic", "") if isinstance(thing, dict) else ""
    return Item(at, kind, str(topic), subjects)


def _concerns(item: Item, prefix: str) -> bool:
    return not prefix or any(subject.startswith(prefix) for subject in item.subjects)
