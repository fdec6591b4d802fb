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
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import httpx

from paraph.errors import AnswerTooLarge, TransportError
from paraph.oauth.messages import MAX_RESPONSE_BODY_BYTES, Request, Response
from paraph.outgoing.failure import Cause, failure
from paraph.outgoing.http_client import client_arguments, failure_of
from paraph.outgoing.route import DIRECT, OutgoingRoute, origin_of
from paraph.remote.failure_log import FailureLog

DEADLINE_SECONDS = 6.0
CONNECT_SECONDS = 4.0
USER_AGENT = "paraph"

Headers = tuple[tuple[str, str], ...]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The limits of one streamed exchange.

    Attributes:
        first_byte: seconds until the response's headers.
        between: seconds without a single byte, in either direction.
        whole: seconds for everything.
        answer_bytes: the size of the response's body.
    """

    first_byte: float = 30.0
    between: float = 15.0
    whole: float = 300.0
    answer_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class StreamedRequest:
    """A request whose body may still be arriving. Its repr shows none of its content."""

    method: str
    url: str
    headers: Headers
    body: bytes | AsyncIterator[bytes]

    def __repr__(self) -> str:
        return f"StreamedRequest({self.method} {self.url.partition('?')[0]})"


class StreamedResponse:
    """A response whose body is still arriving."""

    def __init__(
        self,
        answer: httpx.Response,
        *,
        limit: int,
        own_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._answer = answer
        self._limit = limit
        self._own_errors = own_errors
        self._begun = b""
        self._pieces: AsyncIterator[bytes] = answer.aiter_raw()
        self.status = answer.status_code
        self.headers = _headers_of(answer)

    async def beginning(self, size: int) -> bytes:
        """Return the first bytes of the body, at least `size`; `pieces` yields them again."""
        with self._own_errors():
            while len(self._begun) < size and (piece := await anext(self._pieces, b"")):
                self._begun += piece
        return self._begun

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the whole body, once.

        Raises:
            AnswerTooLarge: it exceeds the limit; the part already forwarded stays incomplete.
            TransportError: the connection broke off.
        """
        passed = len(self._begun)
        if self._begun:
            yield self._begun
        with self._own_errors():
            async for piece in self._pieces:
                passed += len(piece)
                if passed > self._limit:
                    raise AnswerTooLarge("an answer was longer than what is passed on")
                yield piece


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
        self._http = self._client(deadline)
        self._streams: httpx.AsyncClient | None = None

    def _client(self, seconds: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            **client_arguments(self._route, self._origins, verify=self._verify),
            timeout=httpx.Timeout(seconds, connect=_connect_seconds(seconds)),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
        )

    async def send(self, request: Request) -> Response:
        """Send one request and return its response, whatever its status.

        Raises:
            TransportError: no connection, no TLS, a timeout, a redirect, a body that is too large
                or compressed, or an origin that is not on the list.
        """
        origin = self._origin_of(request.url)
        with self._own_errors(origin, self._deadline):
            async with asyncio.timeout(self._deadline):
                response = await self._exchange(request, origin)
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
        try:
            yield
        except httpx.HTTPError as error:
            connecting = isinstance(error, httpx.ConnectTimeout)
            own = failure_of(
                error,
                origin=origin,
                route=self._route,
                seconds=_connect_seconds(seconds) if connecting else seconds,
                trust=self._trust,
            )
            self.failures.note(own, peer=origin)
            raise own from None
        except TimeoutError:
            raise self._timed_out(origin, seconds) from None
        except TransportError as error:
            self.failures.note(error, peer=origin)
            raise

    def _timed_out(self, origin: str, seconds: float) -> TransportError:
        proxy = self._route.proxy_for(origin)
        error = failure(
            Cause.READ_TIMEOUT,
            peer=origin,
            proxy="" if proxy is None else str(proxy),
            seconds=seconds,
        )
        self.failures.note(error, peer=origin)
        return error

    async def _exchange(self, request: Request, origin: str) -> Response:
        async with self._http.stream(
            request.method,
            request.url,
            headers=list(request.headers),
            content=request.body or None,
        ) as answer:
            if 300 <= answer.status_code < 400:
                raise failure(Cause.REDIRECT, peer=origin)
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise failure(Cause.RESPONSE_COMPRESSED, peer=origin)
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_RESPONSE_BODY_BYTES:
                    raise failure(Cause.RESPONSE_TOO_LARGE, peer=origin, extra="one mebibyte")
            return Response(answer.status_code, _headers_of(answer), bytes(body))

    @asynccontextmanager
    async def stream(
        self, request: StreamedRequest, *, limits: StreamLimits
    ) -> AsyncIterator[StreamedResponse]:
        """Send one request and yield its response, whatever its status, while it arrives.

        Raises:
            AnswerTooLarge: it announces a body that exceeds the limit.
            TransportError: as for `send`; also while the body is read.
        """
        origin = self._origin_of(request.url)
        if self._streams is None:
            self._streams = self._client(limits.between)
        outgoing = self._streams.build_request(
            request.method, request.url, headers=list(request.headers), content=request.body or None
        )
        if str(outgoing.url) != request.url:
            # The library would send another spelling than the one that was checked.
            raise TransportError("a URL is not in the form that the HTTP client sends")
        try:
            async with asyncio.timeout(limits.whole):
                answer = await self._begin(self._streams, outgoing, origin, limits)
                try:
                    yield StreamedResponse(
                        answer,
                        limit=limits.answer_bytes,
                        own_errors=partial(self._own_errors, origin, limits.between),
                    )
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise self._timed_out(origin, limits.whole) from None

    async def _begin(
        self, client: httpx.AsyncClient, outgoing: httpx.Request, origin: str, limits: StreamLimits
    ) -> httpx.Response:
        """Send a request and return the checked head; the body is still arriving."""
        with self._own_errors(origin, limits.first_byte):
            async with asyncio.timeout(limits.first_byte):
                answer = await client.send(outgoing, stream=True)
            try:
                self._observe_head(answer)
                if answer.has_redirect_location:
                    raise failure(Cause.REDIRECT, peer=origin)
                if _announced(answer) > limits.answer_bytes:
                    raise AnswerTooLarge("an answer announces more than what is passed on")
            except TransportError:
                await answer.aclose()
                raise
            return answer

    def _observe_head(self, answer: httpx.Response) -> None:
        if self._observe is not None:
            self._observe(Response(answer.status_code, _headers_of(answer), b""))

    async def drive(self, flow: Generator[Request, Response, Result]) -> Result:
        """Run a multi-step exchange: send each yielded request and return its response to it."""
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
        await self._http.aclose()
        if self._streams is not None:
            await self._streams.aclose()


def _connect_seconds(seconds: float) -> float:
    """Return the timeout of connecting: shorter than the whole, so that causes stay distinct."""
    return min(CONNECT_SECONDS, seconds * 2 / 3)


def _announced(answer: httpx.Response) -> int:
    """Return the announced length of a body; a 304 never has a body, whatever it announces."""
    return 0 if answer.status_code == 304 else int(answer.headers.get("content-length", "0"))


def _headers_of(answer: httpx.Response) -> Headers:
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in answer.headers.raw
    )
