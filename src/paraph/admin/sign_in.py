"""Signing in with an API key, and out again. Whatever is wrong with a key looks alike."""

from __future__ import annotations

import re
from typing import Protocol

from starlette.responses import Response

from paraph.admin.page import render, see_other
from paraph.admin.session import Sessions, forgotten_cookie
from paraph.admin.visit import Visit
from paraph.errors import ApiKeyMissing, Busy, NotAllowed, StorageError
from paraph.logs import get_logger

START = "/admin/events"
BUSY_SECONDS = 60
# Where a person may be sent after signing in: to a page of ours, never to an address given whole.
_BACK = re.compile(r"/admin/(?:events(?:/[A-Za-z0-9_-]{4,80})?|installations|audit)")

_log = get_logger("admin")


class Budget(Protocol):
    """How many sign-ins may fail for one address."""

    def spend(self, address: str) -> None:
        """Take one. `Busy` when there is none left."""

    def give_back(self, address: str) -> None:
        """Return one that was taken and not needed."""


class SignIn:
    """The form, what it does, and the end of it.

    Args:
        sessions: begins and ends them.
        budget: of failures, for each address.
        app_name: how the app calls itself.
    """

    def __init__(self, sessions: Sessions, budget: Budget, app_name: str) -> None:
        self._sessions = sessions
        self._budget = budget
        self._app_name = app_name

    def form(self, back: str, *, from_elsewhere: bool) -> Response:
        """The form. Who was led here by a link outside may be signed in all the same."""
        return self._page(back, from_elsewhere=from_elsewhere)

    async def sign_in(self, typed: str, back: str, *, address: str) -> Response:
        """Begin a session, and go on to where it was wanted.

        The budget is spent before the store is asked, and given back to whoever had a good key.
        A failure is logged and not kept: who is not signed in makes us store nothing.
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
            # Nothing was wrong with the key, as far as anybody knows.
            self._budget.give_back(address)
            raise
        self._budget.give_back(address)
        answer = see_other(destination(back))
        answer.raw_headers.append(cookie)
        return answer

    async def sign_out(self, visit: Visit) -> Response:
        """End the session here and in the browser."""
        answer = see_other("/admin/sign-in")
        answer.raw_headers.append(await self._sessions.end(visit.session))
        return answer

    def needed(self, path: str, *, had_cookie: bool) -> Response:
        """Instead of a page that only operators see."""
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
    """Where to go on after signing in."""
    return back if _BACK.fullmatch(back) else START
