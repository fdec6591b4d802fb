"""The journal: every request that reached the simulated Zoom, as it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_ENTRIES = 10_000
MAX_BODY = 256 * 1024
_OWN = ("/_simulator", "/_console")


class Journal:
    """The newest entries; the oldest go first."""

    def __init__(self) -> None:
        self.entries: deque[dict[str, Any]] = deque(maxlen=MAX_ENTRIES)
        self._number = 0

    def add(self, entry: dict[str, Any]) -> None:
        """Number an entry and keep it."""
        self._number += 1
        self.entries.append({"number": self._number, **entry})

    def since(self, number: int) -> list[dict[str, Any]]:
        """Entries newer than a number."""
        return [entry for entry in self.entries if entry["number"] > number]

    def clear(self) -> None:
        """Forget all entries; numbers go on, so that `since` stays true."""
        self.entries.clear()


class Journaling:
    """ASGI middleware that writes the journal."""

    def __init__(self, app: ASGIApp, journal: Journal, wall: Callable[[], float]) -> None:
        self._app = app
        self._journal = journal
        self._wall = wall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note what came and which status went."""
        if scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith(_OWN):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        status = 0

        async def receive_noted() -> Message:
            message = await receive()
            if len(body) < MAX_BODY:
                body.extend(message.get("body", b""))
            return message

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        received_at = self._wall()
        try:
            await self._app(scope, receive_noted, send_noted)
        finally:
            self._journal.add(_entry(scope, bytes(body), status, received_at))


def _entry(scope: Scope, body: bytes, status: int, received_at: float) -> dict[str, Any]:
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
    named = dict(headers)
    text = body.decode("utf-8", "replace")
    is_form = named.get("content-type", "").startswith("application/x-www-form-urlencoded")
    query = scope.get("query_string", b"").decode("latin-1")
    return {
        "time": received_at,
        "method": scope["method"],
        "host": named.get("host", ""),
        "path": scope["path"],
        "query": [list(pair) for pair in parse_qsl(query, keep_blank_values=True)],
        "headers": [list(pair) for pair in headers],
        "form": [list(pair) for pair in parse_qsl(text, keep_blank_values=True)] if is_form else [],
        "body": text,
        "status": status,
    }
