"""The middleware of Starlette: errors of calls that the app does not handle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from paraph.errors import NotFound, StorageError
from paraph.integrations.starlette import ZoomMiddleware
from service.mount.mounted_app import mounted_app
from service_kit import PUBLIC_URL

pytestmark = pytest.mark.anyio
ERRORS = {"/me": NotFound("no installation"), "/away": StorageError("no disk"), "/own": KeyError()}


async def failing(request: Any) -> Response:
    """A page of the app whose call of Zoom fails."""
    raise ERRORS[request.url.path]


async def test_an_error_of_a_call_becomes_a_response(tmp_path: Path) -> None:
    """404 with the URL that connects, or 503; a mistake of the app is left to the app."""
    async with mounted_app(tmp_path) as mounted:
        app = Starlette(
            routes=[Route(path, failing) for path in ERRORS],
            middleware=[Middleware(ZoomMiddleware, zoom=mounted.zoom)],
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as browser:
            missing = await browser.get("/me")
            away = await browser.get("/away")
            with pytest.raises(KeyError):
                await browser.get("/own")
    assert (404, "connect_url" in missing.json()["detail"]) == (missing.status_code, True)
    assert (503, "3") == (away.status_code, away.headers["retry-after"])
