"""Cookies as a browser keeps them: SameSite, Secure, `__Host-`, paths, and no ports."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

MAX_SIZE = 4096
_LOCAL = {"127.0.0.1", "localhost", "::1"}


@dataclass(slots=True)
class Cookie:
    """One cookie with what the server asked of the browser."""

    name: str
    value: str
    host: str
    path: str = "/"
    secure: bool = False
    http_only: bool = False
    same_site: str = ""
    host_only: bool = True
    expires: float | None = None


def parse_set_cookie(line: str, url: str) -> Cookie | None:
    """The cookie that a browser makes of a Set-Cookie line, or None where it refuses it."""
    first, *rest = line.split(";")
    name, equals, value = first.strip().partition("=")
    if not equals or not name or len(first) > MAX_SIZE:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    given = {}
    for attribute in rest:
        key, _, content = attribute.strip().partition("=")
        given[key.lower()] = content.strip()
    cookie = Cookie(name, value, host, _path_of(given.get("path", ""), parts.path))
    cookie.secure, cookie.http_only = "secure" in given, "httponly" in given
    cookie.same_site = given.get("samesite", "").lower()
    cookie.host_only = not given.get("domain")
    cookie.expires = _end_of(given)
    trustworthy = parts.scheme == "https" or host in _LOCAL
    if cookie.secure and not trustworthy:
        return None
    if name.startswith("__Secure-") and not cookie.secure:
        return None
    if name.startswith("__Host-") and not (
        cookie.secure and cookie.host_only and given.get("path") == "/"
    ):
        return None
    if cookie.same_site == "none" and not cookie.secure:
        return None
    domain = given.get("domain", "").lstrip(".").lower()
    if domain and host != domain and not host.endswith(f".{domain}"):
        return None
    return cookie


def _path_of(given: str, page: str) -> str:
    """The path that a cookie is for: without the attribute, the folder of the page."""
    if given.startswith("/"):
        return given
    return page.rpartition("/")[0] or "/"


def _end_of(given: dict[str, str]) -> float | None:
    age = given.get("max-age", "")
    if age.lstrip("-").isdigit():
        return time.time() + int(age)
    try:
        # Some write dashes into the date, as cookies once had them.
        return parsedate_to_datetime(given.get("expires", "").replace("-", " ")).timestamp()
    except (ValueError, OverflowError):
        return None


def site_of(url: str) -> str:
    """Scheme and host: loopback names have no registrable domain of their own."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"


class CookieJar:
    """The cookies of one browser profile."""

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._cookies: list[Cookie] = list(cookies)

    def store(self, lines: Iterable[str], url: str) -> None:
        """Take what an answer sets."""
        for line in lines:
            cookie = parse_set_cookie(line, url)
            if cookie is None:
                continue
            self._cookies = [
                one
                for one in self._cookies
                if (one.name, one.host, one.path) != (cookie.name, cookie.host, cookie.path)
            ]
            if cookie.expires is None or cookie.expires > time.time():
                self._cookies.append(cookie)

    def put(self, cookie: Cookie) -> None:
        """Plant a cookie, as an attacker on a neighbouring host would."""
        self._cookies.append(cookie)

    def all(self, host: str = "") -> list[Cookie]:
        """Every cookie, or those of a host."""
        return [one for one in self._cookies if not host or one.host == host]

    def drop(self, name: str) -> None:
        """Forget a cookie."""
        self._cookies = [one for one in self._cookies if one.name != name]

    def header(self, url: str, *, cross_site: bool, safe: bool) -> str:
        """The Cookie header for a top-level navigation.

        Args:
            url: where it goes.
            cross_site: whether another site caused it.
            safe: whether the method is GET or HEAD: only then do cookies that say Lax travel
                across sites.
        """
        parts = urlsplit(url)
        trustworthy = parts.scheme == "https" or (parts.hostname or "") in _LOCAL
        pairs = [
            f"{one.name}={one.value}"
            for one in sorted(self._cookies, key=lambda one: -len(one.path))
            if one.host == (parts.hostname or "")
            and _is_below(parts.path or "/", one.path)
            and (trustworthy or not one.secure)
            and _may_travel(one, cross_site=cross_site, safe=safe)
        ]
        return "; ".join(pairs)


def _is_below(path: str, folder: str) -> bool:
    """Whether a cookie of a folder is sent to a path."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _may_travel(cookie: Cookie, *, cross_site: bool, safe: bool) -> bool:
    if not cross_site or cookie.same_site in {"", "none"}:
        # Without the attribute Firefox and Safari send it always, Chromium in its first two
        # minutes; every cookie of a check is as young as that.
        return True
    return cookie.same_site != "strict" and safe
