"""httpx over a route: its arguments, and the causes of its exceptions."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpx

from paraph.errors import TransportError
from paraph.outgoing.failure import Cause, cause_of, failure, proxy_cause
from paraph.outgoing.route import OutgoingRoute


def client_arguments(
    route: OutgoingRoute, origins: Iterable[str], *, verify: ssl.SSLContext | None = None
) -> dict[str, Any]:
    """Arguments of `httpx.Client` and `httpx.AsyncClient` that every caller needs.

    The environment is not asked, no redirect is followed, and TLS always verifies.

    Args:
        route: the route.
        origins: all that the client will be asked for; each has its own decision.
        verify: TLS for a peer that has authorities of its own.
    """
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
        # No transport of its own: the usual one, which is direct.
        arguments["mounts"] = dict.fromkeys(direct)
    return arguments


def failure_of(
    error: httpx.HTTPError,
    *,
    origin: str,
    route: OutgoingRoute,
    seconds: float,
    trust: str = "ca_file",
) -> TransportError:
    """The error for an exception of httpx.

    Args:
        error: the exception; its own words may quote the URL and are not repeated.
        origin: the origin that was asked.
        route: the route of the request.
        seconds: the timeout of the step that failed.
        trust: the setting that names the certificate authorities for this peer.
    """
    proxy = route.proxy_for(origin)
    cause, extra = _cause(error, proxied=proxy is not None, tls=origin.startswith("https:"))
    return failure(
        cause,
        peer=origin,
        proxy="" if proxy is None else str(proxy),
        seconds=seconds,
        extra=extra,
        trust=trust,
    )


def _cause(error: httpx.HTTPError, *, proxied: bool, tls: bool) -> tuple[Cause, str]:
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
