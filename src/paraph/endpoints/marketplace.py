"""`/marketplace`: the page to which Zoom's listings send people, with a code or without.

Add, Local Test and Share send a code without `state`. It proves nothing about this browser, so it
is dropped and never exchanged: exchanging a stray code could kill a working grant (error 4741).
A real flow starts instead: automatically the first time, then only by a button, so that no
redirect loop is possible.
"""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from paraph.cookies import cookie_prefix, host_cookie
from paraph.endpoints.browser_request import BrowserRequest
from paraph.endpoints.install import InstallEndpoint
from paraph.endpoints.pages import Button, Pages
from paraph.settings.model import Settings

_ONCE_SECONDS = 600


class MarketplacePage:
    """The landing page, and the app's primary redirect URL at Zoom."""

    def __init__(self, settings: Settings, pages: Pages, install: InstallEndpoint) -> None:
        self._settings = settings
        self._pages = pages
        self._install = install
        prefix = cookie_prefix(settings.client_id, settings.redirect_uri)
        self._cookie = f"{prefix}marketplace"
        base = settings.base_path
        self._here = f"{base}/marketplace"
        self._start = f"{base}/install" if settings.linking == "none" else settings.start_url

    async def answer(self, request: BrowserRequest) -> Response:
        """Answer `GET /marketplace`."""
        if request.raw_query:
            # A clean URL first: the query leaves the address bar and the history.
            return RedirectResponse(self._here, status_code=303)
        if request.is_prefetch or any(name == self._cookie for name, _ in request.cookies):
            return self._by_button()
        if self._settings.linking == "host":
            response: Response = RedirectResponse(self._settings.start_url, status_code=303)
        else:
            response = self._install.start(request)
        response.raw_headers.append(host_cookie(self._cookie, "1", max_age=_ONCE_SECONDS))
        return response

    def _by_button(self) -> Response:
        return self._pages.page(
            f"Install {self._settings.app_name}",
            "One more step: the installation is finished from here, so that it ends in the "
            "right account.",
            button=Button("Continue", self._start),
        )
