"""One request to the service from a thread, for servers and frameworks without an event loop.

The public URLs take short bodies and give short responses. So a request is passed as a whole, and
its response comes back as a whole. The body is read only where the headers alone do not decide:
most hostile requests end before a byte of it is read.

a2wsgi translates streams as well, and was tried at version 1.10. A body shorter than announced kept
it reading forever, a response closed early left its task behind, and a stopped event loop left its
thread waiting. A query or a length that is no ASCII raised an exception, which is a 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from starlette.types import ASGIApp, Message, Scope

# For the integrations, not for programs.
__all__: list[str] = []


@dataclass(frozen=True, slots=True)
class WholeResponse:
    """A complete response of the service.

    Attributes:
        status: the HTTP status code.
        headers: names and values in their order; `Set-Cookie` may occur several times.
        body: the complete body.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class NoBody(Enum):
    """The reason why the body of a request is not there."""

    NOT_READ = auto()
    BROKEN_OFF = auto()


Body = bytes | NoBody


class BodyWantedError(BaseException):
    """The application wants a body that was not read yet. `except Exception` does not stop it."""


async def exchange(app: ASGIApp, scope: Scope, body: Body) -> WholeResponse | None:
    """Pass one request to an ASGI application and return its response.

    Args:
        app: the application. It answers with one response, and has no effect before it has asked
            for the body.
        scope: the scope of the request.
        body: the complete body, or the reason why it is not there.

    Returns:
        The response; None if the application needs the body, and it was not read.
    """
    waiting: list[Message] = []
    if isinstance(body, bytes):
        waiting.append({"type": "http.request", "body": body, "more_body": False})
    start: Message = {"status": 500, "headers": ()}
    pieces: list[bytes] = []

    async def receive() -> Message:
        if body is NoBody.NOT_READ:
            raise BodyWantedError
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        else:
            pieces.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except BodyWantedError:
        return None
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]
    )
    return WholeResponse(start["status"], headers, b"".join(pieces))
