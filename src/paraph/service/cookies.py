"""Cookies as raw pairs, because two of one name must be seen as two.

Frameworks keep the last of several cookies of one name; an attacker who can toss in a second
one chooses which that is (ASVS 3.3.3).
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_HEADER_BYTES = 64 * 1024
OWN_PREFIX = b"__Host-paraph-"
# Five pending authorizations, a session and a mark are what a browser can have of ours.
MAX_OWN_COOKIES = 32


def own_cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """The same as `parse_cookies` for cookies of ours, at a price that others do not raise.

    A header with more of ours than a browser can have is left out as a whole: it was made up.
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
            # Within the value or the name of another cookie it is text.
            if not value[begin:at].strip(b" \t"):
                pairs += parse_cookies([(b"cookie", value[at:end])])
            at = value.find(OWN_PREFIX, end)
    return pairs


def parse_cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """All cookies of a request in the order they came. Never raises; odd pieces are left out.

    Only space and tab are taken off a name (RFC 6265 section 5.2). Whoever takes off more, such
    as 0xA0 or 0x85, lets a neighbouring subdomain set a cookie that a browser does not see as a
    `__Host-` one and that becomes one here.
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


def host_cookie(name: str, value: str, *, max_age: int) -> tuple[bytes, bytes]:
    """A Set-Cookie header that only this host can have set and only this browser sends.

    SameSite=Lax: the answer from Zoom is a top-level navigation from another site and must
    carry it; no other cross-site request does.
    """
    attributes = f"Path=/; Max-Age={max_age}; Secure; HttpOnly; SameSite=Lax"
    return b"set-cookie", f"{name}={value}; {attributes}".encode("ascii")


def expired_cookie(name: str) -> tuple[bytes, bytes]:
    """A Set-Cookie header that takes a cookie away."""
    return host_cookie(name, "", max_age=0)
