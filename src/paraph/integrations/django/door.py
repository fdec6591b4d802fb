"""Passes a request of Django's to the service, and returns the service's own response.

The service runs on its event loop in another thread, under WSGI and under ASGI alike, so there is
one path to test. The view waits in the thread that Django gave it.
"""

from __future__ import annotations

from http.cookies import CookieError, Morsel, SimpleCookie
from typing import Any

from django.http import HttpRequest, HttpResponse, UnreadablePostError

from paraph.integrations.exchange import Body, NoBody, WholeResponse
from paraph.integrations.wsgi_request import MOST_BODY_BYTES, is_plainly_written, scope_of


def request_scope(request: HttpRequest, path: str) -> dict[str, Any] | None:
    """Return the ASGI scope of a request; None if its path was percent-encoded.

    The service's paths need no encoding. A proxy that limits `/webhook` by its path would not
    recognise `/%77ebhook`.

    Args:
        request: as WSGI or ASGI brought it.
        path: the path that the service knows this URL by.
    """
    native = getattr(request, "scope", None)
    if native is None:
        # Of the environment, not of the request: Django believes a header for the scheme.
        found = scope_of(request.META)
        is_plain = is_plainly_written(request.META)
    else:
        names = ("type", "asgi", "http_version", "method", "scheme", "query_string", "client")
        found = {name: native.get(name) for name in names}
        found["headers"] = list(native["headers"])
        is_plain = b"%" not in (native.get("raw_path") or b"")
    placed = {"path": path, "raw_path": path.encode("ascii"), "root_path": "", "server": None}
    return {**found, **placed} if is_plain else None


def request_body(request: HttpRequest) -> Body:
    """Read the body, at most one byte more than any endpoint takes.

    A body that is announced longer is not read: the service refuses it by that header. A
    middleware of the project may have read the body before.
    """
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced and not _is_short(announced):
        return b""
    try:
        body: bytes = request.read(MOST_BODY_BYTES)
    except UnreadablePostError:
        return NoBody.BROKEN_OFF
    return body if not announced or len(body) == int(announced) else NoBody.BROKEN_OFF


def _is_short(announced: str) -> bool:
    return announced.isdecimal() and len(announced) < 10 and int(announced) < MOST_BODY_BYTES


def django_response(answer: WholeResponse) -> HttpResponse:
    """Return the response with the service's own status, headers, cookies and bytes."""
    response = HttpResponse(answer.body, status=answer.status)
    # Django's default type is wrong for a response that says none.
    del response.headers["Content-Type"]
    for name, value in answer.headers:
        if name.lower() == "set-cookie":
            _add_cookie(response, value)
        # The connection is the server's (PEP 3333).
        elif name.lower() != "connection":
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
    cookie.text = text
    response.cookies[cookie.key] = cookie
