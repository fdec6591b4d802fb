"""A cookie jar with a browser's rules: SameSite, Secure, `__Host-` and paths, ports ignored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

MAX_SIZE = 4096
_LOCAL = {"127.0.0.1", "localhost", "::1"}


@dataclass(slots=True)
class Cookie:
    """One cookie with the attributes that the server set."""

    name: str
    value: str
    host: str
    path: str = "/"
    secure: bool = False
    http_only: bool = False
    same_site: str = ""
    host_only: bool = True
    expires: float | None = None


def parse_set_cookie(line: str, url: str, *, now: float) -> Cookie | None:
    """Parse a Set-Cookie header; return None if a browser would reject the cookie.

    Args:
        line: the value of the header.
        url: the URL whose response has it.
        now: epoch seconds, from which a Max-Age counts.
    """
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
    cookie.expires = _end_of(given, now)
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
    """Return the path of a cookie; without a Path attribute, the folder of the page."""
    if given.startswith("/"):
        return given
    return page.rpartition("/")[0] or "/"


def _end_of(given: dict[str, str], now: float) -> float | None:
    age = given.get("max-age", "")
    if age.lstrip("-").isdigit():
        return now + int(age)
    try:
        # Some servers write dashes into the date, as the first cookie specification did.
        return parsedate_to_datetime(given.get("expires", "").replace("-", " ")).timestamp()
    except (ValueError, OverflowError):
        return None


class CookieJar:
    """The cookies of one browser profile.

    Args:
        clock: returns epoch seconds.
        cookies: cookies that it has already.
    """

    def __init__(self, clock: Callable[[], float], cookies: Iterable[Cookie] = ()) -> None:
        self._clock = clock
        self._cookies: list[Cookie] = list(cookies)

    def store(self, lines: Iterable[str], url: str) -> None:
        """Store the cookies of a response.

        Args:
            lines: the values of its Set-Cookie headers.
            url: the URL that was requested.
        """
        now = self._clock()
        for line in lines:
            cookie = parse_set_cookie(line, url, now=now)
            if cookie is None:
                continue
            self._cookies = [
                one
                for one in self._cookies
                if (one.name, one.host, one.path) != (cookie.name, cookie.host, cookie.path)
            ]
            if cookie.expires is None or cookie.expires > now:
                self._cookies.append(cookie)

    def put(self, cookie: Cookie) -> None:
        """Store a cookie directly, as an attacker on a neighbouring host could."""
        self._cookies.append(cookie)

    def all(self, host: str = "") -> list[Cookie]:
        """Return all cookies, or those of one host."""
        return [one for one in self._cookies if not host or one.host == host]

    def drop(self, name: str) -> None:
        """Delete a cookie."""
        self._cookies = [one for one in self._cookies if one.name != name]

    def header(self, url: str, *, cross_site: bool, safe: bool) -> str:
        """Build the Cookie header for a top-level navigation.

        Args:
            url: the URL it requests.
            cross_site: True if a page of another site caused it.
            safe: True if the method is GET or HEAD: only then are SameSite=Lax cookies sent
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
            and _is_sent(one, cross_site=cross_site, safe=safe)
        ]
        return "; ".join(pairs)


def _is_below(path: str, folder: str) -> bool:
    """Return True if a cookie for `folder` is sent to `path` (RFC 6265 section 5.1.4)."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _is_sent(cookie: Cookie, *, cross_site: bool, safe: bool) -> bool:
    if not cross_site or cookie.same_site in {"", "none"}:
        # Firefox and Safari always send a cookie without SameSite. Chromium does so for two
        # minutes after it was set, and no cookie of a check is older.
        return True
    return cookie.same_site != "strict" and safe
