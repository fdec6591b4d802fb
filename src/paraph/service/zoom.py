"""The object that a Python app imports: the whole service in the app's own process.

    zoom = Zoom.from_settings()
    app = zoom.around(app)                  # serves /install, /oauth/redirect, /webhook, …

    @zoom.on("meeting.*")                   # receives verified events, at least once
    async def meeting(event, installation, zoom): ...

    async with zoom:
        answer = await zoom.installation(subject).get("/users/me")

Its guarantees are the service's, because it runs the same code. Each call proves the installation
active, only one refresh runs at a time, hosts are fixed, and `proxy_allow` limits the calls.
"""

from __future__ import annotations

import json as json_module
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from starlette.types import ASGIApp, Receive, Scope, Send

from paraph.errors import CallRefused, ResponseTooLarge, UsageError
from paraph.events.handlers import Handler, Handlers, HandlerTarget
from paraph.lifecycle import link, link_request
from paraph.lifecycle.active_access import Access
from paraph.lifecycle.context import Context
from paraph.lifecycle.link import Claim
from paraph.lifecycle.removal import remove_installation
from paraph.lifecycle.resource_call import HostCall, PassedOn
from paraph.model.records import Installation, Receipt
from paraph.secret import Secret
from paraph.service.app import Service, open_service
from paraph.settings.loading import load_settings
from paraph.settings.model import Settings
from paraph.zoom.api_path import API_PREFIX, AllowList, parse_target

OWN_PATHS = frozenset(
    {
        *("/install", "/oauth/redirect", "/marketplace", "/webhook"),
        "/zoomverify/verifyzoom.html",
    }
)
LARGEST_ANSWER = 16 << 20


@dataclass(frozen=True, slots=True)
class ZoomAnswer:
    """A response of Zoom's REST API, with any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Parse the body as JSON."""
        return json_module.loads(self.body)


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
        """Read `PARAPH_*` variables and `paraph.toml`. `ConfigurationError` names every problem."""
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
        """Return the installation of a local account; each use looks it up again."""
        return SubjectInstallation(self, subject)

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
        """Open the handoff that the browser brought, with the nonce of the session.

        Raises:
            NotFound: the handoff is unknown, expired or used, or the verifier is wrong.
        """
        return await link.claim(self.service.context, handoff=Secret(handoff), verifier=verifier)

    async def confirm(self, claim: Secret, *, subject: str, move: bool = False) -> Installation:
        """Confirm a claim: the user agreed. `move`: also to the change that `replaces` names.

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
        """Return the running service. Raises `UsageError` before it runs."""
        if self._service is None:
            raise UsageError(
                "this Zoom is not running",
                remedy="Enter `async with zoom:`, or give zoom.lifespan to the app.",
            )
        return self._service


class SubjectInstallation:
    """The installation of one subject. Every use checks that it is active."""

    def __init__(self, zoom: Zoom, subject: str) -> None:
        self._zoom = zoom
        self._subject = subject

    async def access_token(self) -> Access:
        """Return a valid access token, for requests that the methods here do not make.

        Raises:
            NotFound, NeedsReauthorization, BeingDecided, PeerError, TransportError.
        """
        access = self._zoom.service.access
        installation_id = await access.installation_of(self._subject)
        return await access.current(installation_id, subject=self._subject)

    async def remove(self) -> Receipt:
        """Remove the installation: unusable here at once, and revoked at Zoom soon after.

        Raises:
            NotFound: the subject has no installation.
        """
        service = self._zoom.service
        return await remove_installation(
            service.context,
            await service.access.installation_of(self._subject),
            reason="removed by the host",
        )

    async def get(self, path: str, **query: str | int) -> ZoomAnswer:
        """Send GET to a path of Zoom's REST API, like "/users/me"."""
        return await self.call("GET", path, query=query)

    async def post(self, path: str, json: Any = None) -> ZoomAnswer:
        """Send JSON by POST to a path."""
        return await self.call("POST", path, json=json)

    async def put(self, path: str, json: Any = None) -> ZoomAnswer:
        """Send JSON by PUT to a path."""
        return await self.call("PUT", path, json=json)

    async def patch(self, path: str, json: Any = None) -> ZoomAnswer:
        """Send JSON by PATCH to a path."""
        return await self.call("PATCH", path, json=json)

    async def delete(self, path: str, **query: str | int) -> ZoomAnswer:
        """Send DELETE to a path."""
        return await self.call("DELETE", path, query=query)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> ZoomAnswer:
        """Call Zoom's REST API and return its response, whatever its status.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: the encoded path behind `/v2`, like "/users/me/meetings".
            query: parameters.
            json: sent as the body.
            headers: further headers; credentials and cookies are not forwarded.

        Raises:
            CallRefused: path or query are malformed, or `proxy_allow` does not cover the call.
            NotFound, NeedsReauthorization, BeingDecided, PeerError, TransportError.
        """
        outgoing, body = {"accept": "application/json", **(headers or {})}, b""
        if json is not None:
            body = json_module.dumps(json).encode()
            outgoing["content-type"] = "application/json"
        async with self.stream(method, path, query=query, headers=outgoing, body=body) as passed:
            pieces, size = [], 0
            async for piece in passed.answer.pieces():
                size += len(piece)
                if size > LARGEST_ANSWER:
                    raise ResponseTooLarge("the response is too large to be read whole; stream it")
                pieces.append(piece)
        return ZoomAnswer(passed.status, dict(passed.headers), b"".join(pieces))

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] = b"",
    ) -> AsyncIterator[PassedOn]:
        """Call Zoom's REST API and stream both bodies; arguments and errors as for `call`."""
        zoom = self._zoom
        whole = path if path.startswith(API_PREFIX) else f"/v2{path}"
        try:
            target = parse_target(whole.encode("ascii"), urlencode(query or {}).encode("ascii"))
        except UnicodeEncodeError:
            raise CallRefused("a path is ASCII; encode what is in it") from None
        call = zoom.allowed.permit(method, target)
        service = zoom.service
        installation_id = await service.access.installation_of(self._subject)
        outgoing = tuple((name.lower(), value) for name, value in (headers or {}).items())
        async with service.caller.call(
            installation_id, HostCall(call, outgoing, body), subject=self._subject
        ) as passed:
            yield passed


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
