"""The one HTTP door towards Zoom.

What every request through it has in common, so that no caller can forget it:
fixed hosts only, no redirects (a redirected token request would carry the secret along,
RFC 9700 section 4.12), no proxies from the environment, one deadline for the whole exchange,
at most one mebibyte read, nothing decompressed (a small answer cannot become a large one).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

from paraph.errors import TransportError
from paraph.oauth.messages import MAX_RESPONSE_BODY_BYTES, Request, Response

DEADLINE_SECONDS = 6.0
USER_AGENT = "paraph"

Result = TypeVar("Result")


class Transport:
    """Sends requests of the pure core and brings back what came.

    Args:
        origins: the only ones that anything is sent to, like "https://zoom.us".
        deadline: seconds for one request from connecting to the last byte.
        observe: told of every response, for what a whole service learns from them (clock skew).
    """

    def __init__(
        self,
        origins: Iterable[str],
        *,
        deadline: float = DEADLINE_SECONDS,
        verify: ssl.SSLContext | None = None,
        observe: Callable[[Response], None] | None = None,
    ) -> None:
        self._origins = frozenset(origins)
        self._deadline = deadline
        self._observe = observe
        self._http = httpx.AsyncClient(
            verify=True if verify is None else verify,
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(deadline, connect=min(deadline, 4.0)),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
        )

    async def send(self, request: Request) -> Response:
        """One request, one response of any status.

        Raises:
            TransportError: no connection, no TLS, no answer in time, a redirect, a body that is
                too large or compressed, or an origin that is not on the list.
        """
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._origins:
            raise TransportError("a request was about to leave for a host that is not configured")
        try:
            async with asyncio.timeout(self._deadline):
                response = await self._exchange(request)
        except TimeoutError:
            raise TransportError(f"{origin} did not answer in {self._deadline:g} s") from None
        except httpx.HTTPError as error:
            # The library's own words may quote the URL; its class says enough.
            raise TransportError(f"{origin}: {type(error).__name__}") from None
        if self._observe is not None:
            self._observe(response)
        return response

    async def _exchange(self, request: Request) -> Response:
        async with self._http.stream(
            request.method,
            request.url,
            headers=list(request.headers),
            content=request.body or None,
        ) as answer:
            if answer.is_redirect or 300 <= answer.status_code < 400:
                raise TransportError("the answer was a redirect, which is never followed")
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise TransportError("the answer was compressed although that was refused")
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_RESPONSE_BODY_BYTES:
                    raise TransportError("the answer was larger than one mebibyte")
            headers = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in answer.headers.raw
            )
            return Response(answer.status_code, headers, bytes(body))

    async def drive(self, flow: Generator[Request, Response, Result]) -> Result:
        """Run a multi-step exchange of the core: send what it yields, give back what comes."""
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
        """Let go of every connection."""
        await self._http.aclose()
