"""The route of outgoing connections: a proxy or none, and the certificate authorities.

The environment is never asked. `HTTPS_PROXY` and `SSL_CERT_FILE` reach every process that a
shell starts: a person who sets them can read each secret that is sent. Settings name both instead.
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

# Programs obey these variables; here they are only told about.
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

_FORM = "write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class OutgoingProxy:
    """An HTTP proxy that is asked by CONNECT. Its text never shows the credentials.

    Attributes:
        host: name or address; IPv6 without brackets.
        port: its port.
        username: "" where it asks for no credentials.
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
        proxy: the proxy; None: connections are direct.
        bypass: hosts that are reached directly: names, `.suffix` for all names below, networks.
        ca_file: a PEM file with certificate authorities, beside the public ones; "": no more.
    """

    proxy: OutgoingProxy | None = None
    bypass: tuple[str, ...] = ()
    ca_file: str = ""

    def proxy_for(self, url: str) -> OutgoingProxy | None:
        """The proxy for a URL; None where it is reached directly.

        Loopback is always direct: for a proxy on another machine it would be another service.
        """
        host = (urlsplit(url).hostname or "").rstrip(".")
        if self.proxy is None or _is_loopback(host):
            return None
        return None if any(_covers(rule, host) for rule in self.bypass) else self.proxy

    def tls(self) -> ssl.SSLContext:
        """TLS that trusts the public certificate authorities and those of `ca_file`."""
        return _trusting(self.ca_file)


DIRECT = OutgoingRoute()


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL; its path may hold a secret of the host's."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def parse_proxy(text: str) -> OutgoingProxy:
    """Read a proxy's URL.

    Raises:
        ValueError: it cannot be used; the words say why and never repeat the value.
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
    """Read an entry of the bypass list, in lower case.

    Raises:
        ValueError: it is neither a host name, nor `.suffix`, nor a network.
    """
    rule = rule.lower()
    if _network(rule) is None and not _HOST.fullmatch(rule.removeprefix(".")):
        raise ValueError("is no host: write vault.internal, .internal or 10.0.0.0/8")
    return rule.rstrip(".")


def read_ca_file(file: str) -> str:
    """The path of a PEM file with certificate authorities.

    Raises:
        ValueError: it cannot be used; the words say why.
    """
    # Only here: commands that make no connection read settings as well.
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
        raise ValueError(f"{file} holds no certificate")
    return file


def ignored_variables(environment: Mapping[str, str], route: OutgoingRoute) -> list[str]:
    """Names of variables that other programs obey and that have no effect here.

    Args:
        environment: the variables of this process.
        route: a setting that is given takes the place of its variables.
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
    """Loading the public authorities costs 30 ms of CPU, once for each file."""
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
