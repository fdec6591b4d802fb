r"""The destination of a request, parsed from the URL as it is sent, and whether it is allowed.

URL parsers disagree about userinfo, backslashes, tabs, numeric hosts and non-ASCII letters.
So only authorities that all parsers read alike are accepted; a request to any other one is not
sent (WHATWG URL Standard, section 4.4; CWE-918).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_URL = re.compile(r"(https?)://([^/?#]*)(?:[/?#].*)?", re.DOTALL | re.IGNORECASE)
_AUTHORITY = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.IGNORECASE)
# Some resolvers read such a host as a number: 127.1, 0x7f.1 and 2130706433 are all 127.0.0.1.
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Destination:
    """The scheme, host and port that a URL reaches; the host is canonical and in lower case."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        """The origin as written in a URL, without the default port."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def is_loopback(self) -> bool:
        """True if the host can only be this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def destination_of(url: str) -> Destination:
    """Parse the destination of a URL.

    Raises:
        ValueError: URL parsers could disagree about it; the message says what to write instead.
    """
    whole = _URL.fullmatch(url)
    if whole is None:
        raise ValueError("write an absolute http or https URL")
    scheme, netloc = whole[1].lower(), whole[2]
    if "@" in netloc:
        raise ValueError("leave the user name and the @ out")
    authority = _AUTHORITY.fullmatch(netloc)
    try:
        read_alike = urlsplit(url).netloc == netloc
    except ValueError:
        read_alike = False
    if authority is None or not read_alike:
        raise ValueError("write the host in ASCII letters, digits, dots and hyphens")
    port = int(authority[2]) if authority[2] else _PORTS[scheme]
    if not 0 < port < 1 << 16:
        raise ValueError("write a port from 1 to 65535")
    return Destination(scheme, _canonical(authority[1].lower()), port)


def _canonical(host: str) -> str:
    if host.startswith("["):
        address = ipaddress.IPv6Address(host.strip("[]"))
        if address.ipv4_mapped is not None or address.scope_id is not None:
            raise ValueError("write an IPv4 address as four decimal numbers")
        return f"[{address.compressed}]"
    if host.endswith(".") or ".." in host or host.startswith("."):
        raise ValueError("leave the dot at the end of the host out")
    if _ENDS_IN_A_NUMBER.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError("write an IPv4 address as four decimal numbers") from None
    return host


@dataclass(frozen=True, slots=True)
class Reach:
    """The allowed destinations: this machine, and origins with a proof of ownership."""

    proven: frozenset[str] = frozenset()

    def problem(self, url: str) -> str:
        """Return why a request to this URL is not allowed; "" if it is."""
        try:
            destination = destination_of(url)
        except ValueError as error:
            return f"not sent: {error}"
        if destination.is_loopback or destination.origin in self.proven:
            return ""
        return f"not sent: {destination.origin} is not this machine and has not proved ownership"

    def with_proven(self, origins: Iterable[str]) -> Reach:
        """Return a copy that also allows these origins."""
        return Reach(self.proven | frozenset(origins))


THIS_MACHINE = Reach()
