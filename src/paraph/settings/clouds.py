"""Zoom's two clouds, the hosts of their APIs, and settings that would mix them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

GOVERNMENT = "Zoom for Government"
COMMERCIAL = "Zoom's commercial cloud"

# The global name first: it always works. The regional ones may appear in the `api_url` of token
# responses (changelog of the regional clusters): the current names and three older spellings.
REGIONAL_API_SERVERS = (
    *(
        f"https://api{region}.zoom.us"
        for region in ("", "-au", "-ca", "-eu", "-in", "-sa", "-sg", "-uk", "-us")
    ),
    *(f"https://{region}api.zoom.us" for region in ("eu01", "sa01", "sg01")),
)
_GOVERNMENT_API_SERVERS = ("https://api.zoomgov.com",)
_DOMAINS = {
    GOVERNMENT: re.compile(r"(?:.+\.)?zoomgov\.com\.?"),
    COMMERCIAL: re.compile(r"(?:.+\.)?zoom\.(?:us|com)\.?"),
}


def default_api_servers(authorization_server: str) -> Sequence[str]:
    """Return the API hosts of the cloud that an authorization server belongs to."""
    if cloud_of(authorization_server) == GOVERNMENT:
        return _GOVERNMENT_API_SERVERS
    return REGIONAL_API_SERVERS


def mixed_clouds(authorization_server: str, api_servers: Sequence[str]) -> list[str]:
    """List settings that would send a token of one cloud to the other one."""
    own = cloud_of(authorization_server)
    problems = []
    first = ""
    for place, server in enumerate(api_servers):
        cloud = cloud_of(server)
        if own and cloud and cloud != own:
            home = "https://api.zoomgov.com" if own == GOVERNMENT else "https://api.zoom.us"
            problems.append(
                f"api_servers[{place}] belongs to {cloud} and authorization_server to {own}: "
                f"write {home}, or leave api_servers out"
            )
        elif not own and cloud and first and cloud != first:
            problems.append(
                f"api_servers[{place}] belongs to {cloud}, and others to {first}: keep one cloud"
            )
        first = first or cloud
    return problems


def cloud_of(url: str) -> str:
    """Return the name of Zoom's cloud that a URL belongs to; "" for a foreign host."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
    found = [name for name, domain in _DOMAINS.items() if domain.fullmatch(host)]
    return found[0] if found else ""
