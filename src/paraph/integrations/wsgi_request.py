"""The request of a WSGI server (PEP 3333): its ASGI scope, and its body."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from paraph.integrations.exchange import Body, NoBody
from paraph.zoom.webhook_verification import MAX_BODY_BYTES

# For the integrations, not for programs.
__all__: list[str] = []

# No endpoint takes a longer body; one byte more lets the service see that it is too long.
MOST_BODY_BYTES = MAX_BODY_BYTES + 1
# For a whole body: a sender that stalls occupies a thread of the server for so long.
READ_SECONDS = 5.0
# For a body that is not wanted: a sender that has sent all of it may use its connection again.
DRAIN_SECONDS = 0.25
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WITHOUT_PREFIX = ("CONTENT_TYPE", "CONTENT_LENGTH")
_CONNECTIONS = ("gunicorn.socket", "werkzeug.socket")


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


def body_of(environ: Mapping[str, Any]) -> Body:
    """Read the body of a WSGI request.

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
    return body if isinstance(body, bytes) and len(body) == length else NoBody.BROKEN_OFF


def _read(stream: Any, most: int) -> Body:
    pieces: list[bytes] = []
    read = 0
    while read < most:
        try:
            piece = stream.read(most - read)
        except Exception:  # noqa: BLE001 - Each server has exceptions of its own for a lost client.
            return NoBody.BROKEN_OFF
        if not piece:
            break
        pieces.append(piece)
        read += len(piece)
    return b"".join(pieces)


@contextmanager
def limited_time(
    environ: Mapping[str, Any], loop: asyncio.AbstractEventLoop, seconds: float = READ_SECONDS
) -> Iterator[None]:
    """End the sending side of a client that stalls inside this block.

    It needs the connection, which gunicorn and Werkzeug pass on. Other servers have limits of their
    own. A connection on which the server itself runs TLS is left alone: closing half of it would
    end its encryption.

    Args:
        environ: the request.
        loop: a running event loop; it keeps the time.
        seconds: for the whole block.
    """
    connection = _connection_of(environ)
    if connection is None:
        yield
        return
    lock, reading = threading.Lock(), [True]

    def end() -> None:
        with lock, suppress(OSError):
            if reading:
                # The thread that waits for bytes gets an end of file at once.
                connection.shutdown(socket.SHUT_RD)

    loop.call_soon_threadsafe(loop.call_later, seconds, end)
    try:
        yield
    finally:
        with lock:
            reading.clear()


def _connection_of(environ: Mapping[str, Any]) -> socket.socket | None:
    found = next((environ[name] for name in _CONNECTIONS if name in environ), None)
    is_plain = isinstance(found, socket.socket) and not isinstance(found, ssl.SSLSocket)
    return found if is_plain else None


def drain(environ: Mapping[str, Any], loop: asyncio.AbstractEventLoop) -> None:
    """Read a body that was not wanted, if its sender does not stall.

    gunicorn announces a connection that stays open, and closes it if bytes are left on it. The next
    request of an honest sender would get no response.

    Args:
        environ: the request.
        loop: a running event loop; it keeps the time.
    """
    if _connection_of(environ) is not None:
        with limited_time(environ, loop, DRAIN_SECONDS):
            body_of(environ)
