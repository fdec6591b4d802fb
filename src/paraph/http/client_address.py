"""Client address and scheme of a request, behind any number of trusted proxies.

A proxy's report is believed only when the proxy is in a configured network. The search starts at
the peer and continues, hop by hop, while the reporting hop is trusted. Everything to the left of
the first untrusted hop may have been written by the sender of the request (ASVS 4.1.3; RFC 9700
section 4.13). Address and scheme are taken from the same hop.

`X-Forwarded-For` and `X-Forwarded-Proto` count where one of them is present, else `Forwarded`.
Most proxies maintain one family and pass the other on as the sender wrote it. If a request has
both and they contradict each other, plain http wins, and limits count by the nearest proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from paraph.http.forwarded import (
    FOR,
    FORWARDED,
    HTTP,
    HTTPS,
    PROTO,
    UNIX_SOCKET,
    Address,
    Hop,
    forwarded_hops,
    parse_address,
    x_forwarded_hops,
)
from paraph.settings.validation import Network

if TYPE_CHECKING:
    from starlette.types import Scope

_IPV6_PREFIX = 64
# RFC 6052: IPv4 clients behind a translator. Counted as one /64 they would share every limit.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_FORWARDING = frozenset({FOR, PROTO, FORWARDED})

Reason = Literal["plain_http", "untrusted_hop", "unreadable_scheme", "untrusted_peer"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The client address and scheme, as the last believed hop reports them.

    Attributes:
        address: the client's; None where even the peer is unknown.
        scheme: by which the client reached the first proxy; empty where no proxy reports one.
        is_peer_trusted: whether the peer is a trusted proxy, so that its report was read.
        hops_left: whether further hops were reported beyond the one where the search ended.
    """

    address: Address | None
    scheme: str
    is_peer_trusted: bool
    hops_left: bool = False


def find_origin(scope: Scope, trusted: Sequence[Network]) -> Origin:
    """Follow the hops from the peer to the first one that is not trusted."""
    peer = scope.get("client")
    address = parse_address(peer[0]) if peer else None
    if address is None or not is_trusted(address, trusted):
        return Origin(address, "", is_peer_trusted=False)
    names = {name for name, _ in scope["headers"]} & _FORWARDING
    if not names:
        return Origin(address, "", is_peer_trusted=True)
    families = []
    if FOR in names or PROTO in names:
        families.append(_walk(address, x_forwarded_hops(scope["headers"]), trusted))
    if FORWARDED in names:
        families.append(_walk(address, forwarded_hops(scope["headers"]), trusted))
    if len(families) == 1:
        return families[0]
    return _of_both(address, *families)


def _walk(peer: Address, hops: Sequence[Hop], trusted: Sequence[Network]) -> Origin:
    address, scheme, ended = peer, "", 0
    for hop in hops:
        ended += 1
        # A hop without a scheme keeps the nearer hop's: a single scheme counts for all hops.
        scheme = hop.scheme or scheme
        if hop.address == UNIX_SOCKET:
            # A process of the trusted host itself: the entry that it appended stands to the left.
            continue
        parsed = parse_address(hop.address)
        if parsed is None:
            break
        address = parsed
        if not is_trusted(parsed, trusted):
            break
    return Origin(address, scheme, is_peer_trusted=True, hops_left=ended < len(hops))


def _of_both(peer: Address, x_forwarded: Origin, forwarded: Origin) -> Origin:
    address = x_forwarded.address if x_forwarded.address == forwarded.address else peer
    worse = next(
        (one for one in (x_forwarded, forwarded) if one.scheme not in {"", HTTPS}), x_forwarded
    )
    scheme = worse.scheme or forwarded.scheme
    return Origin(address, scheme, is_peer_trusted=True, hops_left=worse.hops_left)


def client_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """Return the address that limits count by; an IPv6 client counts as its /64, which it owns."""
    address = find_origin(scope, trusted).address
    return "unknown" if address is None else counted_address(address)


def arrived_in_clear(scope: Scope, trusted: Sequence[Network]) -> bool:
    """Return true where trusted proxies say that the first of them was reached over plain http."""
    return refusal_of(scope, trusted) not in {None, "untrusted_peer"}


def refusal_of(scope: Scope, trusted: Sequence[Network]) -> Reason | None:
    """Return why a request to an https address is refused; None if it is not.

    Without a trusted proxy, or without a reported scheme, nothing is known and nothing is refused.
    """
    if not trusted:
        return None
    schemes: Any = None
    has_forwarded = False
    for name, value in scope["headers"]:
        if name == PROTO:
            schemes = value if schemes is None else b""
        elif name == FORWARDED:
            has_forwarded = True
    if schemes is None and not has_forwarded:
        return None
    # The usual case says https: one proxy, or several of which the last one counts for all.
    if schemes == b"https" and not has_forwarded and _is_trusted_peer(scope, trusted):
        return None
    origin = find_origin(scope, trusted)
    if not origin.is_peer_trusted:
        return "untrusted_peer"
    if origin.scheme in {"", HTTPS}:
        return None
    if origin.scheme != HTTP:
        return "unreadable_scheme"
    return "untrusted_hop" if origin.hops_left else "plain_http"


def _is_trusted_peer(scope: Scope, trusted: Sequence[Network]) -> bool:
    peer = scope.get("client")
    address = parse_address(peer[0]) if peer else None
    return address is not None and is_trusted(address, trusted)


def is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    """Return true if an address is in one of the networks."""
    return any(address in network for network in trusted)


@lru_cache(maxsize=4096)
def counted_address(address: Address) -> str:
    """Return an address, or the /64 of an IPv6 address, as limits count it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def wider_networks(address: str) -> tuple[str, ...]:
    """Return the wider networks of a counted address that one person may own.

    Hosting companies and tunnel brokers give a /56 or a /48 to anybody (RFC 6177), so a limit by
    /64 alone limits nothing. An IPv4 address has no wider network here.
    """
    if not address.endswith(f"/{_IPV6_PREFIX}"):
        return ()
    network = ipaddress.ip_network(address)
    return tuple(str(network.supernet(new_prefix=length)) for length in (56, 48))
