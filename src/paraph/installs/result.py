"""The values that an install returns: the redirect at its start, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from paraph.values import Proof

Headers: TypeAlias = tuple[tuple[str, str], ...]
# A response of an install is not kept, and its URL, which may hold a code, is not passed on.
_PRIVATE: Headers = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))


def response_headers(*set_cookies: str | None, location: str = "") -> Headers:
    """Return the headers of a response of an install.

    Args:
        set_cookies: the values of `Set-Cookie` headers; None is left out.
        location: the URL of a redirect; "" for a page.
    """
    redirect = (("Location", location),) if location else ()
    return (*redirect, *(("Set-Cookie", one) for one in set_cookies if one), *_PRIVATE)


@dataclass(frozen=True, slots=True)
class Redirect:
    """The start of an install: send it as a redirect with status 303.

    Attributes:
        location: the URL of Zoom's page.
        set_cookie: the value of the `Set-Cookie` header that recognises this browser later.
        deleted: the values of `Set-Cookie` headers that delete the browser's oldest flows; empty
            unless `start` got the browser's cookies.

    Example:
        >>> Redirect("https://zoom.us/oauth/authorize?...", "__Host-paraph-...", ()).headers[0]
        ('Location', 'https://zoom.us/oauth/authorize?...')
    """

    location: str = field(repr=False)
    set_cookie: str = field(repr=False)
    deleted: tuple[str, ...] = field(repr=False)

    @property
    def headers(self) -> Headers:
        """All headers of the response, as pairs."""
        return response_headers(self.set_cookie, *self.deleted, location=self.location)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a Zoom user. Store them encrypted.

    Attributes:
        access_token: sent to Zoom's API as `Authorization: Bearer ...`.
        refresh_token: valid for one use; None if Zoom sent none.
        expires_at: the time at which the access token ends, in epoch seconds.
        scopes: the granted scopes, sorted.
        api_server: the allowed host that these tokens are for, like `https://api.zoom.us`.

    Example:
        >>> tokens = Tokens("access", "refresh", 1900000000, (), "https://api.zoom.us")
        >>> tokens
        Tokens(expires_at=1900000000, scopes=(), api_server='https://api.zoom.us')
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: int
    scopes: tuple[str, ...]
    api_server: str


@dataclass(frozen=True, slots=True)
class InstallResult:
    """A finished install.

    Attributes:
        user_id, account_id: the Zoom user; compare both, byte for byte.
        email, display_name: to show to people. An address can be changed and decides nothing.
        scopes: the granted scopes, sorted.
        tokens: the tokens of this user. They have replaced all older ones of the same user.
        subject, return_to: the arguments of `InstallFlow.start`.
        proofs: the proofs of the install, in their order, each with its time.
        set_cookie: the value of a `Set-Cookie` header that deletes the cookie of this flow.

    Example:
        result = flow.finish(url, cookies)
        print(result.subject, result.user_id, result.account_id, result.headers)
    """

    user_id: str
    account_id: str
    email: str
    display_name: str
    scopes: tuple[str, ...]
    tokens: Tokens
    subject: str
    return_to: str
    proofs: tuple[Proof, ...]
    set_cookie: str = field(repr=False)

    @property
    def installed_at(self) -> int:
        """The time of the install, in epoch seconds: just before its code was exchanged.

        A removal that Zoom dates later ends this install; see `Received.removed_until`.
        """
        return self.proofs[0].held_at

    @property
    def headers(self) -> Headers:
        """The headers of the response, as pairs, whatever it shows or redirects to."""
        return response_headers(self.set_cookie)
