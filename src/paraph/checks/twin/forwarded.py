"""The scheme that the client used, as reported by the proxies in front of the twin."""

from __future__ import annotations

import ipaddress

from paraph.checks.twin.settings import Settings
from paraph.checks.twin.web import Request

_TRUSTED = ipaddress.ip_network("127.0.0.0/8")


def client_scheme(request: Request, settings: Settings) -> str:
    """Determine the client's scheme: walk outwards from the nearest proxy past trusted hops.

    Each proxy appends the address and the scheme of the connection it accepted. Entries
    before the first untrusted address were written by the client.
    """
    if not _is_trusted(request.address):
        return request.scheme
    if settings.is_weak("net-forwarded-list"):
        return request.header("x-forwarded-proto")
    addresses = _entries(request, "x-forwarded-for")
    schemes = _entries(request, "x-forwarded-proto")
    scheme = request.scheme
    for address, reported in zip(reversed(addresses), reversed(schemes), strict=False):
        scheme = reported.lower()
        if not _is_trusted(address):
            break
    return scheme


def _entries(request: Request, name: str) -> list[str]:
    values = ",".join(value for header, value in request.headers if header == name)
    return [one.strip() for one in values.split(",") if one.strip()]


def _is_trusted(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in _TRUSTED
    except ValueError:
        return False
