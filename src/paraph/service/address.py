"""Whose request this is: the client address, behind any number of trusted proxies.

A forwarded address or scheme is believed only from a configured network, and then the
rightmost hop that is not itself trusted: everything to the left of it was written by whoever
sent the request (ASVS 4.1.3; RFC 9700 section 4.13).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from starlette.types import Scope

from paraph.setting_judge import Network

_IPV6_PREFIX = 64


def client_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """The address that limits count by; an IPv6 client is its /64, since it owns all of it."""
    peer = scope.get("client")
    address = _parse(peer[0]) if peer else None
    if address is None:
        return "unknown"
    if _is_trusted(address, trusted):
        for hop in reversed(_forwarded_for(scope["headers"])):
            parsed = _parse(hop)
            if parsed is None:
                break
            address = parsed
            if not _is_trusted(parsed, trusted):
                break
    return _bucket(address)


def arrived_in_clear(scope: Scope, trusted: Sequence[Network]) -> bool:
    """Whether a trusted proxy says that the browser or Zoom reached it over plain http."""
    # Nobody is trusted, or nobody claims anything: the usual cases, decided without parsing.
    if not trusted:
        return False
    schemes = [v.strip().lower() for n, v in scope["headers"] if n == b"x-forwarded-proto"]
    if not schemes or schemes[-1].rsplit(b",")[-1].strip() != b"http":
        return False
    peer = scope.get("client")
    address = _parse(peer[0]) if peer else None
    return address is not None and _is_trusted(address, trusted)


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


# Some proxies write the port behind a forwarded address: 203.0.113.9:4711, [2001:db8::1]:4711.
_WITH_PORT = re.compile(r"([0-9.]+)(?::[0-9]{1,5})?|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")


def _parse(text: str) -> Address | None:
    hop = text.strip(" \t")
    match = _WITH_PORT.fullmatch(hop)
    try:
        address = ipaddress.ip_address((match[1] or match[2]) if match else hop)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    values = [v.decode("latin-1") for n, v in headers if n == b"x-forwarded-for"]
    return [hop for value in values for hop in value.split(",")]


def _bucket(address: Address) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)
