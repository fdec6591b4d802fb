"""Zoom's authorization server, and the resource servers that may get an access token.

Zoom publishes no discovery document (RFC 8414), so its paths are listed here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from paraph.errors import ConfigurationError
from paraph.oauth.roles import AuthorizationServer

# A whole origin and nothing else. urlsplit is avoided on purpose: it drops tabs and newlines and
# accepts user information, and both have sent an access token to a host that looked right.
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?P<port>:[0-9]{1,5})?/?",
    re.ASCII | re.IGNORECASE,
)
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}


def zoom_authorization_server(base_url: str) -> AuthorizationServer:
    """Return Zoom's OAuth server under `base_url` (https://zoom.us, or a simulated one).

    Zoom sends no `iss` in authorization responses (RFC 9207), so it is not required. The issuer is
    the base URL, for records and in case Zoom begins to send it.
    """
    base = base_url.rstrip("/")
    return AuthorizationServer(
        issuer=base,
        authorization_endpoint=f"{base}/oauth/authorize",
        token_endpoint=f"{base}/oauth/token",
        revocation_endpoint=f"{base}/oauth/revoke",
        sends_issuer=False,
    )


def api_server_for(api_url: str | None, *, allowed: Sequence[str]) -> str:
    """Return the resource server for this grant's access token, without a trailing slash.

    Args:
        api_url: the server that the token response named. This is untrusted data: it can choose
            among the allowed servers but never add one, so a hostile response cannot send the
            access token elsewhere.
        allowed: origins of the settings, the preferred one first.

    Raises:
        ConfigurationError: `allowed` is empty, or has an entry that is not an origin.
    """
    origins = [_parse_origin(server) for server in allowed]
    usable = [origin for origin in origins if origin is not None]
    if not usable or len(usable) != len(origins):
        raise ConfigurationError(
            ["api_servers must be a list of origins such as https://api.zoom.us"],
        )
    wanted = None if api_url is None else _parse_origin(api_url)
    return wanted if wanted in usable and wanted is not None else usable[0]


def _parse_origin(url: str) -> str | None:
    """Return the origin in one spelling (RFC 6454 section 6.2), or None for anything else."""
    match = _ORIGIN.fullmatch(url)
    if match is None:
        return None
    scheme, host, port = match["scheme"].lower(), match["host"].lower(), match["port"] or ""
    return f"{scheme}://{host}{'' if port == _DEFAULT_PORTS[scheme] else port}"
