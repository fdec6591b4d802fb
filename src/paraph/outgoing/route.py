"""The route of outgoing connections: an optional proxy, and the certificate authorities.

The environment is never read. `HTTPS_PROXY` and `SSL_CERT_FILE` reach every process that a
shell starts: a person who sets them could read each secret that is sent. Use the settings instead.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from paraph.secret import Secret

if TYPE_CHECKING:
    import ssl

# Other programs obey these variables; paraph only reports that it does not.
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# Below the idle timeout of common servers (5 s and more), so that the client closes first. A server
# that closes a connection leaves a request on it unanswered, and it may not be sent again.
KEEP_ALIVE_SECONDS = 4.0

_FORM = "write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class OutgoingProxy:
    """An HTTP proxy, used with CONNECT. Its text never shows the credentials.

    Attributes:
        host: name or address; IPv6 without brackets.
        port: its port.
        username: "" if it needs no credentials.
        password: the password.
    """

    host: str
    port: int
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"OutgoingProxy({self})"

    @property
    def authorization(self) -> str:
        """The value of `Proxy-Authorization` (RFC 7617); "" without credentials."""
        if not self.username:
            return ""
        pair = f"{self.username}:{self.password.reveal()}"
        return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class OutgoingRoute:
    """The route of all outgoing connections.

    Attributes:
        proxy: the proxy; None for direct connections.
        bypass: hosts that are reached directly: names, `.suffix` for all names below, networks.
        ca_file: a PEM file with certificate authorities besides the public ones; "" for no more.
    """

    proxy: OutgoingProxy | None = None
    bypass: tuple[str, ...] = ()
    ca_file: str = ""

    def proxy_for(self, url: str) -> OutgoingProxy | None:
        """Return the proxy for a URL; None if it is reached directly.

        Loopback is always direct: on a proxy's machine that address would be another service.
        """
        host = (urlsplit(url).hostname or "").rstrip(".")
        if self.proxy is None or _is_loopback(host):
            return None
        return None if any(_covers(rule, host) for rule in self.bypass) else self.proxy

    def tls(self) -> ssl.SSLContext:
        """Build a TLS context that trusts the public authorities and those of `ca_file`."""
        return _trusting(self.ca_file)


DIRECT = OutgoingRoute()


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL; its path may hold a secret of the host's."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def parse_proxy(text: str) -> OutgoingProxy:
    """Parse a proxy's URL.

    Raises:
        ValueError: it cannot be used; the text gives the reason and never repeats the value.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(
            f"is not a URL: {_FORM}, and percent-encode the user name and password"
        ) from None
    if parts.scheme != "http":
        raise ValueError(f"must begin with http://, also for a proxy that carries https: {_FORM}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or not text.isascii():
        raise ValueError(
            f"holds more than a host and a port: {_FORM}, and percent-encode the user name and "
            "password"
        )
    if not _is_host(host):
        raise ValueError(f"names no host: {_FORM}")
    if not port:
        raise ValueError(f"names no port: {_FORM}")
    username, password = (_unquoted(one or "") for one in (parts.username, parts.password))
    if (password and not username) or ":" in username:
        raise ValueError(f"has no user name, or one with a colon: {_FORM}")
    return OutgoingProxy(host, port, username, Secret(password))


def _unquoted(text: str) -> str:
    plain = unquote(text, errors="replace")
    if _BAD_ESCAPE.search(text) or not plain.isprintable() or "\N{REPLACEMENT CHARACTER}" in plain:
        raise ValueError("has a user name or password that is not percent-encoded")
    return plain


def check_bypass(rule: str) -> str:
    """Check an entry of the bypass list, and return it in lower case.

    Raises:
        ValueError: it is neither a host name, nor `.suffix`, nor a network.
    """
    rule = rule.lower()
    if _network(rule) is None and not _HOST.fullmatch(rule.removeprefix(".")):
        raise ValueError("is not a host: write vault.internal, .internal or 10.0.0.0/8")
    return rule.rstrip(".")


def read_ca_file(file: str) -> str:
    """Check a PEM file with certificate authorities, and return its path.

    Raises:
        ValueError: it cannot be used; the text gives the reason.
    """
    # Imported here, because commands that make no connection read settings as well.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError:
        raise ValueError(
            f"{file} is not a PEM file of certificates: it must hold -----BEGIN CERTIFICATE----- "
            "(convert DER with openssl x509 -inform der)"
        ) from None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("holds a zero byte: remove it") from None
    if not context.cert_store_stats()["x509"]:
        raise ValueError(f"{file} contains no certificate")
    return file


def ignored_variables(environment: Mapping[str, str], route: OutgoingRoute) -> list[str]:
    """Return the names of variables that other programs obey and paraph ignores.

    Args:
        environment: the variables of this process.
        route: its settings replace the variables of the same purpose.
    """
    names = [
        *(() if route.proxy else PROXY_VARIABLES),
        *(() if route.ca_file else TRUST_VARIABLES),
    ]
    return [
        name
        for known in names
        for name in dict.fromkeys((known, known.lower()))
        if environment.get(name)
    ]


@lru_cache(maxsize=4)
def _trusting(ca_file: str) -> ssl.SSLContext:
    """Build and cache the context: loading the public authorities costs 30 ms of CPU."""
    import ssl

    import certifi

    context = ssl.create_default_context(cafile=ca_file or certifi.where())
    if ca_file:
        context.load_verify_locations(cafile=certifi.where())
    return context


def _covers(rule: str, host: str) -> bool:
    network = _network(rule)
    if network is not None:
        address = _address(host)
        return address is not None and address in network
    return host == rule or (rule.startswith(".") and host.endswith(rule))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_host(text: str) -> bool:
    return _address(text) is not None or _HOST.fullmatch(text) is not None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback
