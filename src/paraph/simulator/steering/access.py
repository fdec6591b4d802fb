"""Access control for the control API and the console: one rule for both.

On loopback no credential is needed. So the threat is a page of another site in the developer's own
browser. It can make the browser send requests, but it cannot forge `Host` (another name there is a
rebinding attack), `Origin` or `Sec-Fetch-Site`.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from paraph.simulator.request import ZOOM_NAMES, Refusal, is_loopback_address

SERVED_NAMES = {*ZOOM_NAMES, "localhost"}
COOKIE = "simulated_zoom_console"
_OWN_SITE = {"same-origin", "none"}


class AccessControl:
    """Decides which requests may control the simulator.

    Args:
        token: the control token, if the simulator listens off loopback; otherwise "".
    """

    def __init__(self, token: str = "") -> None:
        self._token = token

    def admit_call(self, request: Request) -> None:
        """Admit a call of the control API.

        It must not be from another site, and off loopback it needs the control token.

        Raises:
            Refusal: the call may not be made; the text says why.
        """
        if self._token and not self._has_token(request):
            raise Refusal(401, "a control token is required off loopback")
        self._refuse_foreign_names(request)
        _refuse_other_sites(request)

    def admit_page(self, request: Request) -> None:
        """Admit a request for a page of the console. A link on another site may lead to it.

        Raises:
            Refusal: the page may not be shown; the text says why.
        """
        if self._token and not (self._has_token(request) or self._has_cookie(request)):
            raise Refusal(401, "a control token is required off loopback")
        self._refuse_foreign_names(request)

    def admit_form(self, request: Request) -> None:
        """Admit a form of the console, sent by one of its own pages.

        Raises:
            Refusal: the form may not be sent; the text says why.
        """
        self.admit_page(request)
        self.refuse_foreign_form(request)

    def refuse_foreign_form(self, request: Request) -> None:
        """Refuse a form that another site sent. Every browser states the origin of a POST.

        Raises:
            Refusal: the form is from another site; the text says why.
        """
        self._refuse_foreign_names(request)
        _refuse_other_sites(request)
        if "origin" not in request.headers:
            raise Refusal(403, "this form was not sent from the console")

    def cookie_for(self, token: str) -> str | None:
        """Return the cookie for a browser that sent the right control token; None otherwise."""
        is_right = hmac.compare_digest(token.encode(), self._token.encode())
        return self._cookie() if self._token and is_right else None

    def _has_token(self, request: Request) -> bool:
        presented = request.headers.get("authorization", "")
        return hmac.compare_digest(presented.encode(), f"Bearer {self._token}".encode())

    def _has_cookie(self, request: Request) -> bool:
        presented = request.cookies.get(COOKIE, "")
        return hmac.compare_digest(presented.encode(), self._cookie().encode())

    def _cookie(self) -> str:
        return hmac.new(self._token.encode(), b"console", hashlib.sha256).hexdigest()

    def _refuse_foreign_names(self, request: Request) -> None:
        # With a control token any name is fine: a page under another name does not know it.
        if not self._token and not _is_ours(request.headers.get("host", "")):
            raise Refusal(403, "the Host header names another machine")


def _refuse_other_sites(request: Request) -> None:
    own = f"{request.scope['scheme']}://{request.headers.get('host', '')}"
    if request.headers.get("origin", own) != own:
        raise Refusal(403, "the Origin header names another site")
    if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        raise Refusal(403, "the Sec-Fetch-Site header names another site")


def _is_ours(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in SERVED_NAMES or is_loopback_address(name)
