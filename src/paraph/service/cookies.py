"""Cookies as raw pairs, because two of one name must be seen as two.

Frameworks keep the last of several cookies of one name; an attacker who can toss in a second
one chooses which that is (ASVS 3.3.3).
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_HEADER_BYTES = 64 * 1024


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
