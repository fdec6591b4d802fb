"""Calls Zoom's REST API for a host, so that no OAuth token leaves paraph.

Every attempt first checks that the installation is active, so a removal takes effect at once. The
rules for retries are here and in no other module:

- A refused access token: one refresh, then one more attempt, for any method. Zoom did not act on
  a request whose bearer token it refused.
- 429: wait and repeat if the method is idempotent and the wait is short. Otherwise forward the
  response with Retry-After in seconds, whichever of its three forms Zoom used.
- No response, 502, 503, 504: repeat a GET once. Zoom may have acted on anything else.

Only listed headers are forwarded, both ways, so no cookie, credential or hop-by-hop header can
slip through (RFC 9110 section 7.6.1).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from paraph.errors import ResourceErrorResponse, TransportError, UsageError
from paraph.lifecycle.active_access import Access, ActiveAccess
from paraph.lifecycle.context import Context
from paraph.oauth.messages import Response
from paraph.remote.streaming import Headers, StreamedRequest, StreamedResponse, StreamLimits
from paraph.remote.transport import Transport
from paraph.zoom.api_errors import ApiErrorKind, kind_of_response, parse_rate_limit
from paraph.zoom.api_path import PermittedCall

IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
LONGEST_WAIT = 5.0
WAITS = 2
DEFAULT_LIMITS = StreamLimits()
_PAUSE = 0.2
_ERROR_BYTES = 64 * 1024

_TO_ZOOM = frozenset(
    {"accept", "accept-language", "content-type", "if-match", "if-none-match", "range"}
)
_FROM_ZOOM = frozenset(
    {
        *("content-type", "content-length", "content-encoding", "content-disposition"),
        *("content-language", "content-range", "accept-ranges", "etag", "last-modified"),
        *("x-ratelimit-category", "x-ratelimit-type", "x-ratelimit-limit"),
        *("x-ratelimit-remaining", "x-ratelimit-reset", "x-zm-trackingid"),
    }
)
_TOKEN_KINDS = frozenset({ApiErrorKind.ACCESS_TOKEN_EXPIRED, ApiErrorKind.ACCESS_TOKEN_INVALID})


@dataclass(frozen=True, slots=True)
class HostCall:
    """A call that a host requests: a permitted method and path, with headers and body.

    A body that is still arriving can be sent only once, so such a call is not retried.
    """

    call: PermittedCall
    headers: Headers
    body: bytes | AsyncIterator[bytes]

    @property
    def repeatable(self) -> bool:
        """True if the whole body has arrived."""
        return isinstance(self.body, bytes)


@dataclass(frozen=True, slots=True)
class ForwardedResponse:
    """Zoom's response as the host gets it.

    Example:
        async with zoom.installation("acct_42").stream("GET", "/users/me") as passed:
            assert passed.status == 200
    """

    status: int
    headers: Headers
    response: StreamedResponse

    @property
    def answer(self) -> StreamedResponse:
        """The response by its name of version 0.1, kept for one version."""
        return self.response


@dataclass(slots=True)
class _Tries:
    refreshed: bool = False
    repeated: bool = False
    waits: int = 0

    def may_repeat(self, call: HostCall) -> bool:
        """Return True if a call without a response is repeated: a GET, once."""
        if self.repeated or call.call.method != "GET" or not call.repeatable:
            return False
        self.repeated = True
        return True


class ResourceCaller:
    """Makes calls of Zoom's REST API for installations.

    Args:
        context: the app's clock and the allowed API hosts.
        access: checks that installations are active, and keeps their access tokens valid.
        transport: sends the requests.
        limits: the time and size limits of one exchange.
        sleep: waits, for a rate limit.
    """

    def __init__(
        self,
        context: Context,
        access: ActiveAccess,
        transport: Transport,
        *,
        limits: StreamLimits = DEFAULT_LIMITS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._context = context
        self._access = access
        self._transport = transport
        self._limits = limits
        self._sleep = sleep

    @asynccontextmanager
    async def call(
        self,
        installation_id: str,
        call: HostCall,
        *,
        subject: str | None = None,
        subject_prefix: str = "",
    ) -> AsyncIterator[ForwardedResponse]:
        """Make a call. Return Zoom's final response of any status, while its body arrives.

        Raises:
            UsageError: a header to forward is not visible ASCII.
            NotFound, NeedsReauthorization, BeingDecided: see `ActiveAccess.current`.
            ResourceErrorResponse: Zoom refused the new access token as well.
            TransportError: there was no response; a GET was tried twice.
        """
        _demand_plain(call.headers)
        tries = _Tries()
        while True:
            access = await self._access.current(
                installation_id, subject=subject, subject_prefix=subject_prefix
            )
            passed = False
            try:
                async with self._transport.stream(
                    self._request(access, call), limits=self._limits
                ) as response:
                    wait = await self._next_wait(access, call, response, tries)
                    if wait is None:
                        passed = True
                        yield ForwardedResponse(response.status, self._headers(response), response)
                        return
            except TransportError:
                if passed or not tries.may_repeat(call):
                    raise
                wait = _PAUSE
            await self._sleep(wait)

    async def _next_wait(
        self, access: Access, call: HostCall, response: StreamedResponse, tries: _Tries
    ) -> float | None:
        """Return the seconds to wait before a repetition; None to forward this response."""
        if response.status == 429:
            return self._wait_of(call, response, tries)
        if response.status in {502, 503, 504}:
            return _PAUSE if tries.may_repeat(call) else None
        if response.status not in {400, 401, 403}:
            return None
        beginning = await response.beginning(_ERROR_BYTES)
        kind = kind_of_response(Response(response.status, response.headers, beginning))
        if kind not in _TOKEN_KINDS:
            return None
        if tries.refreshed or not call.repeatable:
            # Not forwarded: the host would read a 401 as a refusal of its own credential.
            raise ResourceErrorResponse(response.status, kind)
        tries.refreshed = True
        await self._access.renew(access)
        return 0.0

    def _wait_of(self, call: HostCall, response: StreamedResponse, tries: _Tries) -> float | None:
        wait = self._retry_after(response)
        if wait is None or wait > LONGEST_WAIT or tries.waits >= WAITS:
            return None
        if call.call.method not in IDEMPOTENT or not call.repeatable:
            return None
        tries.waits += 1
        return max(wait, _PAUSE)

    def _retry_after(self, response: StreamedResponse) -> float | None:
        now = self._context.clock()
        limits = parse_rate_limit(Response(response.status, response.headers, b""), now=now)
        return None if limits is None or limits.retry_at is None else limits.retry_at - now

    def _headers(self, response: StreamedResponse) -> Headers:
        kept = tuple((name, value) for name, value in response.headers if name in _FROM_ZOOM)
        wait = self._retry_after(response) if response.status in {429, 503} else None
        return kept if wait is None else (*kept, ("retry-after", str(math.ceil(wait))))

    def _request(self, access: Access, call: HostCall) -> StreamedRequest:
        # The settings may have changed since the grant was written: only current hosts count.
        server = self._context.resource_server.server_for(access.api_server)
        # A body that is still arriving is sent with the length that the host announced.
        wanted = _TO_ZOOM if call.repeatable else _TO_ZOOM | {"content-length"}
        kept = tuple((name, value) for name, value in call.headers if name in wanted)
        return StreamedRequest(
            call.call.method,
            f"{server}{call.call.target}",
            (*kept, ("authorization", f"Bearer {access.access_token.reveal()}")),
            call.body,
        )


def _demand_plain(headers: Headers) -> None:
    """Refuse header values that libraries read differently: anything but visible ASCII."""
    for name, value in headers:
        if name in _TO_ZOOM and not (value.isascii() and value.replace("\t", " ").isprintable()):
            raise UsageError(
                f"the header {name} contains characters other than visible ASCII",
                remedy="Send only letters, digits and punctuation in headers.",
            )
