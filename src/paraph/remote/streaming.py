"""Requests and responses that are forwarded piece by piece, and their limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paraph.errors import ResponseTooLarge
from paraph.outgoing.http_client import headers_of

if TYPE_CHECKING:
    import httpx

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The limits of one streamed exchange.

    Attributes:
        first_byte: seconds until the response's headers.
        between: seconds without a single byte, in either direction.
        whole: seconds for everything.
        response_bytes: the size of the response's body.
    """

    first_byte: float = 30.0
    between: float = 15.0
    whole: float = 300.0
    response_bytes: int = 64 << 20


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
        response: httpx.Response,
        *,
        limit: int,
        own_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._response = response
        self._limit = limit
        self._own_errors = own_errors
        self._begun = b""
        self._pieces: AsyncIterator[bytes] = response.aiter_raw()
        self.status = response.status_code
        self.headers = headers_of(response)

    async def beginning(self, size: int) -> bytes:
        """Return the first bytes of the body; `pieces` yields them again.

        Args:
            size: the least number of bytes, if the body has that many.

        Raises:
            TransportError: the connection broke off.
        """
        with self._own_errors():
            while len(self._begun) < size and (piece := await anext(self._pieces, b"")):
                self._begun += piece
        return self._begun

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the whole body, once.

        Raises:
            ResponseTooLarge: it exceeds the limit; the part already forwarded stays incomplete.
            TransportError: the connection broke off.
        """
        passed = len(self._begun)
        if self._begun:
            yield self._begun
        with self._own_errors():
            async for piece in self._pieces:
                passed += len(piece)
                if passed > self._limit:
                    raise ResponseTooLarge("a response was longer than the limit")
                yield piece
