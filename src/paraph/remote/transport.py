"""The one HTTP transport towards Zoom.

Every request through it follows the same rules, so that no caller can omit one:

- Hosts are fixed, and redirects are refused: a redirected token request would carry the secret
  along (RFC 9700 section 4.12).
- The proxy comes from the settings, never from the environment.
- One deadline covers the whole exchange.
- The bytes read are limited, and nothing is decompressed: a small response must not become large.

`send` reads a whole response of at most one mebibyte, for the protocol. `stream` forwards a
response piece by piece, for calls that a host makes. Each has its own connections, so that slow
downloads of a host never delay a refresh.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from paraph.errors import ResponseTooLarge, TransportError
from paraph.oauth.messages import MAX_RESPONSE_BODY_BYTES, Request, Response
from paraph.outgoing.failure import Cause, failure
from paraph.outgoing.http_client import (
    HEADERS,
    BoundedBody,
    client_arguments,
    connect_seconds,
    failure_of,
    headers_of,
    timeout_of,
)
from paraph.outgoing.route import DIRECT, KEEP_ALIVE_SECONDS, OutgoingRoute, origin_of
from paraph.remote.failure_log import FailureLog
from paraph.remote.streaming import StreamedRequest, StreamedResponse, StreamLimits

if TYPE_CHECKING:
    import httpx

DEADLINE_SECONDS = 6.0

Result = TypeVar("Result")


class Transport:
    """Sends requests and returns the responses.

    Args:
        origins: the only allowed destinations, like "https://zoom.us".
        deadline: seconds for one request from connecting to the last byte.
        route: the proxy and the certificate authorities of the settings.
        verify: TLS for a peer with its own certificate authorities.
        trust: the setting that names the certificate authorities of these origins.
        observe: receives every response; used to measure the clock difference.

    Attributes:
        failures: logs and counts requests without a response.
    """

    def __init__(
        self,
        origins: Iterable[str],
        *,
        deadline: float = DEADLINE_SECONDS,
        route: OutgoingRoute = DIRECT,
        verify: ssl.SSLContext | None = None,
        trust: str = "ca_file",
        observe: Callable[[Response], None] | None = None,
    ) -> None:
        self._origins = frozenset(origins)
        self._deadline = deadline
        self._observe = observe
        self._route = route
        self._verify = verify
        self._trust = trust
        self.failures = FailureLog()
        # Made for the first request: the certificate authorities take 30 ms and 4 MB.
        self._whole: httpx.AsyncClient | None = None
        self._streams: httpx.AsyncClient | None = None

    def _client(self, seconds: float) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(
            **client_arguments(self._route, self._origins, verify=self._verify),
            timeout=timeout_of(seconds),
            limits=httpx.Limits(
                max_connections=64,
                max_keepalive_connections=16,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            ),
            headers=HEADERS,
        )

    async def send(self, request: Request) -> Response:
        """Send one request and return its response, whatever its status.

        Raises:
            TransportError: no connection, no TLS, a timeout, a redirect, a body that is too large
                or compressed, or an origin that is not on the list.
        """
        origin = self._origin_of(request.url)
        with self._own_errors(origin, self._deadline):
            if self._whole is None:
                # Before the deadline begins.
                self._whole = self._client(self._deadline)
            async with asyncio.timeout(self._deadline):
                response = await self._exchange(self._whole, request, origin)
        if self._observe is not None:
            self._observe(response)
        return response

    def _origin_of(self, url: str) -> str:
        origin = origin_of(url)
        if origin not in self._origins:
            raise TransportError("a request to a host that is not configured was stopped")
        return origin

    @contextmanager
    def _own_errors(self, origin: str, seconds: float) -> Iterator[None]:
        """Raise our own errors in place of the library's, and log each cause."""
        import httpx

        try:
            yield
        except httpx.HTTPError as error:
            connecting = isinstance(error, httpx.ConnectTimeout)
            own = failure_of(
                error,
                origin=origin,
                route=self._route,
                seconds=connect_seconds(seconds) if connecting else seconds,
                trust=self._trust,
            )
            self.failures.note(own, peer=origin)
            raise own from None
        except TimeoutError:
            raise self._timed_out(origin, seconds) from None
        except OSError as error:
            own = TransportError(
                f"a connection cannot be prepared: {type(error).__name__}",
                remedy=f"Check that the file of {self._trust} is there and can be read, and the"
                " number of open files.",
            )
            self.failures.note(own, peer=origin)
            raise own from None
        except TransportError as error:
            self.failures.note(error, peer=origin)
            raise

    def _timed_out(self, origin: str, seconds: float) -> TransportError:
        proxy = self._route.proxy_for(origin)
        error = failure(Cause.READ_TIMEOUT, peer=origin, proxy=proxy, seconds=seconds)
        self.failures.note(error, peer=origin)
        return error

    async def _exchange(self, client: httpx.AsyncClient, request: Request, origin: str) -> Response:
        async with client.stream(
            request.method,
            request.url,
            headers=list(request.headers),
            content=request.body or None,
        ) as response:
            body = BoundedBody(response, origin=origin, limit=MAX_RESPONSE_BODY_BYTES)
            async for piece in response.aiter_raw():
                body.add(piece)
            return Response(response.status_code, headers_of(response), body.whole())

    @asynccontextmanager
    async def stream(
        self, request: StreamedRequest, *, limits: StreamLimits
    ) -> AsyncIterator[StreamedResponse]:
        """Send one request and yield its response, whatever its status, while it arrives.

        Raises:
            ResponseTooLarge: it announces a body that exceeds the limit.
            TransportError: as for `send`; also while the body is read.
        """
        origin = self._origin_of(request.url)
        if self._streams is None:
            with self._own_errors(origin, limits.between):
                self._streams = self._client(limits.between)
        outgoing = self._streams.build_request(
            request.method, request.url, headers=list(request.headers), content=request.body or None
        )
        if str(outgoing.url) != request.url:
            # The library would send another spelling than the one that was checked.
            raise TransportError("a URL is not in the form that the HTTP client sends")
        try:
            async with asyncio.timeout(limits.whole):
                response = await self._begin(self._streams, outgoing, origin, limits)
                try:
                    yield StreamedResponse(
                        response,
                        limit=limits.response_bytes,
                        own_errors=partial(self._own_errors, origin, limits.between),
                    )
                finally:
                    await response.aclose()
        except TimeoutError:
            raise self._timed_out(origin, limits.whole) from None

    async def _begin(
        self, client: httpx.AsyncClient, outgoing: httpx.Request, origin: str, limits: StreamLimits
    ) -> httpx.Response:
        """Send a request and return the checked head; the body is still arriving."""
        with self._own_errors(origin, limits.first_byte):
            async with asyncio.timeout(limits.first_byte):
                response = await client.send(outgoing, stream=True)
            try:
                self._observe_head(response)
                if response.has_redirect_location:
                    raise failure(Cause.REDIRECT, peer=origin)
                if _announced(response) > limits.response_bytes:
                    raise ResponseTooLarge("a response announces more than the limit")
            except TransportError:
                await response.aclose()
                raise
            return response

    def _observe_head(self, response: httpx.Response) -> None:
        if self._observe is not None:
            self._observe(Response(response.status_code, headers_of(response), b""))

    async def drive(self, flow: Generator[Request, Response, Result]) -> Result:
        """Run a multi-step exchange: send each yielded request and return its response to it.

        Raises:
            TransportError: as for `send`. Errors that the exchange raises pass through.
        """
        try:
            request = next(flow)
            while True:
                request = flow.send(await self.send(request))
        except StopIteration as done:
            result: Result = done.value
            return result
        finally:
            flow.close()

    async def close(self) -> None:
        """Close every connection."""
        for client in (self._whole, self._streams):
            if client is not None:
                await client.aclose()


def _announced(response: httpx.Response) -> int:
    """Return the announced length of a body; a 304 never has a body, whatever it announces."""
    return 0 if response.status_code == 304 else int(response.headers.get("content-length", "0"))
