"""The simulator's outgoing HTTP requests to apps, sent unchanged.

No cookies are kept, no redirect is followed, no proxy is used; responses are read up to a bound.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx

MAX_RESPONSE = 64 * 1024

Pairs = Sequence[tuple[str, str]]


class UnreachableError(Exception):
    """No response was received; the text says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response, its body cut after 64 KiB."""

    status: int
    headers: Pairs
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Outgoing:
    """Sends requests over kept connections.

    Each request has its own transport while it is under way. A single pool of many connections
    scans all of them for every request, which costs more than the request.
    """

    def __init__(self) -> None:
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, method: str, url: str, headers: Pairs, content: bytes | AsyncIterator[bytes] = b""
    ) -> Reply:
        """Send one request, unchanged; the caller sets the timeout.

        Args:
            method: the HTTP method.
            url: an http or https URL.
            headers: the headers, in this order; a name may be repeated.
            content: the body, at once or in pieces.

        Raises:
            UnreachableError: the URL is malformed, or no server answered.
        """
        try:
            return await self._send(_request(method, url, headers, content))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            refused = " (-2)" if isinstance(error, httpx.ConnectError) else ""
            raise UnreachableError(f"not reached: {type(error).__name__}{refused}") from None

    async def close(self) -> None:
        """Close all connections."""
        while self._idle:
            await self._idle.pop().aclose()

    async def _send(self, request: httpx.Request) -> Reply:
        transport = self._idle.pop() if self._idle else self._new_transport()
        try:
            return await _exchange(transport, request)
        finally:
            self._idle.append(transport)

    def _new_transport(self) -> httpx.AsyncHTTPTransport:
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        # Shorter than any server's keep-alive, so that no connection is used while it ends.
        limits = httpx.Limits(max_connections=1, keepalive_expiry=2.0)
        return httpx.AsyncHTTPTransport(verify=self._tls, limits=limits)


async def _exchange(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> Reply:
    response = await transport.handle_async_request(request)
    body = bytearray()
    try:
        async for piece in response.aiter_raw():
            body += piece
            if len(body) >= MAX_RESPONSE:
                break
    finally:
        with suppress(httpx.HTTPError):
            await response.aclose()
    pairs = response.headers.multi_items()
    return Reply(response.status_code, pairs, bytes(body[:MAX_RESPONSE]))


def _request(
    method: str, url: str, headers: Pairs, content: bytes | AsyncIterator[bytes]
) -> httpx.Request:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    request = httpx.Request(method, url, headers=encoded, content=content)
    target = request.url
    if target.scheme not in {"http", "https"} or not target.host or (target.port or 0) > 65_535:
        raise httpx.InvalidURL("not an http or https URL")
    return request
