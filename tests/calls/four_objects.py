"""One service, and the four objects that make the same calls of it.

`Zoom` runs the service, with a private listener for the two clients. `SyncZoom` is a second replica
on the same database, in a thread of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from api.private_socket import private_url
from paraph import AsyncClient, Client, SyncZoom, Zoom
from service.app_with_zoom import NONCE, App, running_app
from service_kit import PUBLIC_URL

NAMES = ("Zoom", "SyncZoom", "AsyncClient", "Client")
ALL_SCOPES = ("link", "read", "vend", "proxy", "remove")


@dataclass
class FourObjects:
    """The four objects, by their names."""

    app: App
    objects: dict[str, Any]

    async def do(self, name: str, method: str, *args: Any, **more: Any) -> Any:
        """Call a method of an object to its end, as its users do."""
        return await finished(getattr(self.objects[name], method), *args, **more)

    async def use(self, name: str, subject: str, method: str, *args: Any, **more: Any) -> Any:
        """Call a method of a subject's installation."""
        handle = self.objects[name].installation(subject)
        return await finished(getattr(handle, method), *args, **more)

    async def handoff(self, name: str, subject: str) -> str:
        """Request a link with an object, and take a browser through the install."""
        request = await self.do(name, "request_link", subject, nonce=NONCE)
        async with self.app.browser() as browser:
            path = request.install_url.removeprefix(PUBLIC_URL)
            back = await self.app.kit.install(browser, path)
        return parse_qs(urlsplit(back.headers["location"]).query)["handoff"][0]

    async def link(self, name: str, subject: str) -> Any:
        """Link Jane to a subject with an object; return the installation."""
        handoff = await self.handoff(name, subject)
        claim = await self.do(name, "claim", handoff, nonce=NONCE)
        return await self.do(name, "confirm", claim, subject=subject, move=True)


async def finished(method: Any, *args: Any, **more: Any) -> Any:
    """Call a method of either kind; collect what an iterator yields."""

    def in_thread() -> Any:
        result = method(*args, **more)
        return list(result) if isinstance(result, Iterator) else result

    if asyncio.iscoroutinefunction(method):
        return await method(*args, **more)
    if isinstance(getattr(method, "__self__", None), Zoom | AsyncClient):
        result = method(*args, **more)
        if isinstance(result, AsyncIterator):
            return [one async for one in result]
        return await result if asyncio.iscoroutine(result) else result
    return await asyncio.to_thread(in_thread)


@asynccontextmanager
async def four_objects(folder: Path, **changes: Any) -> AsyncIterator[FourObjects]:
    """Start the service and open the four objects."""
    async with running_app(folder, **changes) as app, private_url(app.zoom.service) as url:
        api = await app.kit.api(*ALL_SCOPES)
        key = api.headers["authorization"].removeprefix("Bearer ")
        await api.aclose()
        sync_zoom = SyncZoom(app.zoom.settings)
        async with AsyncClient(url, key) as async_client:
            with Client(url, key) as client:
                found = (app.zoom, sync_zoom, async_client, client)
                try:
                    yield FourObjects(app, dict(zip(NAMES, found, strict=True)))
                finally:
                    await asyncio.to_thread(sync_zoom.stop)
