"""Which redirect URIs Zoom accepts: strict, subdomain and base-URL modes.

A URI that fails is shown on Zoom's own page and never redirected to (seen).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from paraph.simulator.world import App, Zoom

_LOOPBACK = {"127.0.0.1", "[::1]", "::1"}


def redirect_is_registered(app: App, zoom: Zoom, redirect_uri: str) -> bool:
    """Whether Zoom would send a code there."""
    try:
        wanted = urlsplit(redirect_uri)
        host = wanted.hostname or ""
        _ = wanted.port
    except ValueError:
        return False
    if wanted.scheme not in {"http", "https"} or not host or wanted.fragment:
        return False
    if wanted.netloc != wanted.netloc.lower():
        # Upper case in the host was refused until it was lowered (seen).
        return False
    if zoom.localhost_redirects == "refused" and host == "localhost":
        # Since mid-2026 (seen), although the documentation still allows it.
        return False
    registered = [*app.redirect_uris, *app.allow_list]
    if redirect_uri in registered:
        return True
    if app.public and host in _LOOPBACK:
        # For public clients the port is ignored on loopback (documented).
        return any(_without_port(one) == _without_port(redirect_uri) for one in registered)
    if app.strict_mode:
        return False
    if app.subdomain_strict_mode:
        return any((urlsplit(one).hostname or "") == host for one in registered)
    # Base URLs without both switches: anything below one of them passes (inferred).
    return any(redirect_uri.startswith(one.rstrip("/") + "/") for one in registered)


def _without_port(uri: str) -> tuple[str, str, str, str]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname or "", parts.path, parts.query
