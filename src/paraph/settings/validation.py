"""Checks the values of settings. Problems are collected, so that all are reported together.

A problem names the setting and never shows its value.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from paraph.errors import ConfigurationError
from paraph.secret import Secret
from paraph.settings.pasted_values import PastedChecks
from paraph.settings.postgresql_url import is_postgresql, parse_postgresql_url
from paraph.settings.sqlite_url import parse_sqlite_url

# Standard Webhooks, "Signature scheme": a whsec_ secret has 24 to 64 bytes.
_SIGNING_PREFIX = "whsec_"
_SIGNING_BYTES = range(24, 65)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# All addresses of the internet; no other IPv6 addresses are assigned (RFC 4291).
_EVERYBODY: tuple[Network, ...] = (
    ipaddress.IPv4Network("0.0.0.0/0"),
    ipaddress.IPv6Network("2000::/3"),
)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_METHOD = "(?:GET|POST|PUT|PATCH|DELETE)"
_PROXY_RULE = re.compile(
    rf"(?:\*|{_METHOD}(?:,{_METHOD})*) /v2/(?:[A-Za-z0-9_.-]+/|\*/)*(?:[A-Za-z0-9_.-]+|\*\*?)"
    r"(?:\?[a-z_]+=[a-z_,]+(?:&[a-z_]+=[a-z_,]+)*)?"
)
# RFC 3986 section 2. urlsplit drops or accepts more characters than a browser would.
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
# Container names may contain underscores; names for Zoom and browsers may not.
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
# The sslmodes of libpq that never connect without encryption.
_ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
# RFC 6749 section 3.3.
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_CONTACT = re.compile(r"(?:mailto:|https://|tel:)[\x21-\x7e]+")


# Characters that urlsplit drops, and a default port, which browsers and Zoom omit in an origin.
_EMPTY_PART = re.compile(r"https?://[^/?#]*:(?:[/?#]|\Z)|[^?#]*(?:\?#?|#)\Z", re.IGNORECASE)
_WITH_PATH = re.compile(r"(https?://[^/?#]*)(/[^?#]*)")
# Proxies, servers and browsers pass only such a path on as it is written.
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+")
PLAIN_PATH = "/name or /name/name with letters, digits and - . _ ~, without a slash at its end"
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Some resolvers read such a host as a number: 127.1 and 0x7f.1 are 127.0.0.1.
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.IGNORECASE)
_EVENTS_SERVER = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_EVENTS_URL = re.compile(
    rf"(nats|tls)://(?:[^@\s/?#]+@)?({_EVENTS_SERVER}(?:,{_EVENTS_SERVER})*)/?(?:\?[\x21-\x7e]*)?"
)


class SettingChecks(PastedChecks):
    """Collects problems of all settings, so that they are reported together."""

    def signing_secrets(self, name: str, values: Sequence[str]) -> tuple[Secret, ...]:
        """Check secrets for outgoing signatures; after `whsec_` base64 must follow."""
        for place, value in enumerate(values):
            if value.startswith(_SIGNING_PREFIX):
                try:
                    raw = base64.b64decode(value.removeprefix(_SIGNING_PREFIX), validate=True)
                except (binascii.Error, ValueError):
                    raw = b""
                if len(raw) not in _SIGNING_BYTES:
                    self.problems.append(
                        f"{name}[{place}] must be whsec_ and base64 of 24 to 64 bytes"
                    )
        return self.secrets(name, values)

    def scopes(self, name: str, values: Sequence[str]) -> frozenset[str]:
        """Check a list of scopes with one scope in each item: Zoom never grants a joined one."""
        for place, value in enumerate(values):
            if not _SCOPE.fullmatch(value) or "," in value:
                self.problems.append(f'{name}[{place}] is not a scope; write ["one", "two"]')
        return frozenset(values)

    def contact(self, name: str, value: str) -> str:
        """Check an optional `Contact` of security.txt (RFC 9116 section 2.5.3)."""
        if value and not _CONTACT.fullmatch(value):
            self.problems.append(f"{name} must begin with mailto:, https:// or tel:")
        return value

    def url(self, name: str, value: str, *, origin_only: bool = False) -> str:
        """Check a URL: absolute, https or on loopback, without credentials or fragment."""
        if not value:
            self.problems.append(f"{name} is missing")
            return value
        try:
            parts = urlsplit(value)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            self.problems.append(f"{name} is not a URL")
            return value
        if parts.scheme not in {"http", "https"} or not host or not value.isascii():
            self.problems.append(f"{name} is not an absolute http or https URL")
        elif "[" not in parts.netloc and not _is_host(host):
            self.problems.append(
                f"{name} has a host that is not a valid name: write host or host:port"
            )
        elif not _URL_CHARACTERS.fullmatch(value):
            self.problems.append(f"{name} contains characters that are not valid in a URL")
        elif parts.scheme == "http" and not is_loopback(host):
            self.problems.append(f"{name} is plain http; only loopback addresses may be")
        elif parts.username is not None or parts.password is not None or parts.fragment:
            self.problems.append(f"{name} must hold no credentials and no fragment")
        elif origin_only and (parts.path not in {"", "/"} or parts.query):
            self.problems.append(f"{name} must be an origin like https://zoom.app.example")
        elif not value.startswith(parts.scheme) or (
            host != parts.netloc.rsplit("@")[-1].partition(":")[0] and "[" not in parts.netloc
        ):
            self.problems.append(f"{name} must be in lower case, as browsers send it")
        elif problem := _spelling_problem(value, parts.scheme, port, is_origin=origin_only):
            self.problems.append(f"{name} {problem}")
        return value.rstrip("/") if origin_only else value

    def base_url(self, name: str, value: str) -> str:
        """Check the URL below which the service stands: an origin, perhaps with a plain path."""
        match = _WITH_PATH.fullmatch(value)
        if match is None or match[2] == "/":
            return self.url(name, value, origin_only=True)
        if not is_plain_path(match[2]):
            self.problems.append(f"{name} has a path that cannot be used: write {PLAIN_PATH}")
        return f"{self.url(name, match[1], origin_only=True)}{match[2]}"

    def database_url(self, name: str, value: str) -> str:
        """Check a database URL: an SQLite file, or PostgreSQL on this machine or with TLS."""
        try:
            if not is_postgresql(value):
                parse_sqlite_url(value)
                return value
            url = parse_postgresql_url(value)
        except ConfigurationError as error:
            self.problems += [f"{name} {problem}" for problem in error.problems]
            return value
        is_here = all(is_local_host(host) for host, _ in url.hosts)
        if not is_here and url.sslmode not in _ENCRYPTED:
            self.problems.append(
                f"{name} leads to another machine without TLS: add sslmode=verify-full to its "
                "query (sslmode=require encrypts without proving the server)"
            )
        return value

    def events_url(self, name: str, value: str) -> str:
        """Check an optional URL of NATS servers on this machine or with TLS."""
        if not value:
            return value
        match = _EVENTS_URL.fullmatch(value)
        if not re.match(r"(nats|tls)://.", value):
            self.problems.append(f"{name} must begin with nats:// or tls://, or be empty")
        elif match is None:
            self.problems.append(
                f"{name} is not a URL: write tls://HOST:PORT,HOST:PORT with one scheme for all "
                "servers, and percent-encode its password"
            )
        elif match[1] == "nats" and not all(is_loopback(_host_of(s)) for s in match[2].split(",")):
            self.problems.append(
                f"{name} leads to another machine without TLS: write tls:// for nats://"
            )
        return value

    def text(self, name: str, value: str) -> str:
        """Check a path or a text to show. A control character in it is a mistake or an attack."""
        if not value.isprintable():
            self.problems.append(f"{name} holds control characters: remove them")
        return value

    def host(self, name: str, value: str) -> str:
        """Check a host name, without scheme and port."""
        if not _HOST_NAME.fullmatch(value):
            self.problems.append(f"{name}: {value!r} is not a host name; write paraph.example.com")
        return value.lower()

    def bind(self, name: str, value: str) -> tuple[str, int]:
        """Parse HOST:PORT; port 0 picks a free one."""
        host, colon, port = value.rpartition(":")
        numbered = colon and re.fullmatch(r"[0-9]{1,5}", port) and int(port) < 65536
        if not numbered or not (is_address(host) or _HOST.fullmatch(host)):
            self.problems.append(f"{name} must be HOST:PORT, like 127.0.0.1:8001")
            return "127.0.0.1", 0
        return host.strip("[]"), int(port)

    def rule(self, name: str, value: str) -> str:
        """Check METHODS /v2/path?fields, where `*` is one segment and a final `**` any number."""
        if not _PROXY_RULE.fullmatch(value):
            self.problems.append(
                f"{name}: {value!r} is not a rule; write GET,POST /v2/path/* or **"
            )
        return value

    def networks(self, name: str, values: Sequence[str]) -> tuple[Network, ...]:
        """Check the networks of proxies, which together must not cover every address."""
        before = len(self.problems)
        found = tuple(self.network(f"{name}[{n}]", value) for n, value in enumerate(values))
        if len(self.problems) == before and any(map(_covers(found), _EVERYBODY)):
            self.problems.append(
                f"{name} cover every address: name the networks of your own proxies"
            )
        return found

    def network(self, name: str, value: str) -> Network:
        """Parse an address or a network in CIDR form."""
        try:
            network = _unmapped(ipaddress.ip_network(value.partition("%")[0]))
        except ValueError:
            self.problems.append(f"{name} is not a network: write 10.0.0.0/8 or an address")
            return ipaddress.ip_network("192.0.2.0/32")
        if network.prefixlen == 0:
            self.problems.append(
                f"{name} covers every address: name the networks of your own proxies"
            )
        return network


def is_plain_path(path: str) -> bool:
    """Return True if a path below which URLs stand can be used as it is written."""
    return _PLAIN_PATH.fullmatch(path) is not None


def is_loopback(host: str) -> bool:
    """Return True if a URL's host can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _spelling_problem(value: str, scheme: str, port: int | None, *, is_origin: bool) -> str:
    """Return the reason why browsers and Zoom would write a valid URL differently."""
    if _EMPTY_PART.match(value):
        return "holds a : ? or # with nothing behind it: remove it"
    if port == 0:
        return "has port 0: write the port that is listened on"
    if is_origin and port == _DEFAULT_PORTS[scheme]:
        return f"names the default port: leave :{port} out"
    return ""


def _covers(networks: Sequence[Network]) -> Callable[[Network], bool]:
    """Build a test whether another network lies entirely in these, taken together."""
    whole: list[Any] = [
        *ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network)),
        *ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network)),
    ]
    return lambda other: any(other.version == one.version and other.subnet_of(one) for one in whole)


def _unmapped(network: Network) -> Network:
    """Convert IPv4 addresses mapped into IPv6 to IPv4, because peers are compared as IPv4."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        address = int(network.network_address) & 0xFFFFFFFF
        return ipaddress.IPv4Network((address, network.prefixlen - 96))
    return network


def _is_host(host: str) -> bool:
    """Return True if every parser reads it as the same name or the same IPv4 address."""
    if _ENDS_IN_A_NUMBER.fullmatch(host):
        return is_address(host)
    return _HOST.fullmatch(host) is not None


def is_address(host: str) -> bool:
    """Return True if a host is an IP address; IPv6 may stand in brackets."""
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return False
    return True


def is_local_host(host: str) -> bool:
    """Return True if a database's host is this machine: loopback, or a folder with a socket."""
    return host.startswith(("/", "@")) or host == "" or is_loopback(host)


def _host_of(text: str) -> str:
    """Return the host of `user:password@host:port`."""
    host = text.rpartition("@")[2]
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.partition(":")[0]
