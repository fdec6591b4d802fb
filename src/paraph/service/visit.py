"""What the pages need to know of a browser's request."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from paraph.service.address import client_address
from paraph.service.cookies import own_cookies
from paraph.setting_judge import Network


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser to a page, read only as far as it is asked.

    Most requests of a flood are refused on their query and cookies alone.

    Args:
        scope: the request, as ASGI hands it over.
        trusted: the networks whose forwarded addresses are believed.
    """

    scope: Scope
    trusted: tuple[Network, ...]

    @property
    def raw_query(self) -> bytes:
        """The query as it stood in the URL, still encoded."""
        return bytes(self.scope.get("query_string", b""))

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """Those of our cookies that came, in their order, two of one name as two."""
        return own_cookies(self.scope["headers"])

    @property
    def address(self) -> str:
        """The client address that limits count by."""
        return client_address(self.scope, self.trusted)

    @property
    def unasked(self) -> bool:
        """A prefetch, a prerender or a link scanner: nobody pressed anything."""
        purposes = [v for n, v in self.scope["headers"] if n in _PURPOSE_HEADERS]
        return any(b"prefetch" in one or b"prerender" in one for one in purposes)

    @property
    def cross_site(self) -> bool:
        """Another site made the browser come (Fetch Metadata)."""
        return [v for n, v in self.scope["headers"] if n == b"sec-fetch-site"] == [b"cross-site"]


def path_of(scope: Scope) -> str:
    """The path as it stood in the URL, by which everything is found.

    Percent-encoded spellings are other URLs: a proxy in front that limits `/webhook` by its path
    sees none in `/%77ebhook`. A server need not tell the raw path (ASGI); then the decoded one has
    to do.
    """
    raw = scope.get("raw_path")
    return str(scope["path"]) if raw is None else bytes(raw).decode("latin-1")


_PURPOSE_HEADERS = frozenset({b"sec-purpose", b"purpose", b"x-moz"})
