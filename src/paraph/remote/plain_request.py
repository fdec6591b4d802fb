"""One request whose response is returned as it is, redirects included: for probes.

The transport of the protocol refuses redirects. A probe looks at where one leads, and never
follows it.
"""

from __future__ import annotations

import asyncio
import ssl

import httpx

from paraph.oauth.messages import MAX_RESPONSE_BODY_BYTES, Request, Response
from paraph.outgoing.http_client import (
    HEADERS,
    client_arguments,
    failure_of,
    headers_of,
    timeout_of,
)
from paraph.outgoing.route import OutgoingRoute, origin_of

_SECONDS = 10.0


async def send_plain(
    request: Request, *, route: OutgoingRoute, verify: ssl.SSLContext | None = None
) -> Response:
    """Send one request and return its response, whatever its status; the body is cut.

    Args:
        request: the request.
        route: the proxy and the certificate authorities of the settings.
        verify: the TLS context of a peer with its own authorities.

    Raises:
        TransportError: there was no response.
    """
    origin = origin_of(request.url)
    client = httpx.AsyncClient(
        **client_arguments(route, [origin], verify=verify),
        timeout=timeout_of(_SECONDS),
        headers=HEADERS,
    )
    async with client:
        try:
            async with (
                asyncio.timeout(_SECONDS),
                client.stream(
                    request.method,
                    request.url,
                    headers=list(request.headers),
                    content=request.body or None,
                ) as response,
            ):
                body = b""
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > MAX_RESPONSE_BODY_BYTES:
                        break
                return Response(
                    response.status_code, headers_of(response), body[:MAX_RESPONSE_BODY_BYTES]
                )
        except (httpx.HTTPError, TimeoutError) as error:
            if not isinstance(error, httpx.HTTPError):
                error = httpx.ReadTimeout("")
            raise failure_of(error, origin=origin, route=route, seconds=_SECONDS) from None
