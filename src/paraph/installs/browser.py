"""The browser of an install: the query and the cookies that it sends, the cookies that it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from paraph.cookies import expired_cookie, host_cookie, own_cookies
from paraph.errors import UsageError

GivenHeaders: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]] | None
_PURPOSES = frozenset({b"sec-purpose", b"purpose", b"x-moz"})
Cookies: TypeAlias = str | bytes | Mapping[str, str] | Iterable[tuple[str, str]] | None


def query_of(url: str | bytes) -> bytes:
    """Return the query of a URL, as it was sent.

    Args:
        url: a complete URL, or a path with its query.

    Raises:
        UsageError: it is neither a text nor bytes.
    """
    if isinstance(url, str):
        # A character outside ASCII is refused in every parameter that counts.
        url = url.encode("utf-8", "surrogatepass")
    if not isinstance(url, bytes):
        raise UsageError(
            "url must be the URL of the request with its query",
            remedy="Pass request.url (Flask, FastAPI) or request.get_full_path() (Django).",
        )
    return url.partition(b"#")[0].partition(b"?")[2]


def cookie_pairs(cookies: Cookies) -> list[tuple[str, str]]:
    """Return the cookies of a browser as pairs, in their order.

    Args:
        cookies: the `Cookie` header, a mapping, or pairs. None and "" are no cookies.

    Raises:
        UsageError: it is something else.
    """
    if not cookies:
        return []
    if isinstance(cookies, str):
        # As WSGI and ASGI servers decode it.
        cookies = cookies.encode("latin-1", "replace")
    if isinstance(cookies, bytes):
        return own_cookies([(b"cookie", cookies)])
    pairs: list[Any] = list(cookies.items() if isinstance(cookies, Mapping) else cookies)
    if not all(isinstance(pair, tuple) and [str, str] == list(map(type, pair)) for pair in pairs):
        raise UsageError(
            "cookies must be the Cookie header, a mapping of texts, or pairs of texts",
            remedy='Pass the header, as in request.headers.get("cookie", "").',
        )
    return pairs


def is_prefetch(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return true for a prefetch, a prerender or a link scanner: no person acted.

    Args:
        headers: of the request, names in lower case.
    """
    purposes = [value for name, value in headers if name in _PURPOSES]
    return any(b"prefetch" in one or b"prerender" in one for one in purposes)


def header_pairs(headers: GivenHeaders) -> list[tuple[bytes, bytes]]:
    """Return headers as the pairs of ASGI: bytes, names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in pairs
    ]


def kept(name: str, value: str, *, max_age: int) -> str:
    """Return the value of a `Set-Cookie` header."""
    return host_cookie(name, value, max_age=max_age)[1].decode("ascii")


def deleted(name: str) -> str:
    """Return the value of a `Set-Cookie` header that deletes a cookie."""
    return expired_cookie(name)[1].decode("ascii")
