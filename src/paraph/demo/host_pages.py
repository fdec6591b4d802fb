"""The pages of the host product: templates, static files, and security headers."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = [
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
            b"img-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


_MEDIA_TYPES = {
    "host.css": "text/css",
    "host.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("paraph.demo", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template; every value is escaped."""
    return HTMLResponse(_templates().get_template(name).render(**values), status_code=status)


async def static_file(request: Request) -> Response:
    """Handle `GET /static/{name}`."""
    name = request.path_params["name"]
    if name not in _MEDIA_TYPES:
        return Response(status_code=404)
    content = (files("paraph.demo") / "static" / name).read_bytes()
    return Response(content, media_type=_MEDIA_TYPES[name])


class HostHeaders:
    """ASGI middleware that adds the headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app and add the headers to its response."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
