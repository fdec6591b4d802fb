"""The hops that proxies report: `X-Forwarded-For` and `-Proto`, or `Forwarded` (RFC 7239).

Each proxy appends the address that connected to it, and the scheme. So both lists are read from the
right, nearest proxy first. The sender's own text stands to the left of the first proxy's entry. It
may be anything: a quote that never ends, a thousand commas. Only the last `MAX_HOPS` entries of the
last `MAX_BYTES` bytes are read.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Headers = Iterable[tuple[bytes, bytes]]

MAX_HOPS = 8
MAX_BYTES = 2048

FOR, PROTO, FORWARDED = b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"
# nginx writes this for a peer that connected over a Unix socket.
UNIX_SOCKET = "unix:"
HTTPS, HTTP, UNREADABLE = "https", "http", "unreadable"
_SCHEMES = {b"https": HTTPS, b"wss": HTTPS, b"http": HTTP, b"ws": HTTP}

# Some proxies write the port behind a forwarded address: 203.0.113.9:4711, [2001:db8::1]:4711.
_WITH_PORT = re.compile(r"([0-9.]+)(?::[0-9]{1,5})?|\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")
_BARE_IPV6_WITH_PORT = re.compile(r"([0-9A-Fa-f:.]+):[0-9]{1,5}")
# RFC 7239 section 4, for one element and for its reverse. A quote that an earlier writer left open
# must not swallow a later entry, so elements are found from the right.
_PAIR = re.compile(
    rb'[ \t]*(?:([!#$%&\'*+.^_`|~0-9A-Za-z-]++)=(?:"([^"\\]*+)"|([^",;= \t]*+)))?[ \t]*+(?:;|\Z)'
)
_MAX_PAIRS = 8
_LAST_ELEMENT = re.compile(rb'((?:[^",]++|"[^"]*+")*+)(,|\Z)')


class Hop(NamedTuple):
    """The report of one proxy about a connection that it accepted.

    Attributes:
        address: the address that connected to it, as written; empty if it is missing.
        scheme: `HTTPS`, `HTTP`, `UNREADABLE`, or empty if it was not reported.
    """

    address: str
    scheme: str


def x_forwarded_hops(headers: Headers) -> list[Hop]:
    """Return the hops of `X-Forwarded-For` and `X-Forwarded-Proto`, nearest first.

    If there are fewer schemes than addresses, the farther hops have no scheme. If there are more,
    the one next to the last address belongs to a hop without address. Further schemes are ignored:
    nothing shows that a proxy wrote them.
    """
    found = list(headers)
    addresses = _entries(found, FOR)
    schemes = [_SCHEMES.get(one.lower(), UNREADABLE) for one in _entries(found, PROTO)]
    length = min(MAX_HOPS, max(len(addresses), min(len(schemes), len(addresses) + 1)))
    return [
        Hop(
            addresses[n].decode("latin-1") if n < len(addresses) else "",
            schemes[n] if n < len(schemes) else "",
        )
        for n in range(length)
    ]


def forwarded_hops(headers: Headers) -> list[Hop]:
    """Return the hops of `Forwarded`, nearest first; an unreadable element is an unknown hop."""
    # Reversed, since it is read from the right; each element is reversed back separately.
    rest = b",".join(value for name, value in headers if name == FORWARDED)[-MAX_BYTES:][::-1]
    hops: list[Hop] = []
    position = 0
    for _ in range(4 * MAX_HOPS):
        if len(hops) == MAX_HOPS:
            break
        match = _LAST_ELEMENT.match(rest, position)
        if match is None:
            # A quote without its other half: its writer is not the one of the part read so far.
            hops.append(Hop("", UNREADABLE))
            break
        if element := match[1][::-1].strip(b" \t"):
            hops.append(_hop_of(element))
        position = match.end()
        if not match[2]:
            break
    return hops


def _hop_of(element: bytes) -> Hop:
    pairs: dict[bytes, bytes] = {}
    position = 0
    for _ in range(_MAX_PAIRS):
        match = _PAIR.match(element, position)
        if match is None:
            return Hop("", UNREADABLE)
        position = match.end()
        if match[1] is None:
            if position == len(element):
                break
            continue
        name = match[1].lower()
        if name in pairs:
            return Hop("", UNREADABLE)
        pairs[name] = match[2] if match[2] is not None else match[3]
    if position < len(element):
        return Hop("", UNREADABLE)
    if b"for" not in pairs:
        # It reports no hop, and a scheme is believed only together with its hop.
        return Hop("", "")
    scheme = pairs.get(b"proto")
    return Hop(
        pairs[b"for"].decode("latin-1"),
        "" if scheme is None else _SCHEMES.get(scheme.lower(), UNREADABLE),
    )


def _entries(headers: Headers, wanted: bytes) -> list[bytes]:
    """Return the entries of a list that may span several headers, the last one first.

    Empty entries are left out (RFC 9110 section 5.6.1): proxies that append to nothing write them.
    """
    values = [value for name, value in headers if name == wanted]
    if not values:
        return []
    text = values[0] if len(values) == 1 else b",".join(values)
    # One more than the limit: everything in front stays one piece, which is not read.
    pieces = text[-MAX_BYTES:].rsplit(b",", 4 * MAX_HOPS)[-4 * MAX_HOPS :]
    return [entry for piece in reversed(pieces) if (entry := piece.strip(b' \t"'))][: MAX_HOPS + 1]


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address | None:
    """Parse an address as peers and proxies write it; None for `unknown`, `_hidden` and nonsense.

    An IPv4 address inside an IPv6 one (::ffff:203.0.113.9) becomes that IPv4 address.
    """
    if len(text) > 64:
        return None
    hop = text.strip(" \t").removeprefix('"').removesuffix('"')
    match = _WITH_PORT.fullmatch(hop)
    address = _address((match[1] or match[2]) if match else hop)
    if address is None and (match := _BARE_IPV6_WITH_PORT.fullmatch(hop)):
        # Without brackets, a port is recognised only where it cannot be a group of the address.
        address = _address(match[1])
    return address


def _address(text: str) -> Address | None:
    try:
        # The zone of a link-local address (fe80::1%eth0) is meaningful on its own host only.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
