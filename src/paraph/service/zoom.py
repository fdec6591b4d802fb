"""The object that a Python app imports: the whole service in the app's own process.

    zoom = Zoom(prefix="/integrations/zoom", subject_of=lambda request: request.session.get("user"))
    app = zoom.around(app)                  # serves …/start, …/oauth/redirect, …/webhook, …

    @zoom.on("meeting.*")                   # receives verified events, at least once
    async def meeting(event, installation, zoom): ...

    response = await zoom.installation(subject).get("/users/me")

Its guarantees are the service's, because it runs the same code. Each call proves the installation
active, only one refresh runs at a time, hosts are fixed, and `proxy_allow` limits the calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Self, Unpack

from starlette.types import ASGIApp, Scope

from paraph.events.handlers import Handler, Handlers, HandlerTarget
from paraph.lifecycle.context import Context
from paraph.service.app import Service, open_service
from paraph.service.former_calls import FormerCalls
from paraph.service.in_process import InProcess, SubjectInstallation
from paraph.service.mount.access_log import hide_codes
from paraph.service.mount.lifetime import Lifetime
from paraph.service.mount.mounted_settings import mounted_settings
from paraph.service.mount.mounting import Around, Mounted, paths_among_others
from paraph.service.mount.signed_in import HostSide, SubjectOf, signed_in_subject
from paraph.settings.keywords import SettingKeywords
from paraph.settings.model import Settings
from paraph.zoom.api_path import AllowList


class Zoom(FormerCalls):
    """The service, in this process.

    A setting that is not given is read from `PARAPH_*` variables, then from `paraph.toml`.

    It runs while one of these does: `lifespan` in Starlette or FastAPI, an application made by
    `around`, or the object itself as an asynchronous context manager. Several start one service.

    Args:
        settings: checked settings, as for `paraph serve`; instead of `file` and keywords.
        file: the settings file; by default `paraph.toml` in the working directory, if it exists.
        prefix: the path below which all URLs stand, like "/integrations/zoom".
        subject_of: takes a Starlette `Request` and returns the id of the signed-in local account,
            or None; a plain or an asynchronous function. With it the start URL and the
            confirmation page are built in.
        label_of: takes the same and returns the name of that account as its user knows it.
        sign_in_url: the path or URL of the app's sign-in page. The parameter `next` names the start
            URL to return to.
        after_install: the path or URL of the app at which an installation ends.
        after_failure: the same for a person who refused; its parameter `reason` is `declined` or
            `access_denied`.
        keywords: settings by their names.

    Raises:
        ConfigurationError: it names every problem of the settings.
        UsageError: a keyword is not a setting, or settings are given twice.

    Example:
        zoom = Zoom(
            client_id=client_id,
            client_secret=client_secret,
            webhook_secrets=[webhook_secret],
            encryption_keys=[encryption_key],
            public_url="https://product.example",
            prefix="/integrations/zoom",
            subject_of=lambda request: request.session.get("user"),
            after_install="/settings",
        )
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        file: Path | str | None = None,
        prefix: str = "",
        subject_of: SubjectOf | None = None,
        label_of: SubjectOf | None = None,
        sign_in_url: str = "",
        after_install: str = "",
        after_failure: str = "",
        **keywords: Unpack[SettingKeywords],
    ) -> None:
        self.host = HostSide(subject_of, label_of, sign_in_url, after_install, after_failure)
        self.settings = mounted_settings(settings, file, keywords, prefix=prefix, host=self.host)
        self.allowed = AllowList(self.settings.proxy_allow)
        self.handlers = Handlers()
        # The handle that handlers receive; `SyncZoom` sets another one.
        self.handle_of: Callable[[str], object] = self.installation
        self.lifetime = Lifetime(self._open)
        hide_codes()

    @classmethod
    def from_settings(cls, file: Path | None = None) -> Zoom:
        """Read `PARAPH_*` variables and `paraph.toml`, as `Zoom(file=file)` does.

        Args:
            file: the settings file; by default `paraph.toml` in the working directory.

        Raises:
            ConfigurationError: carries every problem of the settings.

        Example:
            zoom = Zoom.from_settings(file)
        """
        return cls(file=file)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Service]:
        async with AsyncExitStack() as stack:

            def targets(context: Context) -> list[HandlerTarget]:
                if not self.handlers:
                    return []
                target = self.handlers.bind(
                    context, client_of=lambda one: self.handle_of(one.subject)
                )
                stack.callback(target.close)
                return [target]

            yield await stack.enter_async_context(
                open_service(self.settings, targets=targets, host=self.host)
            )

    async def __aenter__(self) -> Self:
        await self.lifetime.__aenter__()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.lifetime.__aexit__()

    def lifespan(self, _app: object) -> AbstractAsyncContextManager[None]:
        """Run the service with the app, as in `FastAPI(lifespan=zoom.lifespan)` or `Starlette`.

        Example:
            app = FastAPI(lifespan=zoom.lifespan)
        """
        return self._lifespan()

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        async with self:
            yield

    @cached_property
    def asgi(self) -> ASGIApp:
        """The public URLs as an ASGI application, to mount at `prefix` or to serve alone.

        It answers the complete paths: those of `public_url`, `prefix` and the URL itself. It runs
        the service with the server. Mounted, it is not told of the server's start: then give
        `lifespan` to the outer app, or the first request starts the service.

        Example:
            app.mount("/integrations/zoom", zoom.asgi)
        """
        return Mounted(self.lifetime)

    def around(self, app: ASGIApp, *, security_txt: bool = False) -> ASGIApp:
        """Return an ASGI application that adds the service's public URLs to an app.

        It also runs the service with the server, so the app needs no lifespan of its own. On a
        server without lifespan the first request starts the service. Sessions that a middleware of
        the app puts into the scope are not seen here: mount `asgi` inside the app instead.

        Args:
            app: the app; it receives every request for another path.
            security_txt: whether to serve `/.well-known/security.txt` at the root of the host.

        Example:
            app = zoom.around(app)
        """
        return Around(self.lifetime, app, self.paths_in_app(security_txt=security_txt))

    def paths_in_app(self, *, security_txt: bool = False) -> frozenset[str]:
        """Return the complete paths of the public URLs, for an app that routes to `asgi` itself.

        Without a prefix the health checks stay the app's.

        Args:
            security_txt: whether to serve `/.well-known/security.txt` at the root of the host.

        Example:
            print(sorted(zoom.paths_in_app()))
        """
        has_pages = self.host.subject_of is not None
        return paths_among_others(self.settings, has_pages=has_pages, security_txt=security_txt)

    async def subject(self, scope: Scope) -> str | None:
        """Return the signed-in local account of a request, as `subject_of` names it.

        Args:
            scope: the ASGI scope of the request.

        Raises:
            UsageError: `subject_of` did not return a text or None.

        Example:
            subject = await zoom.subject(request.scope)
        """
        return await signed_in_subject(self.host, scope)

    def on(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a handler for an event name, for a prefix like "meeting.*", or for all: "*".

        A pattern that begins with `installation.` receives paraph's own notices, and no event of
        Zoom's. "*" receives both: `event.is_notice` tells them apart.

        The handler takes up to three values: the event, the installation that it concerns (None
        unless it concerns exactly one), and its subject's installation, to call Zoom with.
        Register before the app runs.

        Args:
            pattern: an event name, a prefix like "meeting.*", or "*" for all.

        Raises:
            UsageError: no event can match; the remedy names a pattern that may be meant.

        Example:
            @zoom.on("meeting.*")
            async def meeting(event, installation, zoom):
                print(event.name, event.account_id)
        """
        return self.handlers.on(pattern)

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
        return self.lifetime.service
