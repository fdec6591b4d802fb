"""The public side without deliveries: the routes of its pages, and refusals common to all URLs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from paraph.endpoints.browser_request import Visit, path_of
from paraph.endpoints.pages import Pages
from paraph.endpoints.readiness import Readiness
from paraph.http.proxy_watch import ProxyWatch
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.settings.model import Settings

PageAnswer = Callable[[Visit], Awaitable[Response]]

_SECURITY_TXT_DAYS = 180
_log = get_logger("service")


class PublicSide:
    """The ASGI application behind the webhook. Paths match exactly: a variant is another page.

    Args:
        settings: checked settings.
        pages: renders the pages.
        routes: the pages that a browser reaches by GET.
        proxies: refuses requests that trusted proxies report as plain http.
    """

    def __init__(
        self,
        settings: Settings,
        pages: Pages,
        *,
        routes: dict[str, PageAnswer],
        proxies: ProxyWatch | None = None,
    ) -> None:
        self._trusted = settings.trusted_proxies
        self._proxies = proxies
        self._pages = pages
        self._routes = routes
        # Rendered once: scanners ask for thousands of pages that do not exist.
        self._nothing = pages.page("There is nothing here", status=404)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one request."""
        if scope["type"] != "http":
            return
        response = await self._page(scope)
        await response(scope, receive, send)

    async def _page(self, scope: Scope) -> Response:
        path, method = path_of(scope), scope["method"]
        answer = self._routes.get(path)
        if path == "/webhook" or (answer is not None and method != "GET"):
            # HEAD too: a link scanner must not use anything up (RFC 9110 section 9.2.1).
            allowed = "POST" if path == "/webhook" else "GET"
            return PlainTextResponse("", status_code=405, headers={"allow": allowed})
        if answer is None:
            return self._nothing
        if self._proxies is not None and self._proxies.refuses(scope) is not None:
            return in_clear_response()
        try:
            return await answer(Visit(scope, self._trusted))
        except Exception as error:  # noqa: BLE001 - The last net: a page, never a stack trace.
            _log.error("page.failed", path=path, why=type(error).__name__)
            return self._pages.page("Something went wrong here", "Try again.", status=500)


def in_clear_response() -> Response:
    """Return the response to a request that a trusted proxy received over plain http."""
    return PlainTextResponse("This address is served over https only.\n", status_code=400)


def plain_routes(
    settings: Settings, context: Context, pages: Pages, readiness: Readiness
) -> dict[str, PageAnswer]:
    """Return the routes that need only the settings."""

    async def healthz(_visit: Visit) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_visit: Visit) -> Response:
        return await readiness.answer()

    async def installed(_visit: Visit) -> Response:
        return pages.page(
            "Installed", f"{settings.app_name} is installed. You can close this page."
        )

    async def verify_zoom(_visit: Visit) -> Response:
        return HTMLResponse(settings.verify_zoom)

    async def security_txt(_visit: Visit) -> Response:
        expires = datetime.fromtimestamp(context.now(), tz=UTC) + timedelta(days=_SECURITY_TXT_DAYS)
        return PlainTextResponse(
            f"Contact: {settings.security_contact}\nExpires: {expires:%Y-%m-%dT%H:%M:%SZ}\n"
        )

    routes: dict[str, PageAnswer] = {"/healthz": healthz, "/readyz": readyz}
    if settings.linking == "none":
        # With linking the host shows this: its user has yet to confirm.
        routes["/installed"] = installed
    if settings.verify_zoom:
        routes["/zoomverify/verifyzoom.html"] = verify_zoom
    if settings.security_contact:
        routes["/.well-known/security.txt"] = security_txt
    return routes
