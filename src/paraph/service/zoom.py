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
from paraph.lifecycle import link, link_request
from paraph.lifecycle.context import Context
from paraph.lifecycle.link import Claim
from paraph.model.installation import Installation
from paraph.secret import Secret
from paraph.service.app import Service, open_service
from paraph.service.subject_installation import SubjectInstallation
from paraph.settings.loading import load_settings
from paraph.settings.model import Settings
from paraph.zoom.api_path import AllowList

OWN_PATHS = frozenset(
    {
        *("/install", "/oauth/redirect", "/marketplace", "/webhook"),
        "/zoomverify/verifyzoom.html",
    }
)


class Zoom:
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
        target = self.handlers.bind(
            context, client_of=lambda one: self.installation(one.link.subject)
        )
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

    def installation(self, subject: str) -> SubjectInstallation:
        """Return the installation of a local account; each use looks it up again.

        Args:
            subject: the local account.
        """
        return SubjectInstallation(lambda: self.service, self.allowed, subject)

    async def request_link(self, subject: str, *, challenge: str, return_to: str = "") -> str:
        """Return the one-use URL to which the signed-in user's browser is sent.

        Args:
            subject: the signed-in local account.
            challenge: S256 of a nonce that stays in this user's session (`challenge_of`).
            return_to: an identifier of the app's own, returned at the end; never a URL.

        Raises:
            UsageError: an argument does not have the required form.
        """
        code, _expires_at = await link_request.request_link(
            self.service.context, subject=subject, challenge=challenge, return_to=return_to
        )
        return f"{self.settings.public_url}/install?request={code.reveal()}"

    async def claim(self, handoff: str, *, verifier: str) -> Claim:
        """Open the handoff that the browser brought.

        Args:
            handoff: the query parameter `handoff` of `link_url`.
            verifier: the nonce of the session that requested the link.

        Raises:
            NotFound: the handoff is unknown, expired or used, or the verifier is wrong.
        """
        return await link.claim(self.service.context, handoff=Secret(handoff), verifier=verifier)

    async def confirm(self, claim: Secret, *, subject: str, move: bool = False) -> Installation:
        """Confirm a claim: the user agreed to both accounts.

        Args:
            claim: the claim that `claim()` returned.
            subject: the subject that requested the link.
            move: True if the user also agreed to the change that `replaces` names.

        Raises:
            NotFound: there is no live claim, or it is another subject's.
            LinkConflict: an installation would be replaced, and `move` is not set.
            Conflict: the grant is being decided; try again in a moment.
        """
        return await link.confirm(self.service.context, claim=claim, subject=subject, move=move)

    async def decline(self, claim: Secret) -> None:
        """Decline a claim: the user refused."""
        await link.decline(self.service.context, claim=claim)

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
