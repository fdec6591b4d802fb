"""The public side: routes, and the responses common to all URLs.

A request enters here: the route table, which `service.app` fills, finds the route of its path, and
the route's endpoint answers it. Paths match exactly: `/install/` is not found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from paraph.endpoints.browser_request import BrowserRequest, path_of
from paraph.endpoints.pages import Pages
from paraph.endpoints.readiness import Readiness
from paraph.http.body import BodyReader
from paraph.http.endpoint import Endpoint, Steps, Wait, respond
from paraph.http.proxy_watch import ProxyWatch
from paraph.http.response import CompleteResponse, Headers
from paraph.http.security_headers import SecurityHeaders
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.settings.model import Settings

PageEndpoint = Callable[[BrowserRequest], Steps]
MakePage = Callable[[BrowserRequest], Awaitable[Response]]

VERIFY_PATH = "/zoomverify/verifyzoom.html"
SECURITY_TXT_PATH = "/.well-known/security.txt"
# Zoom and researchers look for these at the root of the host only.
ROOT_PATHS = (VERIFY_PATH, SECURITY_TXT_PATH)
_SECURITY_TXT_DAYS = 180
_log = get_logger("service")


@dataclass(frozen=True, slots=True)
class Route:
    """One URL of the public side.

    Attributes:
        method: the method that it answers. HEAD is another one: a link scanner must not use
            anything up (RFC 9110 section 9.2.1).
        endpoint: answers its requests.
        headers: added to every response of the endpoint.
        posted: answers the forms of a page, which are sent to its own URL.
    """

    method: str
    endpoint: Endpoint
    headers: Headers = ()
    posted: Endpoint | None = None

    def endpoint_of(self, method: str) -> Endpoint | None:
        """Return the endpoint for a method; None if this URL does not answer it."""
        if method == self.method:
            return self.endpoint
        return self.posted if method == "POST" else None


class PublicSide:
    """The ASGI application of the public listener.

    Args:
        table: the routes by their paths.
        pages: renders the page for all other paths.
        headers: added to every response that no endpoint gives.
        bodies: reads the bodies of requests.
        base: the path below which all routes stand; "" for the root of the host.
    """

    def __init__(
        self,
        table: Mapping[str, Route],
        pages: Pages,
        *,
        headers: Headers,
        bodies: BodyReader,
        base: str = "",
    ) -> None:
        self.base = base
        self.table = {f"{base}{path}": route for path, route in table.items()}
        self.table |= {path: table[path] for path in ROOT_PATHS if path in table}
        self._bodies = bodies
        # Rendered once: scanners ask for thousands of pages that do not exist.
        self._nothing = SecurityHeaders(pages.page("There is nothing here", status=404), headers)
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request."""
        if scope["type"] != "http":
            return
        route = self.table.get(path_of(scope))
        if route is None and scope.get("root_path"):
            # Some servers leave the path below which they serve out of the path.
            route = self.table.get(f"{scope['root_path']}{path_of(scope)}")
        if route is None:
            await self._nothing(scope, receive, send)
        elif (endpoint := route.endpoint_of(scope["method"])) is None:
            allow = route.method if route.posted is None else f"{route.method}, POST"
            refusal = PlainTextResponse("", status_code=405, headers={"allow": allow})
            await SecurityHeaders(refusal, self._headers)(scope, receive, send)
        else:
            steps = endpoint(scope, dict(scope["headers"]))
            response = await respond(steps, scope, receive, bodies=self._bodies)
            await response.send(send, *route.headers)


class PageRoutes:
    """Makes the routes of pages, which browsers reach by GET.

    Args:
        settings: their `trusted_proxies` decide which forwarded addresses are believed.
        pages: renders the page for an unexpected error.
        headers: added to every page.
        proxies: refuses requests that trusted proxies report as plain http.
    """

    def __init__(
        self,
        settings: Settings,
        pages: Pages,
        *,
        headers: Headers,
        proxies: ProxyWatch | None = None,
    ) -> None:
        self._trusted = settings.trusted_proxies
        self._pages = pages
        self._headers = headers
        self._proxies = proxies
        in_clear = PlainTextResponse("This address is served over https only.\n", status_code=400)
        self._in_clear = CompleteResponse.of(in_clear, again=True)

    def of(self, path: str, page: PageEndpoint, *, posted: PageEndpoint | None = None) -> Route:
        """Return the route of a page, which may also answer its own form."""
        return Route(
            "GET",
            self._endpoint(path, page),
            self._headers,
            posted=None if posted is None else self._endpoint(path, posted),
        )

    def _endpoint(self, path: str, page: PageEndpoint) -> Endpoint:
        def answer(scope: Scope, _named: Mapping[bytes, bytes]) -> Steps:
            if self._proxies is not None and self._proxies.refuses(scope) is not None:
                return self._in_clear
            try:
                return (yield from page(BrowserRequest(scope, self._trusted)))
            except Exception as error:  # noqa: BLE001 - The last net: a page, never a stack trace.
                _log.error("page.failed", path=path, why=type(error).__name__)
                broken = self._pages.page("Something went wrong here", "Try again.", status=500)
                return CompleteResponse.of(broken)

        return answer

    def table(self, pages: Mapping[str, MakePage]) -> dict[str, Route]:
        """Return the routes of pages that are made by coroutines."""
        return {path: self.of(path, waiting(make)) for path, make in pages.items()}


def waiting(make: MakePage) -> PageEndpoint:
    """Return the endpoint of a page that is made by a coroutine."""

    def page(request: BrowserRequest) -> Steps:
        return CompleteResponse.of((yield Wait(make(request))))

    return page


def plain_pages(
    settings: Settings, context: Context, pages: Pages, readiness: Readiness
) -> dict[str, MakePage]:
    """Return the pages that need only the settings."""

    async def healthz(_request: BrowserRequest) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: BrowserRequest) -> Response:
        return await readiness.answer()

    async def installed(_request: BrowserRequest) -> Response:
        return pages.page(
            "Installed", f"{settings.app_name} is installed. You can close this page."
        )

    async def verify_zoom(_request: BrowserRequest) -> Response:
        return HTMLResponse(settings.verify_zoom)

    async def security_txt(_request: BrowserRequest) -> Response:
        expires = datetime.fromtimestamp(context.now(), tz=UTC) + timedelta(days=_SECURITY_TXT_DAYS)
        return PlainTextResponse(
            f"Contact: {settings.security_contact}\nExpires: {expires:%Y-%m-%dT%H:%M:%SZ}\n"
        )

    made: dict[str, MakePage] = {
        "/healthz": healthz,
        "/readyz": readyz,
    }
    if settings.linking == "none":
        # With linking the host shows this: its user has yet to confirm.
        made["/installed"] = installed
    if settings.verify_zoom:
        made[VERIFY_PATH] = verify_zoom
    if settings.security_contact:
        made[SECURITY_TXT_PATH] = security_txt
    return made
