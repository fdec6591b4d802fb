"""Sign-in with an API key, and sign-out. Every invalid key gets the same response."""

from __future__ import annotations

import re
from typing import Protocol

from starlette.responses import Response

from paraph.admin.operator_request import Visit
from paraph.admin.page import render, see_other
from paraph.admin.session import Sessions, forgotten_cookie
from paraph.errors import ApiKeyMissing, Busy, NotAllowed, StorageError
from paraph.logs import get_logger

START = "/admin/events"
BUSY_SECONDS = 60
# After sign-in the browser is sent only to a path of these pages, never to a complete URL.
_BACK = re.compile(r"/admin/(?:events(?:/[A-Za-z0-9_-]{4,80})?|installations|audit)")

_log = get_logger("admin")


class Budget(Protocol):
    """The rate limit of failed sign-ins per address."""

    def spend(self, address: str) -> None:
        """Count an attempt.

        Raises:
            Busy: the rate limit of the address is reached.
        """

    def give_back(self, address: str) -> None:
        """Take back an attempt that did not fail."""


class SignIn:
    """The sign-in form, its processing, and sign-out.

    Args:
        sessions: begins and ends sessions.
        `budget`: the rate limit of failures per address.
        app_name: the name of the app, for display.
    """

    def __init__(self, sessions: Sessions, budget: Budget, app_name: str) -> None:
        self._sessions = sessions
        self._budget = budget
        self._app_name = app_name

    def form(self, back: str, *, from_elsewhere: bool) -> Response:
        """Show the form. After a link on another site the operator may already be signed in."""
        return self._page(back, from_elsewhere=from_elsewhere)

    async def sign_in(self, typed: str, back: str, *, address: str) -> Response:
        """Begin a session and redirect to the page that was requested.

        The attempt is counted before the store is read, and taken back if the key is valid.
        A failure is logged but not stored: requests without a session must store nothing.
        """
        try:
            self._budget.spend(address)
        except Busy:
            answer = self._page(back, status=429, failure="busy")
            answer.headers["retry-after"] = str(BUSY_SECONDS)
            return answer
        try:
            cookie = await self._sessions.begin(typed.strip())
        except (ApiKeyMissing, NotAllowed):
            _log.warning("operator.sign_in_refused")
            return self._page(back, status=403, failure="key")
        except StorageError:
            # The store failed, so the key may be valid.
            self._budget.give_back(address)
            raise
        self._budget.give_back(address)
        answer = see_other(destination(back))
        answer.raw_headers.append(cookie)
        return answer

    async def sign_out(self, visit: Visit) -> Response:
        """End the session in the store and in the browser."""
        answer = see_other("/admin/sign-in")
        answer.raw_headers.append(await self._sessions.end(visit.session))
        return answer

    def needed(self, path: str, *, had_cookie: bool) -> Response:
        """Show the sign-in form in place of a page that needs a session."""
        back = f"?back={path}" if _BACK.fullmatch(path) and path != START else ""
        answer = see_other(f"/admin/sign-in{back}")
        if had_cookie:
            answer.raw_headers.append(forgotten_cookie())
        return answer

    def _page(
        self, back: str, *, status: int = 200, failure: str = "", from_elsewhere: bool = False
    ) -> Response:
        return render(
            "sign_in.html",
            status=status,
            session=None,
            app_name=self._app_name,
            back=destination(back),
            failure=failure,
            from_elsewhere=from_elsewhere,
        )


def destination(back: str) -> str:
    """Return the path to redirect to after sign-in."""
    return back if _BACK.fullmatch(back) else START
