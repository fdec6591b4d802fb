"""Sign-in with an API key, and sign-out. Every invalid key gets the same response."""

from __future__ import annotations

import re

from starlette.responses import Response

from paraph.admin.operator_request import OperatorRequest
from paraph.admin.page import render, see_other
from paraph.admin.session import Sessions, session_cookie
from paraph.errors import ApiKeyMissing, Busy, NotAllowed, StorageError
from paraph.http.rate_limit import RateLimit
from paraph.logs import get_logger

START = "/admin/events"
BUSY_SECONDS = 60
# After sign-in the browser is sent only to a path of these pages, never to a complete URL.
_BACK = re.compile(r"/admin/(?:events(?:/[A-Za-z0-9_-]{4,80})?|installations|audit)")

_log = get_logger("admin")


class SignIn:
    """The sign-in form, its processing, and sign-out.

    Args:
        sessions: begins and ends sessions.
        limit: the rate limit of failures per address.
        app_name: the name of the app, for display.
    """

    def __init__(self, sessions: Sessions, limit: RateLimit, app_name: str) -> None:
        self._sessions = sessions
        self._limit = limit
        self._app_name = app_name

    def form(self, back: str, *, from_another_site: bool) -> Response:
        """Show the form. After a link on another site the operator may already be signed in."""
        return self._page(back, from_another_site=from_another_site)

    async def sign_in(self, typed: str, back: str, *, address: str) -> Response:
        """Begin a session and redirect to the page that was requested.

        The attempt is counted before the store is read, and taken back if the key is valid.
        A failure is logged but not stored: requests without a session must store nothing.
        """
        try:
            self._limit.spend(address)
        except Busy:
            response = self._page(back, status=429, failure="busy")
            response.headers["retry-after"] = str(BUSY_SECONDS)
            return response
        try:
            cookie = await self._sessions.begin(typed.strip())
        except (ApiKeyMissing, NotAllowed):
            _log.warning("operator.sign_in_refused")
            return self._page(back, status=403, failure="key")
        except StorageError:
            # The store failed, so the key may be valid.
            self._limit.give_back(address)
            raise
        self._limit.give_back(address)
        response = see_other(destination(back))
        response.raw_headers.append(cookie)
        return response

    async def sign_out(self, request: OperatorRequest) -> Response:
        """End the session in the store and in the browser."""
        response = see_other("/admin/sign-in")
        response.raw_headers.append(await self._sessions.end(request.session))
        return response

    def needed(self, path: str, *, had_cookie: bool) -> Response:
        """Show the sign-in form in place of a page that needs a session."""
        back = f"?back={path}" if _BACK.fullmatch(path) and path != START else ""
        response = see_other(f"/admin/sign-in{back}")
        if had_cookie:
            response.raw_headers.append(session_cookie("", max_age=0))
        return response

    def _page(
        self, back: str, *, status: int = 200, failure: str = "", from_another_site: bool = False
    ) -> Response:
        return render(
            "sign_in.html",
            status=status,
            session=None,
            app_name=self._app_name,
            back=destination(back),
            failure=failure,
            from_another_site=from_another_site,
        )


def destination(back: str) -> str:
    """Return the path to redirect to after sign-in."""
    return back if _BACK.fullmatch(back) else START
