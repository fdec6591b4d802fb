"""The security headers around an application of either kind."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from integrations.wsgi_requests import ask
from paraph.integrations.security_headers import SecurityHeaders, WSGISecurityHeaders

pytestmark = pytest.mark.anyio
OWN = {"Content-Type": "text/plain", "Cache-Control": "max-age=60"}
CHANGES = {"Referrer-Policy": "", "X-Powered-By": "tides"}
ADDED = {
    "cache-control": "max-age=60",
    "content-security-policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-powered-by": "tides",
}


def without_content(headers: Any) -> dict[str, str]:
    """Headers by their names in lower case, each of which occurs once."""
    found = {name.lower(): value for name, value in headers}
    assert len(found) == len(list(headers))
    return {name: value for name, value in found.items() if name[:7] != "content" or "sec" in name}


async def test_around_asgi() -> None:
    """The application's own headers win; a change adds, replaces or leaves out."""

    async def home(_request: Any) -> Response:
        return Response("", headers=OWN)

    app = SecurityHeaders(Starlette(routes=[Route("/", home)]), CHANGES)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        response = await client.get("http://product.example/")
    assert ADDED == without_content(response.headers.multi_items())


def test_around_wsgi() -> None:
    """The same rules hold."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", list(OWN.items()))
        return [b""]

    changed = ask(WSGISecurityHeaders(app, CHANGES), "/")
    assert ADDED == without_content(changed.headers)
    plain = ask(WSGISecurityHeaders(app), "/")
    assert "same-origin" == plain.header("referrer-policy")
