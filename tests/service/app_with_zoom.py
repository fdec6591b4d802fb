"""A host's own Starlette app with Zoom in it, for tests of the service inside an app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paraph.service.zoom import Zoom
from scripted_zoom import ScriptedZoom, scripted_zoom
from service_kit import PUBLIC_URL, Kit, give_back, settings_for, simulated_zoom

SUBJECT = "tenant:jane"
NONCE = "n" * 43


@dataclass
class App:
    """A Starlette app with Zoom in it."""

    zoom: Zoom
    kit: Kit
    rest: ScriptedZoom
    app: Any

    def browser(self) -> httpx.AsyncClient:
        """A browser of the app's."""
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)

    async def link(self, subject: str = SUBJECT) -> str:
        """Link Jane to a subject, in the app's own code; gives the installation's id."""
        request = await self.zoom.request_link(subject, nonce=NONCE)
        async with self.browser() as browser:
            back = await self.kit.install(browser, request.install_url.removeprefix(PUBLIC_URL))
        handoff = parse_qs(urlsplit(back.headers["location"]).query)["handoff"][0]
        claim = await self.zoom.claim(handoff, nonce=NONCE)
        return (await self.zoom.confirm(claim, subject=subject)).id


@asynccontextmanager
async def running_app(
    folder: Path, *, register: Callable[[Zoom], None] = lambda _zoom: None, **changes: Any
) -> AsyncIterator[App]:
    """A host's own app with Zoom in it."""
    simulated = simulated_zoom()
    with scripted_zoom() as rest:
        try:
            settings = settings_for(
                simulated, folder, linking="host", api_servers=(rest.url,), **changes
            )
            zoom = Zoom(settings)
            register(zoom)

            async def me(request: Request) -> Response:
                subject = request.path_params["subject"]
                response = await zoom.installation(subject).get("/users/me")
                return JSONResponse(response.json(), status_code=response.status)

            app = zoom.around(Starlette(routes=[Route("/me/{subject}", me)]))
            async with zoom:
                yield App(zoom, _kit(zoom, simulated, settings, app), rest, app)
        finally:
            give_back(simulated)


def _kit(zoom: Zoom, simulated: Any, settings: Any, app: Any) -> Kit:
    kit = Kit(simulated, zoom.service, settings)
    kit.browser = lambda: httpx.AsyncClient(  # type: ignore[method-assign]
        transport=httpx.ASGITransport(app), base_url=PUBLIC_URL
    )
    return kit
