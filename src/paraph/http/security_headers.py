"""Headers of every response: pages, redirects, errors, JSON.

A response to a webhook delivery, which no browser shows, carries `MACHINE_HEADERS` alone.

They include the four that Zoom demands of every page (Strict-Transport-Security,
X-Content-Type-Options, Content-Security-Policy, Referrer-Policy), and those of ASVS 3.4. Nothing
is cached: the URL of any of these pages may have held a code (RFC 9700 section 4.2).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.http.response import Headers


def content_security_policy(style: str, *, forms: Iterable[str] = ()) -> str:
    """Build a policy that allows nothing except this one style sheet, by its hash.

    Args:
        style: the style sheet.
        forms: further origins to which the response to a form may redirect.
    """
    form_action = " ".join(("'self'", *forms))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action {form_action}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


# A response that no browser shows still needs these (ASVS 3.4.1, 3.4.4; RFC 9111 section 5.2.2.5).
# On a flooded webhook each header costs a fiftieth of the requests it can refuse.
MACHINE_HEADERS: Headers = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


def page_headers(policy: str, *, referrer: str = "no-referrer") -> Headers:
    """Return the headers of a response that a browser may show.

    Args:
        policy: the content security policy.
        referrer: the referrer policy.
    """
    return (*MACHINE_HEADERS, *shown_headers(policy, referrer=referrer))


def shown_headers(policy: str, *, referrer: str = "no-referrer") -> Headers:
    """Return the headers that a shown response needs beyond `MACHINE_HEADERS`.

    Args:
        policy: the content security policy.
        referrer: the referrer policy.
    """
    return (
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", referrer.encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"x-frame-options", b"DENY"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    )


class SecurityHeaders:
    """ASGI middleware that adds headers to every response of the application."""

    def __init__(self, app: ASGIApp, headers: Headers) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application and add the headers to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A new list: an application may send the same list repeatedly.
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)
