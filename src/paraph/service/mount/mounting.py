"""The service as an ASGI application of its own, or around another one.

Only the service's own URLs reach it; everything else, WebSockets too, is the other application's.
"""

from __future__ import annotations

from contextlib import suppress

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.endpoints.browser_request import path_of
from paraph.endpoints.routes import SECURITY_TXT_PATH, VERIFY_PATH
from paraph.errors import ParaphError
from paraph.logs import get_logger
from paraph.service.mount.lifetime import Lifetime
from paraph.settings.loading import LINK_PATH, START_PATH
from paraph.settings.model import Settings

_HEALTH = ("/healthz", "/readyz")
_STARTUP_ENDS = frozenset({"lifespan.startup.complete", "lifespan.startup.failed"})
_LIFESPAN_ENDS = frozenset(
    {"lifespan.startup.failed", "lifespan.shutdown.complete", "lifespan.shutdown.failed"}
)

_log = get_logger("service")


def own_paths(settings: Settings, *, has_pages: bool) -> tuple[str, ...]:
    """Return the paths of all URLs that the service answers below its base path.

    Args:
        settings: checked settings.
        has_pages: whether the start URL and the confirmation page are built in.
    """
    paths = ["/install", "/oauth/redirect", "/marketplace", "/webhook", *_HEALTH]
    if settings.linking == "none":
        paths.append("/installed")
    if has_pages:
        paths += [START_PATH, LINK_PATH]
    if settings.security_contact:
        paths.append(SECURITY_TXT_PATH)
    return tuple(f"{settings.base_path}{path}" for path in paths)


def paths_among_others(
    settings: Settings, *, has_pages: bool, security_txt: bool = False
) -> frozenset[str]:
    """Return the paths that the service takes from an application around which it stands.

    At the root of the host the health checks and security.txt stay the application's. Zoom looks
    for its verification file nowhere else, so that one is always taken.

    Args:
        settings: checked settings.
        has_pages: as for `own_paths`.
        security_txt: whether to serve `/.well-known/security.txt` of the host too.
    """
    paths = set(own_paths(settings, has_pages=has_pages))
    if not settings.base_path:
        paths -= {*_HEALTH, SECURITY_TXT_PATH}
    if settings.verify_zoom:
        paths.add(VERIFY_PATH)
    if settings.security_contact and security_txt:
        paths.add(SECURITY_TXT_PATH)
    return frozenset(paths)


class Mounted:
    """The service's public URLs as an ASGI application.

    Args:
        lifetime: the service, which the first request starts if nothing else does.
    """

    def __init__(self, lifetime: Lifetime) -> None:
        self._lifetime = lifetime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run with the server."""
        if scope["type"] == "lifespan":
            await run_lifespan(self._lifetime, None, scope, receive, send)
        elif scope["type"] == "http":
            try:
                service = await self._lifetime.demand()
            except ParaphError:
                await _not_running(scope, receive, send)
            else:
                await service.public(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})


class Around:
    """Sends the service's own URLs to it, and everything else to another application.

    Args:
        lifetime: the service.
        app: the other application.
        own: the paths that are the service's.
    """

    def __init__(self, lifetime: Lifetime, app: ASGIApp, own: frozenset[str]) -> None:
        self._lifetime = lifetime
        self._service = Mounted(lifetime)
        self._app = app
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request, or run with the server."""
        if scope["type"] == "lifespan":
            await run_lifespan(self._lifetime, self._app, scope, receive, send)
        elif scope["type"] == "http" and self._is_own(scope):
            await self._service(scope, receive, send)
        else:
            # The application's own pages use the service too. One that cannot start is logged.
            with suppress(ParaphError):
                await self._lifetime.demand()
            await self._app(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        path = path_of(scope)
        return path in self._own or f"{scope.get('root_path', '')}{path}" in self._own


async def run_lifespan(
    lifetime: Lifetime, app: ASGIApp | None, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run the service with the server, and the lifespan of another application inside it.

    The other application's start may already use the service, and it stops first. An application
    that knows no lifespan, and says so by an exception or an early return, is only not told.

    Args:
        lifetime: the service.
        app: the other application, if there is one.
        scope: the ASGI scope of the lifespan.
        receive: receives the server's messages.
        send: answers them.
    """
    first = await receive()
    try:
        await lifetime.__aenter__()
    except Exception as error:
        _log.error("service.not_started", why=str(error))
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    inner = _Lifespan(lifetime, first, receive, send)
    try:
        if app is not None:
            await inner.run(app, scope)
        if not inner.has_started:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await inner.send({"type": "lifespan.shutdown.complete"})
    finally:
        await inner.leave()


class _Lifespan:
    """Passes the messages of a lifespan on, and leaves the service before its last one."""

    def __init__(
        self,
        lifetime: Lifetime,
        first: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        self._lifetime = lifetime
        self._first: Message | None = first
        self._receive = receive
        self._send = send
        self._has_left = False
        self.has_started = False

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self.send)
        except Exception:
            if self.has_started:
                raise
            _log.debug("service.app_without_lifespan")

    async def receive(self) -> Message:
        message, self._first = self._first, None
        return message or await self._receive()

    async def send(self, message: Message) -> None:
        self.has_started |= message["type"] in _STARTUP_ENDS
        if message["type"] in _LIFESPAN_ENDS:
            await self.leave()
        await self._send(message)

    async def leave(self) -> None:
        if not self._has_left:
            self._has_left = True
            await self._lifetime.__aexit__()


async def _not_running(scope: Scope, receive: Receive, send: Send) -> None:
    response = PlainTextResponse(
        "The service is not running. Its log says why.\n",
        status_code=503,
        headers={"retry-after": "5", "cache-control": "no-store"},
    )
    await response(scope, receive, send)
