"""Cookies as raw pairs, so that two cookies of one name stay visible as two.

Frameworks keep the last of several cookies of one name. An attacker who can add a second one
chooses which one that is (ASVS 3.3.3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

SetCookie = tuple[bytes, bytes]

MAX_HEADER_BYTES = 64 * 1024
OWN_PREFIX = b"__Host-paraph-"
# A browser holds at most five pending authorizations, a session and a mark of ours.
MAX_OWN_COOKIES = 32


@lru_cache(maxsize=64)
def cookie_prefix(client_id: str, redirect_uri: str) -> str:
    """Return the beginning of the names of an app's cookies.

    `__Host-` demands the path `/`, so every app of a host receives the cookies of all others. An
    app whose URLs stand below a path has a hash in the names of its cookies, and reads only those.

    Args:
        client_id: the app's client id.
        redirect_uri: its path is the app's place on the host.
    """
    path = urlsplit(redirect_uri).path
    if path == "/oauth/redirect":
        return "__Host-paraph-"
    digest = hashlib.sha256(f"{client_id}\n{path}".encode()).hexdigest()
    return f"__Host-paraph-{digest[:12]}-"


def own_cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Parse only our own cookies, at a cost that other cookies do not raise.

    A header with more of our cookies than a browser can hold is forged and is ignored as a whole.
    """
    pairs: list[tuple[str, str]] = []
    for name, value in headers:
        if name != b"cookie" or OWN_PREFIX not in value or len(value) > MAX_HEADER_BYTES:
            continue
        if value.count(OWN_PREFIX) > MAX_OWN_COOKIES:
            continue
        at = value.find(OWN_PREFIX)
        while at >= 0:
            begin = value.rfind(b";", 0, at) + 1
            end = value.find(b";", at)
            end = len(value) if end < 0 else end
            # Inside the value or the name of another cookie it is only text.
            if not value[begin:at].strip(b" \t"):
                pairs += parse_cookies([(b"cookie", value[at:end])])
            at = value.find(OWN_PREFIX, end)
    return pairs


def parse_cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Parse all cookies of a request in their order. Never raises; malformed pieces are left out.

    Only space and tab are stripped from a name (RFC 6265 section 5.2). Stripping other bytes, such
    as 0xA0 or 0x85, opens an attack: a neighbouring subdomain sets a cookie that is no `__Host-`
    cookie to the browser. Here it would become one.
    """
    pairs: list[tuple[str, str]] = []
    for name, value in headers:
        if name != b"cookie" or len(value) > MAX_HEADER_BYTES:
            continue
        for piece in value.decode("latin-1").split(";"):
            key, equals, content = piece.strip(" \t").partition("=")
            if equals:
                pairs.append((key, content))
    return pairs


def host_cookie(
    name: str, value: str, *, max_age: int, same_site: Literal["Lax", "Strict"] = "Lax"
) -> SetCookie:
    """Build a Set-Cookie header that only this host can set and only this browser sends.

    Args:
        name: begins with `__Host-`.
        value: the content.
        max_age: seconds; 0 deletes the cookie.
        same_site: "Lax" where another site leads here by a top-level navigation, as Zoom's response
            does; "Strict" where no other site needs to.
    """
    attributes = f"Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite={same_site}"
    return b"set-cookie", f"{name}={value}; {attributes}".encode("ascii")


def expired_cookie(name: str) -> SetCookie:
    """Build a Set-Cookie header that deletes a cookie."""
    return host_cookie(name, "", max_age=0)
