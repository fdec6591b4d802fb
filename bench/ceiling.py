"""The ceiling: raw ASGI that reads the body and answers 200. Nothing can be quicker behind it."""

from __future__ import annotations

from typing import Any

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"2")],
}
_BODY = {"type": "http.response.body", "body": b"{}"}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read everything, answer nothing of interest."""
    del scope
    while (await receive()).get("more_body", False):
        pass
    await send(_START)
    await send(_BODY)
