"""Causes of a forward that brought no response, read from the exceptions of aiohttp."""

from __future__ import annotations

import aiohttp

from paraph.errors import TransportError
from paraph.outgoing.failure import Cause, cause_of, failure, proxy_cause
from paraph.outgoing.route import OutgoingRoute


def failure_of(
    error: Exception, *, origin: str, route: OutgoingRoute, seconds: float
) -> TransportError:
    """The error for an exception of aiohttp, whose own words quote the host and are not repeated.

    Args:
        error: a `ClientError` or a `TimeoutError`.
        origin: the origin of the host's URL.
        route: the route of the request.
        seconds: the timeout of each step.
    """
    proxy = route.proxy_for(origin)
    cause, extra = _cause(error, proxied=proxy is not None, tls=origin.startswith("https:"))
    return failure(
        cause,
        peer=origin,
        proxy="" if proxy is None else str(proxy),
        seconds=seconds,
        extra=extra,
    )


def _cause(error: Exception, *, proxied: bool, tls: bool) -> tuple[Cause, str]:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_cause(error.status), str(error.status)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Cause.CONNECT_TIMEOUT, ""
    if isinstance(error, TimeoutError):
        return Cause.READ_TIMEOUT, ""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientSSLError):
        return cause_of(error, proxied=proxied, tls=tls)
    return Cause.RESPONSE_INCOMPLETE, ""
