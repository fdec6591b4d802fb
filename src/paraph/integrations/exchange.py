"""One request to the service from a thread, for servers and frameworks without an event loop.

The public URLs take short bodies and give short responses. So a request is passed as a whole, in
one step between the threads, and its response comes back as a whole.

a2wsgi translates streams as well, and was tried at version 1.10. A body shorter than announced kept
it reading forever, a response closed early left its task behind, and a stopped event loop left its
thread waiting. A query or a length that is no ASCII raised an exception, which is a 500.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from paraph.zoom.webhook import MAX_BODY_BYTES

# No endpoint takes a longer body; one byte more lets the service see that it is too long.
MOST_BODY_BYTES = MAX_BODY_BYTES + 1
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WITHOUT_PREFIX = ("CONTENT_TYPE", "CONTENT_LENGTH")


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


async def exchange(app: ASGIApp, scope: Scope, body: bytes | None) -> WholeResponse:
    """Pass one request to an ASGI application and return its response.

    Args:
        app: the application; it answers with one response.
        scope: the scope of the request.
        body: the complete body; None if it broke off.
    """
    waiting: list[Message] = []
    if body is not None:
        waiting.append({"type": "http.request", "body": body, "more_body": False})
    start: Message = {"status": 500, "headers": ()}
    pieces: list[bytes] = []

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        else:
            pieces.append(message.get("body", b""))

    await app(scope, receive, send)
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]
    )
    return WholeResponse(start["status"], headers, b"".join(pieces))


def scope_of(environ: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ASGI scope of a WSGI request.

    The client address is the peer's, and the scheme is the server's: forwarded headers are believed
    from `trusted_proxies` only, by the service itself.
    """
    path = path_of(environ)
    address = environ.get("REMOTE_ADDR", "")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": path,
        "raw_path": path.encode("latin-1", "replace"),
        "root_path": "",
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
        "headers": list(_headers(environ)),
        "client": (address, 0) if address else None,
        "server": None,
    }


def path_of(environ: Mapping[str, Any]) -> str:
    """Return the path of the URL as the browser knows it: it may stand below a mount point."""
    script: str = environ.get("SCRIPT_NAME", "")
    return f"{script}{environ.get('PATH_INFO', '')}"


def is_plainly_written(environ: Mapping[str, Any]) -> bool:
    """Return False if the server tells that the path was percent-encoded.

    The paths of the service need no encoding. Other spellings of them are other URLs: a proxy
    that limits `/webhook` by its path does not recognise `/%77ebhook`.
    """
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    return "%" not in raw.partition("?")[0]


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the headers, with their names in lower case.

    The server has joined repeated headers by a comma, which no signature may contain.
    """
    for name, value in environ.items():
        if name in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}:
            continue
        if name.startswith("HTTP_") or (name in _WITHOUT_PREFIX and value):
            plain = name.removeprefix("HTTP_").replace("_", "-").lower()
            yield plain.encode("latin-1", "replace"), str(value).encode("latin-1", "replace")


def body_of(environ: Mapping[str, Any]) -> bytes | None:
    """Read the body of a WSGI request; None if it broke off.

    A body that is announced longer than any endpoint takes is not read: the service refuses it by
    its headers. A length that is no number counts as no body.
    """
    if environ["REQUEST_METHOD"] not in _BODY_METHODS:
        return b""
    announced = str(environ.get("CONTENT_LENGTH") or "")
    if announced.isdecimal() and announced.isascii():
        length = int(announced) if len(announced) < 10 else MOST_BODY_BYTES
    elif not announced and environ.get("wsgi.input_terminated"):
        # Sent in chunks: the server ends the stream where the body ends.
        return _read(environ["wsgi.input"], MOST_BODY_BYTES)
    else:
        return b""
    if length >= MOST_BODY_BYTES:
        return b""
    body = _read(environ["wsgi.input"], length)
    return body if body is not None and len(body) == length else None


def _read(stream: Any, most: int) -> bytes | None:
    pieces: list[bytes] = []
    read = 0
    while read < most:
        try:
            piece = stream.read(most - read)
        except Exception:  # noqa: BLE001 - Each server has exceptions of its own for a lost client.
            return None
        if not piece:
            break
        pieces.append(piece)
        read += len(piece)
    return b"".join(pieces)


def without_connection_headers(
    headers: Iterable[tuple[str, str]],
) -> list[tuple[str, str]]:
    """Return the headers that an application may set: a connection is the server's (PEP 3333)."""
    return [(name, value) for name, value in headers if name.lower() != "connection"]
