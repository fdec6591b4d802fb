"""The private side: the management API, on a listener that the public never reaches."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.logs import get_logger

MAX_BODY_BYTES = 64 * 1024

_log = get_logger("service")


class PrivateSide:
    """ASGI application of the private listener: bounded bodies, and no stack trace ever."""

    def __init__(self, management_api: ASGIApp) -> None:
        self._management_api = management_api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on to the management API."""
        if scope["type"] != "http":
            return
        started = False
        read = 0

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        async def receive_bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                raise _TooLong
            return message

        try:
            await self._management_api(scope, receive_bounded, send_noted)
        except _TooLong:
            if not started:
                await _problem(413, "too_long", "The body is too long.")(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - The last net: a problem, never a stack trace.
            _log.error("api.failed", path=scope["path"], why=type(error).__name__)
            if not started:
                await _problem(500, "error", "Something went wrong.")(scope, receive, send)


class _TooLong(Exception):
    """More was sent than any call of this API needs."""


def _problem(status: int, code: str, title: str) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "code": code, "remedy": ""},
        status_code=status,
        media_type="application/problem+json",
    )
