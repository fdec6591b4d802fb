"""Security headers for the pages of a host product, around an ASGI or a WSGI application.

Zoom's review looks for them at every URL of a product. paraph's own pages bring their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeaders", "WSGISecurityHeaders"]

_DEFAULTS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}
_NO_CHANGES: Mapping[str, str] = MappingProxyType({})


def _missing(present: Iterable[str], changes: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the headers that a response does not set itself."""
    names = {name.lower() for name in present}
    wanted = _DEFAULTS | {name.lower(): value for name, value in changes.items()}
    return ((name, value) for name, value in wanted.items() if value and name not in names)


class SecurityHeaders:
    """ASGI middleware that adds security headers to each response, for Starlette and FastAPI.

    A header that the response has already is left as it is. The defaults keep pages out of caches
    and frames, and scripts and styles to files of this site.

    Args:
        app: the application inside.
        headers: headers to add or to replace; one with an empty value is left out.

    Example:
        from paraph.integrations.security_headers import SecurityHeaders

        app.add_middleware(SecurityHeaders)
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] = _NO_CHANGES) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and complete the headers of its response."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                present = (name.decode("latin-1") for name, _value in given)
                missing = _missing(present, self._headers)
                given += [(name.encode(), value.encode("latin-1")) for name, value in missing]
                message = {**message, "headers": given}
            await send(message)

        await self._app(scope, receive, complete if scope["type"] == "http" else send)


class WSGISecurityHeaders:
    """WSGI middleware that adds the same headers as `SecurityHeaders`, for Flask and others.

    Args:
        app: the application inside.
        headers: headers to add or to replace; one with an empty value is left out.

    Example:
        from paraph.integrations.security_headers import WSGISecurityHeaders

        app.wsgi_app = WSGISecurityHeaders(app.wsgi_app)
    """

    def __init__(self, app: WSGIApplication, headers: Mapping[str, str] = _NO_CHANGES) -> None:
        self._app = app
        self._headers = headers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application, and complete the headers of its response."""

        def complete(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            missing = _missing((name for name, _value in headers), self._headers)
            return start_response(status, [*headers, *missing], *exc_info)

        return self._app(environ, complete)
