"""`/install`: starts an authorization in the browser that will finish it.

Nothing that a caller sends shapes the authorization request: redirect URI, client and scopes
come from the settings (RFC 9700 section 4.1), the subject from the host's own link request.
"""

from __future__ import annotations

import re

from starlette.responses import RedirectResponse, Response

from paraph.cookies import expired_cookie, host_cookie
from paraph.endpoints.browser_request import BrowserRequest
from paraph.endpoints.pages import Button, Pages
from paraph.errors import Busy, MessageMalformed, NotFound, ParaphError
from paraph.http.rate_limit import RateLimit
from paraph.installs.pending_authorization import LinkWish, begin
from paraph.installs.refusal_log import log_refusal
from paraph.lifecycle.context import Context
from paraph.lifecycle.link_request import open_request
from paraph.logs import get_logger
from paraph.oauth.authorization_request import LIFETIME_SECONDS
from paraph.oauth.messages import parse_query
from paraph.secret import Secret
from paraph.settings.model import Settings

# The length of codes of `Context.one_use_code`: others are refused before anything is counted.
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")

_log = get_logger("install")


class InstallEndpoint:
    """Starts authorizations."""

    def __init__(
        self, context: Context, settings: Settings, pages: Pages, starts: RateLimit
    ) -> None:
        self._context = context
        self._settings = settings
        self._pages = pages
        self._starts = starts

    async def answer(self, request: BrowserRequest) -> Response:
        """Answer `GET /install`."""
        if self._settings.linking == "none":
            if request.is_cross_site or request.is_prefetch:
                return self._pages.press()
            return self.start(request)
        try:
            code = parse_query(request.raw_query, once={"request"}).get("request")
        except MessageMalformed as error:
            return self._gone(error)
        if not code:
            return RedirectResponse(self._settings.start_url, status_code=303)
        if not _CODE.fullmatch(code):
            return self._gone(NotFound("the link request does not have the form of one"))
        try:
            # Before the store is queried: a wrong code costs a look-up.
            self._starts.spend(request.address)
            return await self._start_for_host(request, Secret(code))
        except Busy as error:
            log_refusal(error)
            return self._pages.failed(self._pages.failure_of(error))
        except NotFound as error:
            return self._gone(error)
        except ParaphError as error:
            _log.warning("install.not_begun", error_code=error.code, why=error.detail)
            return self._pages.failed(self._pages.failure_of(error))

    async def _start_for_host(self, request: BrowserRequest, code: Secret) -> Response:
        wish = await open_request(self._context, code)
        if request.is_cross_site or request.is_prefetch:
            return self._pages.press()
        return self._begin(request, wish=wish)

    def start(self, request: BrowserRequest) -> Response:
        """Send the browser to Zoom, with the sealed cookie that will identify the response."""
        try:
            self._starts.spend(request.address)
        except Busy as error:
            return self._pages.failed(self._pages.failure_of(error))
        return self._begin(request, wish=None)

    def _begin(self, request: BrowserRequest, *, wish: LinkWish | None) -> Response:
        start = begin(self._context, wish=wish, cookies=request.cookies)
        response = RedirectResponse(start.url, status_code=303)
        response.raw_headers.append(
            host_cookie(start.cookie_name, start.cookie_value, max_age=LIFETIME_SECONDS)
        )
        response.raw_headers.extend(expired_cookie(name) for name in start.dropped_cookies)
        return response

    def _gone(self, cause: ParaphError) -> Response:
        log_refusal(cause)
        return self._pages.page(
            "This link is used up",
            "An installation link works once and for ten minutes.",
            button=Button("Start again", self._settings.start_url),
            status=404,
        )
