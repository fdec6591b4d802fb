"""Records every request that reaches the simulated Zoom, with its response, in the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.simulator.state.journal import Exchange, Journal, Pairs

MAX_BODY = 256 * 1024
MAX_RESPONSE = 16 * 1024
_OWN = ("/_simulator", "/_console")


class Journaling:
    """ASGI middleware that writes the journal."""

    def __init__(self, app: ASGIApp, journal: Journal, wall: Callable[[], float]) -> None:
        self._app = app
        self._journal = journal
        self._wall = wall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and record the request and its response."""
        if scope["type"] != "http" or _is_own(scope["path"]):
            await self._app(scope, receive, send)
            return
        body, sent = bytearray(), bytearray()
        status, headers = 0, []

        async def receive_noted() -> Message:
            message = await receive()
            body.extend(message.get("body", b"")[: MAX_BODY - len(body)])
            return message

        async def send_noted(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            sent.extend(message.get("body", b"")[: MAX_RESPONSE - len(sent)])
            await send(message)

        received_at = self._wall()
        try:
            await self._app(scope, receive_noted, send_noted)
        finally:
            entry = _entry(scope, bytes(body), status, received_at)
            shown = _pairs(headers)
            weight = 2 * len(body) + len(sent) + _weigh(entry["headers"]) + _weigh(shown)
            self._journal.add(Exchange(entry, shown, bytes(sent), weight))


def _is_own(path: str) -> bool:
    return path == "/" or any(path == own or path.startswith(f"{own}/") for own in _OWN)


def _entry(scope: Scope, body: bytes, status: int, received_at: float) -> dict[str, Any]:
    headers = _pairs(scope["headers"])
    named = {pair[0]: pair[1] for pair in headers}
    text = body.decode("utf-8", "replace")
    media_type = named.get("content-type", "").partition(";")[0].strip().lower()
    is_form = media_type == "application/x-www-form-urlencoded"
    query = scope.get("query_string", b"").decode("latin-1")
    return {
        "number": 0,
        "time": received_at,
        "method": scope["method"],
        "host": named.get("host", ""),
        "path": scope["path"],
        "query": _parsed(query),
        "headers": headers,
        "form": _parsed(text) if is_form else [],
        "body": text,
        "status": status,
    }


def _pairs(headers: Any) -> Pairs:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _parsed(text: str) -> Pairs:
    return [list(pair) for pair in parse_qsl(text, keep_blank_values=True)]


def _weigh(pairs: Pairs) -> int:
    # A Python string takes some fifty bytes in addition to its characters.
    return sum(len(name) + len(value) + 160 for name, value in pairs)
