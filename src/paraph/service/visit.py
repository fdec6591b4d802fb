"""What the pages need to know of a browser's request."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from paraph.config import Network
from paraph.service.address import client_address
from paraph.service.cookies import parse_cookies


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser to a page.

    `unasked` is true for a prefetch, a prerender or a link scanner: nobody pressed anything.
    `cross_site` is true when another site made the browser come (Fetch Metadata).
    """

    raw_query: bytes
    cookies: list[tuple[str, str]]
    address: str
    unasked: bool
    cross_site: bool


def visit_of(scope: Scope, trusted: tuple[Network, ...]) -> Visit:
    """Read it off an ASGI scope."""
    headers = scope["headers"]
    purpose = b" ".join(v for n, v in headers if n in {b"sec-purpose", b"purpose", b"x-moz"})
    site = [v for n, v in headers if n == b"sec-fetch-site"]
    return Visit(
        raw_query=scope.get("query_string", b""),
        cookies=parse_cookies(headers),
        address=client_address(scope, trusted),
        unasked=b"prefetch" in purpose or b"prerender" in purpose,
        cross_site=site == [b"cross-site"],
    )
