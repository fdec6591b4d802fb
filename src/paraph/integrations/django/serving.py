"""For ASGI servers: the service starts and stops with the server.

    application = with_zoom(get_asgi_application())

Without it the service starts with the first request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from paraph.integrations.django.project import project
from paraph.service.mount.mounting import run_lifespan

if TYPE_CHECKING:
    from paraph.service.mount.lifetime import Lifetime


class _InThread:
    """The service, started and stopped in a thread, so that the server's event loop goes on."""

    async def __aenter__(self) -> None:
        await asyncio.to_thread(lambda: project.zoom().start())

    async def __aexit__(self, *_exc: object) -> None:
        await asyncio.to_thread(project.close)


def with_zoom(application: ASGIApp) -> ASGIApp:
    """Return an ASGI application that runs the service with the server.

    Args:
        application: as `get_asgi_application` returns it; Django answers no `lifespan` itself.

    Example:
        from django.core.asgi import get_asgi_application
        from paraph.integrations.django.serving import with_zoom

        application = with_zoom(get_asgi_application())
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(cast("Lifetime", _InThread()), None, scope, receive, send)
        else:
            await application(scope, receive, send)

    return serve
