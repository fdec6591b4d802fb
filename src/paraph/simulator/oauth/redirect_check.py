"""Checks redirect URIs as Zoom does, in the strict, subdomain and base-URL modes.

A URI that fails is shown on Zoom's own page and never redirected to (seen).
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from paraph.simulator.request import is_loopback_address
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App, Zoom

_MAX_LENGTH = 2048
_INFO = "developers.zoom.us/docs/build-flow/basic-info/oauth-info"


@behaviour(
    "redirect URI",
    "in strict mode only a registered redirect URI or allow-list entry, byte for byte",
    "documented",
    source=_INFO,
)
@behaviour(
    "redirect URI",
    "upper-case letters in the host are refused",
    "seen",
    source="veritas.com article 100060085",
)
@behaviour(
    "redirect URI",
    "http://localhost is refused by `localhost_redirects`, as Zoom does since mid-2026, "
    "although its documentation allows it for development",
    "seen",
    source="forum reports of June 2026",
)
def redirect_is_registered(app: App, zoom: Zoom, redirect_uri: str) -> bool:
    """Return true if Zoom would send a code to this redirect URI.

    Args:
        app: its redirect URIs, allow list and modes decide.
        zoom: the settings of Zoom itself.
        redirect_uri: the parameter of the authorization request.
    """
    wanted = _parsed(redirect_uri)
    if wanted is None or wanted.netloc != wanted.netloc.lower():
        return False
    plain_localhost = wanted.scheme == "http" and wanted.hostname == "localhost"
    if zoom.localhost_redirects == "refused" and plain_localhost:
        return False
    registered = [*app.redirect_uris, *app.allow_list]
    if redirect_uri in registered:
        return True
    entries = [entry for entry in map(_parsed, registered) if entry is not None]
    if app.public and is_loopback_address(wanted.hostname or ""):
        return any(_same_but_for_port(entry, wanted) for entry in entries)
    if app.strict_mode:
        return False
    same_host_only = app.subdomain_strict_mode
    return any(_covers(entry, wanted, same_host_only=same_host_only) for entry in entries)


@behaviour(
    "redirect URI",
    "for public clients the port is ignored on http://127.0.0.1 and [::1]",
    "documented",
    source="changelog/platform/pkce-loopback",
)
def _same_but_for_port(entry: SplitResult, wanted: SplitResult) -> bool:
    return (entry.scheme, entry.hostname, entry.path, entry.query) == (
        wanted.scheme,
        wanted.hostname,
        wanted.path,
        wanted.query,
    )


@behaviour(
    "redirect URI",
    "with the subdomain switch the host must be that of a registered URL",
    "documented",
    source=_INFO,
)
@behaviour(
    "redirect URI",
    "without strict mode, any path below a registered base URL passes, with any query",
    "inferred",
    source="forum threads 8447 and 14050",
)
@behaviour(
    "redirect URI", "without both switches, subdomains of a registered host pass too", "unknown"
)
def _covers(entry: SplitResult, wanted: SplitResult, *, same_host_only: bool) -> bool:
    here, there = entry.hostname or "", wanted.hostname or ""
    same_host = here == there or (not same_host_only and there.endswith(f".{here}"))
    below = wanted.path == entry.path or wanted.path.startswith(entry.path.rstrip("/") + "/")
    return (
        entry.scheme == wanted.scheme
        and entry.port == wanted.port
        and same_host
        and (below or entry.path in {"", "/"})
        and entry.query in {"", wanted.query}
    )


def _parsed(uri: str) -> SplitResult | None:
    """Split an absolute http(s) URI without user information and fragment; None for others."""
    if len(uri) > _MAX_LENGTH or not uri.isascii() or not uri.isprintable() or " " in uri:
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return None if "@" in parts.netloc or "#" in uri else parts
