"""The headers that Chromium sends when a person opens a page, a link or a form."""

from __future__ import annotations

from urllib.parse import urlsplit


def site_of(url: str) -> str:
    """Return scheme and host as the site: loopback names have no registrable domain."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"


def is_cross_site(url: str, initiator: str | None) -> bool:
    """Return true if a page of another site caused a request.

    Args:
        url: the URL that is requested.
        initiator: the URL of the page that caused it; None if the person typed the address.
    """
    return initiator is not None and site_of(initiator) != site_of(url)


def navigation_headers(method: str, url: str, initiator: str | None) -> list[tuple[str, str]]:
    """Return the headers of a top-level request, without its cookies.

    Args:
        method: the method.
        url: the URL that is requested.
        initiator: the URL of the page that caused it; None if the person typed the address.
    """
    relation = "none"
    headers: list[tuple[str, str]] = []
    if initiator is not None:
        same = urlsplit(initiator)[:2] == urlsplit(url)[:2]
        near = "same-origin" if same else "same-site"
        relation = "cross-site" if is_cross_site(url, initiator) else near
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(initiator))
        # The default referrer policy: the full URL within an origin, else the origin alone.
        headers.append(("referer", initiator if same else f"{origin}/"))
        if method not in {"GET", "HEAD"}:
            headers.append(("origin", origin))
    return [
        ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("accept-encoding", "identity"),
        ("sec-fetch-site", relation),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-user", "?1"),
        *headers,
    ]
