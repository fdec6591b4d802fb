"""Headers that every answer carries, whoever wrote it: pages, redirects, errors, JSON.

A delivery to the webhook, which no browser shows, is answered with `MACHINE_HEADERS` alone.

The four that Zoom demands of every page (Strict-Transport-Security, X-Content-Type-Options,
Content-Security-Policy, Referrer-Policy), and those of ASVS 3.4. Nothing is cached: any of
these pages may stand behind a URL that held a code (RFC 9700 section 4.2).
"""

from __future__ import annotations

import base64
import hashlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.answer import Headers


def content_security_policy(style: str) -> str:
    """Nothing from anywhere, except this one style sheet by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


# What an answer that no browser shows still needs (ASVS 3.4.1, 3.4.4; RFC 9111 section 5.2.2.5).
# Each header costs a flooded webhook a fiftieth of what it can refuse.
MACHINE_HEADERS: Headers = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


def page_headers(policy: str) -> Headers:
    """What an answer needs that a browser may show.

    Args:
        policy: of its contents.
    """
    return (*MACHINE_HEADERS, *shown_headers(policy))


def shown_headers(policy: str, *, referrer: str = "no-referrer") -> Headers:
    """The same for an answer that has the headers of machines already.

    Args:
        policy: of its contents.
        referrer: what is said of it to the pages that it leads to.
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
    """ASGI middleware that adds headers to whatever the application answers."""

    def __init__(self, app: ASGIApp, headers: Headers) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A new list: an application may send one of its own again and again.
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)
