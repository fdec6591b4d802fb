"""Rules for every request that is sent with httpx: arguments, accepted responses, exceptions."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from paraph.errors import TransportError
from paraph.outgoing.failure import Cause, cause_of, failure, proxy_cause
from paraph.outgoing.route import OutgoingRoute

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 4.0
USER_AGENT = "paraph"
HEADERS = {"user-agent": USER_AGENT, "accept-encoding": "identity"}


def client_arguments(
    route: OutgoingRoute, origins: Iterable[str], *, verify: ssl.SSLContext | None = None
) -> dict[str, Any]:
    """Return the arguments of `httpx.Client` and `httpx.AsyncClient` that every caller needs.

    The environment is not read, no redirect is followed, and TLS always verifies.

    Args:
        route: the route.
        origins: all origins that the client will request; each may use the proxy or not.
        verify: the TLS context of a peer that has authorities of its own.
    """
    # Imported for the first client: many processes never send a request.
    import httpx

    arguments: dict[str, Any] = {
        "verify": verify or route.tls(),
        "trust_env": False,
        "follow_redirects": False,
    }
    direct = [origin for origin in origins if route.proxy_for(origin) is None]
    if route.proxy is not None:
        arguments["proxy"] = httpx.Proxy(
            str(route.proxy),
            headers={"proxy-authorization": route.proxy.authorization}
            if route.proxy.authorization
            else None,
        )
        # No transport here: the default one is direct.
        arguments["mounts"] = dict.fromkeys(direct)
    return arguments


def timeout_of(seconds: float) -> httpx.Timeout:
    """Return the timeouts of one step. Connecting ends first, so that the causes stay distinct."""
    import httpx

    return httpx.Timeout(seconds, connect=connect_seconds(seconds))


def connect_seconds(seconds: float) -> float:
    """Return the timeout of connecting, for a request with this timeout in all."""
    return min(CONNECT_SECONDS, seconds * 2 / 3)


def headers_of(response: httpx.Response) -> tuple[tuple[str, str], ...]:
    """Return all headers: names in lower case, repeated ones as often as they were sent."""
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in response.headers.raw
    )


class BoundedBody:
    """The body of a response of the protocol, read up to a limit.

    A redirect is refused, because a redirected token request would carry the client secret along
    (RFC 9700 section 4.12). Nothing is decompressed: a small response must not become large.

    Raises:
        TransportError: the response is a redirect, is compressed, or exceeds the limit.
    """

    def __init__(self, response: httpx.Response, *, origin: str, limit: int) -> None:
        if 300 <= response.status_code < 400:
            raise failure(Cause.REDIRECT, peer=origin)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise failure(Cause.RESPONSE_COMPRESSED, peer=origin)
        self._origin = origin
        self._limit = limit
        self._read = bytearray()

    def add(self, piece: bytes) -> None:
        """Add the next piece."""
        self._read += piece
        if len(self._read) > self._limit:
            raise failure(Cause.RESPONSE_TOO_LARGE, peer=self._origin, extra="one mebibyte")

    def whole(self) -> bytes:
        """Return the body."""
        return bytes(self._read)


def failure_of(
    error: httpx.HTTPError,
    *,
    origin: str,
    route: OutgoingRoute,
    seconds: float,
    trust: str = "ca_file",
) -> TransportError:
    """Return the error for an exception of httpx.

    Args:
        error: the exception; its text may quote the URL and is not repeated.
        origin: the requested origin.
        route: the route of the request.
        seconds: the timeout of the step that failed.
        trust: the setting that names the certificate authorities for this peer.
    """
    proxy = route.proxy_for(origin)
    cause, extra = _cause(error, proxied=proxy is not None, tls=origin.startswith("https:"))
    return failure(cause, peer=origin, proxy=proxy, seconds=seconds, extra=extra, trust=trust)


def _cause(error: httpx.HTTPError, *, proxied: bool, tls: bool) -> tuple[Cause, str]:
    import httpx

    if isinstance(error, httpx.ProxyError):
        # "407 Proxy Authentication Required": the words after the number are the proxy's own.
        status = str(error)[:3]
        return (
            (proxy_cause(int(status)), status)
            if status.isdecimal()
            else (Cause.PROXY_UNREACHABLE, "")
        )
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return Cause.CONNECT_TIMEOUT, ""
    if isinstance(error, httpx.TimeoutException):
        return Cause.READ_TIMEOUT, ""
    if isinstance(error, httpx.ConnectError):
        return cause_of(error, proxied=proxied, tls=tls)
    return Cause.RESPONSE_INCOMPLETE, ""
