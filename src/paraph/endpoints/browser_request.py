"""A browser's request as the pages see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paraph.cookies import own_cookies
from paraph.http.client_address import client_address
from paraph.installs.browser import is_prefetch
from paraph.settings.validation import Network

if TYPE_CHECKING:
    from starlette.types import Scope


@dataclass(frozen=True, slots=True)
class BrowserRequest:
    """One request of a browser to a page; each part is read on first use.

    Most requests of a flood are refused by their query and cookies alone.

    Args:
        scope: the ASGI scope of the request.
        trusted: the networks whose forwarded addresses are believed.
    """

    scope: Scope
    trusted: tuple[Network, ...]

    @property
    def raw_query(self) -> bytes:
        """Return the query as written in the URL, still encoded."""
        return bytes(self.scope.get("query_string", b""))

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """Return our cookies in their order; two cookies of one name stay two."""
        return own_cookies(self.scope["headers"])

    @property
    def address(self) -> str:
        """Return the client address that limits count by."""
        return client_address(self.scope, self.trusted)

    @property
    def is_prefetch(self) -> bool:
        """Return true for a prefetch, a prerender or a link scanner: no person acted."""
        return is_prefetch(self.scope["headers"])

    @property
    def is_cross_site(self) -> bool:
        """Return true if another site sent the browser here (Fetch Metadata)."""
        return [v for n, v in self.scope["headers"] if n == b"sec-fetch-site"] == [b"cross-site"]


def path_of(scope: Scope) -> str:
    """Return the raw path of the URL, which all routes match.

    Percent-encoded spellings are other URLs: a proxy in front that limits `/webhook` by its path
    does not recognise `/%77ebhook`. A server may leave out the raw path (ASGI); then the decoded
    path is used.
    """
    raw = scope.get("raw_path")
    return str(scope["path"]) if raw is None else bytes(raw).decode("latin-1")
