"""Passes a request of Django's to the service, and returns the service's own response.

The service runs on its event loop in another thread, under WSGI and under ASGI alike, so there is
one path to test. The view waits in the thread that Django gave it.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from paraph.zoom.webhook import MAX_BODY_BYTES

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WITHOUT_PREFIX = ("CONTENT_TYPE", "CONTENT_LENGTH")

Message = MutableMapping[str, Any]


def scope_of(request: HttpRequest, path: str) -> dict[str, Any]:
    """Return the ASGI scope of a request.

    Args:
        request: as WSGI or ASGI brought it.
        path: the path that the service knows this URL by.
    """
    native = getattr(request, "scope", None)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        # The server's own knowledge: SECURE_PROXY_SSL_HEADER believes a header of any sender.
        "scheme": native["scheme"] if native else request.META.get("wsgi.url_scheme", "http"),
        "path": path,
        "raw_path": quote(path).encode("ascii"),
        "root_path": "",
        "query_string": request.META.get("QUERY_STRING", "").encode("latin-1"),
        "headers": list(native["headers"] if native else headers_of(request.META)),
        "client": _client_of(request, native),
        "server": None,
    }


def _client_of(request: HttpRequest, native: Any) -> tuple[str, int] | None:
    if native:
        client: tuple[str, int] | None = native.get("client")
        return client
    address = request.META.get("REMOTE_ADDR", "")
    return (address, 0) if address else None


def headers_of(meta: MutableMapping[str, Any]) -> Iterable[tuple[bytes, bytes]]:
    """Yield the headers of a WSGI environment, with their names in lower case.

    A server joins repeated headers by a comma, which no signature header may contain.
    """
    for name, value in meta.items():
        if name.startswith("HTTP_") or (name in _WITHOUT_PREFIX and value):
            plain = name.removeprefix("HTTP_").replace("_", "-").lower()
            yield plain.encode("latin-1"), str(value).encode("latin-1")


def body_of(request: HttpRequest) -> bytes | None:
    """Read the body, at most one byte more than any endpoint takes; None if it broke off.

    A body that is announced longer is not read: the service refuses it by that header.
    """
    if request.method not in _BODY_METHODS:
        return b""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        return b""
    try:
        body: bytes = request.read(MAX_BODY_BYTES + 1)
    except UnreadablePostError:
        return None
    return body


class Exchange:
    """One request and its response, as the messages of an ASGI application.

    Args:
        body: the complete body; None if it broke off.
    """

    def __init__(self, body: bytes | None) -> None:
        self._waiting: list[Message] = []
        if body is not None:
            self._waiting.append({"type": "http.request", "body": body, "more_body": False})
        self._start: Message = {"status": 500, "headers": []}
        self._pieces: list[bytes] = []

    async def receive(self) -> Message:
        """Return the body, then the end of the connection."""
        return self._waiting.pop(0) if self._waiting else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message of the response."""
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._pieces.append(message.get("body", b""))

    def response(self) -> HttpResponse:
        """Return the response with the service's own status, headers, cookies and bytes."""
        response = HttpResponse(b"".join(self._pieces), status=self._start["status"])
        # Django's default type is wrong for a response that says none.
        del response.headers["Content-Type"]
        for raw_name, raw_value in self._start["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            if name.lower() == "set-cookie":
                _add_cookie(response, value)
            else:
                response.headers[name] = value
        return response


class _SentAsWritten(Morsel[str]):
    """A cookie that goes out as the service wrote it."""

    text = ""

    def OutputString(self, attrs: Any = None) -> str:  # noqa: ARG002, N802 - The standard library's names.
        """Return the text of the header."""
        return self.text


def _add_cookie(response: HttpResponse, text: str) -> None:
    """Add one Set-Cookie header; Django keeps cookies apart from its other headers."""
    cookie = _SentAsWritten()
    try:
        parsed = next(iter(SimpleCookie(text).values()))
    except (CookieError, StopIteration):
        name, _, value = text.partition(";")[0].partition("=")
        cookie.set(name, value, value)
    else:
        cookie.set(parsed.key, parsed.value, parsed.coded_value)
        cookie.update(parsed)
    object.__setattr__(cookie, "text", text)
    response.cookies[cookie.key] = cookie
