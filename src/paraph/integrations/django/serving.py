"""For ASGI servers: the service starts and stops with the server.

    application = with_zoom(get_asgi_application())

Without it the service starts with the first request, and Django reads the whole body of a delivery
before any view sees it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from django.urls import NoReverseMatch, get_script_prefix, reverse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.http.body import READ_SECONDS
from paraph.integrations.django.project import project
from paraph.integrations.wsgi_request import MOST_BODY_BYTES
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

    It also limits the bodies of deliveries, which come from anybody: to one byte more than the
    service takes, and to ten seconds without a further piece.

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
        elif scope["type"] == "http" and _is_delivery(scope["path"]):
            await application(scope, _limited(receive), send)
        else:
            await application(scope, receive, send)

    return serve


def _is_delivery(path: str) -> bool:
    try:
        route: str = reverse("paraph:webhook")
    except NoReverseMatch:
        return False
    return path.endswith(route.removeprefix(get_script_prefix().rstrip("/")))


def _limited(receive: Receive) -> Receive:
    """Return a `receive` whose body ends: Django reads a body to its end, however long it is."""
    received, is_complete = 0, False

    async def receive_some() -> Message:
        nonlocal received, is_complete
        if is_complete:
            # Django accepts nothing but a disconnection here.
            while (message := await receive())["type"] == "http.request":
                pass
            return message
        try:
            async with asyncio.timeout(READ_SECONDS):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        received += len(message.get("body", b""))
        is_complete = received >= MOST_BODY_BYTES or not message.get("more_body")
        return {**message, "more_body": not is_complete}

    return receive_some
