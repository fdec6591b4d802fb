"""The object that a Python app imports: the whole service in the app's own process.

    zoom = Zoom.from_settings()
    app = zoom.around(app)                  # serves /install, /oauth/redirect, /webhook, …

    @zoom.on("meeting.*")                   # receives verified events, at least once
    async def meeting(event, installation, zoom): ...

    async with zoom:
        response = await zoom.installation(subject).get("/users/me")

Its guarantees are the service's, because it runs the same code. Each call proves the installation
active, only one refresh runs at a time, hosts are fixed, and `proxy_allow` limits the calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

from paraph.errors import UsageError
from paraph.events.handlers import Handler, Handlers, HandlerTarget
from paraph.lifecycle.context import Context
from paraph.service.app import Service, open_service
from paraph.service.former_calls import FormerCalls
from paraph.service.in_process import InProcess, SubjectInstallation
from paraph.settings.loading import load_settings
from paraph.settings.model import Settings
from paraph.zoom.api_path import AllowList

OWN_PATHS = frozenset(
    {
        *("/install", "/oauth/redirect", "/marketplace", "/webhook"),
        "/zoomverify/verifyzoom.html",
    }
)


class Zoom(FormerCalls):
    """The service, in this process.

    Args:
        settings: checked settings, as for `paraph serve`.

    Use it as an asynchronous context manager for as long as the app runs, or give its
    `lifespan` to Starlette or FastAPI.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.allowed = AllowList(settings.proxy_allow)
        self.handlers = Handlers()
        # The handle that handlers receive; `SyncZoom` sets another one.
        self.handle_of: Callable[[str], object] = self.installation
        self._stack = AsyncExitStack()
        self._service: Service | None = None

    @classmethod
    def from_settings(cls, file: Path | None = None) -> Zoom:
        """Read `PARAPH_*` variables and `paraph.toml`.

        Args:
            file: the settings file; by default `paraph.toml` in the working directory.

        Raises:
            ConfigurationError: carries every problem of the settings.
        """
        return cls(load_settings(file))

    async def __aenter__(self) -> Self:
        self._service = await self._stack.enter_async_context(
            open_service(self.settings, targets=self._targets)
        )
        return self

    def on(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a handler for an event name, for a prefix like "meeting.*", or for all: "*".

        A pattern that begins with `installation.` receives paraph's own notices, and no event of
        Zoom's. "*" receives both: `event.is_notice` tells them apart.

        The handler takes up to three values: the event, the installation that it concerns (None
        unless it concerns exactly one), and its subject's installation, to call Zoom with.
        Register before the app runs.

        Raises:
            UsageError: no event can match; the remedy names a pattern that may be meant.
        """
        return self.handlers.on(pattern)

    def _targets(self, context: Context) -> list[HandlerTarget]:
        if not self.handlers:
            return []
        target = self.handlers.bind(context, client_of=lambda one: self.handle_of(one.subject))
        self._stack.callback(target.close)
        return [target]

    async def __aexit__(self, *_exc: object) -> None:
        self._service = None
        await self._stack.aclose()

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Run the service with the app, as in `FastAPI(lifespan=zoom.lifespan)` or `Starlette`."""
        async with self:
            yield

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an ASGI application that adds the service's public URLs to an app."""
        return _Around(self, app)

    def installation(self, subject: str = "", *, installation_id: str = "") -> SubjectInstallation:
        """Return the handle of a local account's installation. Nothing is looked up yet.

        Args:
            subject: the local account. Take it from your own session, never from a request.
            installation_id: the id of one installation, where you know it. With a subject, both
                must belong together. Without one, the installation of any subject is used.

        Raises:
            UsageError: neither is given.

        Example:
            jane = zoom.installation("acct_42")
            response = await jane.get("/users/me")
        """
        return SubjectInstallation(lambda: self._backend, subject, installation_id)

    @property
    def _backend(self) -> InProcess:
        return InProcess(self.service, self.allowed, self.settings.public_url)

    @property
    def service(self) -> Service:
        """Return the running service.

        Raises:
            UsageError: it does not run yet.
        """
        if self._service is None:
            raise UsageError(
                "this Zoom is not running",
                remedy="Enter `async with zoom:`, or give zoom.lifespan to the app.",
            )
        return self._service


class _Around:
    """Routes the service's public URLs to the service, everything else to the app."""

    def __init__(self, zoom: Zoom, app: ASGIApp) -> None:
        self._zoom = zoom
        self._app = app
        # With linking the host itself shows the final page.
        unlinked = zoom.settings.linking == "none"
        self._own = OWN_PATHS | ({"/installed"} if unlinked else frozenset())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and scope["path"] in self._own
        await (self._zoom.service.public if own else self._app)(scope, receive, send)
