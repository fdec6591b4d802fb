"""Calling Zoom's REST API for a host, so that no OAuth token leaves.

Every attempt proves the installation active first, so a removal counts at once. What is tried
again, and when, is decided here and nowhere else:

- A refused access token: one refresh, then once more, whatever the method: a request whose
  bearer was refused was not acted on.
- 429: waited for and repeated if the method is idempotent and the wait is short; else passed on
  with Retry-After in seconds, whichever of its three styles Zoom had used.
- No answer, 502, 503, 504: a GET once more. Anything else may have been acted on.

Headers pass by name, both ways: what this module does not know stays behind, so no cookie,
credential or hop-by-hop header can slip through (RFC 9110 section 7.6.1).
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
from paraph.remote.transport import (
    Headers,
    StreamedRequest,
    StreamedResponse,
    StreamLimits,
    Transport,
)
from paraph.zoom.api_errors import ApiErrorKind, kind_of_answer, parse_rate_limit
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
    """What a host asks to be sent: a permitted call with its headers and body.

    A body that is still arriving can be sent once only, so nothing is tried again then.
    """

    call: PermittedCall
    headers: Headers
    body: bytes | AsyncIterator[bytes]

    @property
    def repeatable(self) -> bool:
        """Whether the body is here as a whole."""
        return isinstance(self.body, bytes)


@dataclass(frozen=True, slots=True)
class PassedOn:
    """Zoom's answer as the host gets it."""

    status: int
    headers: Headers
    answer: StreamedResponse


@dataclass(slots=True)
class _Tries:
    refreshed: bool = False
    repeated: bool = False
    waits: int = 0

    def may_repeat(self, call: HostCall) -> bool:
        """Whether a call without an answer is made again: a GET, once."""
        if self.repeated or call.call.method != "GET" or not call.repeatable:
            return False
        self.repeated = True
        return True


class ResourceCaller:
    """Makes calls of Zoom's REST API for installations.

    Args:
        context: see there.
        access: proves installations active and keeps their access tokens valid.
        transport: the door.
        limits: time and size of one exchange.
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
    ) -> AsyncIterator[PassedOn]:
        """Make a call; Zoom's final answer of any status, while it arrives.

        Raises:
            UsageError: a header that would be passed on is not visible ASCII.
            NotFound, NeedsReauthorization, BeingDecided: as for `ActiveAccess.current`.
            ResourceErrorResponse: Zoom refuses the fresh access token as well.
            TransportError: no answer; a GET was tried twice.
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
                ) as answer:
                    wait = await self._judge(access, call, answer, tries)
                    if wait is None:
                        passed = True
                        yield PassedOn(answer.status, self._headers(answer), answer)
                        return
            except TransportError:
                if passed or not tries.may_repeat(call):
                    raise
                wait = _PAUSE
            await self._sleep(wait)

    async def _judge(
        self, access: Access, call: HostCall, answer: StreamedResponse, tries: _Tries
    ) -> float | None:
        """Seconds to wait before the call is made again; None to pass this answer on."""
        if answer.status == 429:
            return self._wait_of(call, answer, tries)
        if answer.status in {502, 503, 504}:
            return _PAUSE if tries.may_repeat(call) else None
        if answer.status not in {400, 401, 403}:
            return None
        beginning = await answer.beginning(_ERROR_BYTES)
        kind = kind_of_answer(Response(answer.status, answer.headers, beginning))
        if kind not in _TOKEN_KINDS:
            return None
        if tries.refreshed or not call.repeatable:
            # Not passed on: to the host a 401 would mean its own credential.
            raise ResourceErrorResponse(answer.status, kind)
        tries.refreshed = True
        await self._access.renew(access)
        return 0.0

    def _wait_of(self, call: HostCall, answer: StreamedResponse, tries: _Tries) -> float | None:
        wait = self._retry_after(answer)
        if wait is None or wait > LONGEST_WAIT or tries.waits >= WAITS:
            return None
        if call.call.method not in IDEMPOTENT or not call.repeatable:
            return None
        tries.waits += 1
        return max(wait, _PAUSE)

    def _retry_after(self, answer: StreamedResponse) -> float | None:
        now = self._context.clock()
        limits = parse_rate_limit(Response(answer.status, answer.headers, b""), now=now)
        return None if limits is None or limits.retry_at is None else limits.retry_at - now

    def _headers(self, answer: StreamedResponse) -> Headers:
        kept = tuple((name, value) for name, value in answer.headers if name in _FROM_ZOOM)
        wait = self._retry_after(answer) if answer.status in {429, 503} else None
        return kept if wait is None else (*kept, ("retry-after", str(math.ceil(wait))))

    def _request(self, access: Access, call: HostCall) -> StreamedRequest:
        # The settings may have changed since the grant was written: only today's hosts count.
        server = self._context.resource_server.server_for(access.api_server)
        # A body that is still arriving goes out under the length that was announced for it.
        wanted = _TO_ZOOM if call.repeatable else _TO_ZOOM | {"content-length"}
        kept = tuple((name, value) for name, value in call.headers if name in wanted)
        return StreamedRequest(
            call.call.method,
            f"{server}{call.call.target}",
            (*kept, ("authorization", f"Bearer {access.access_token.reveal()}")),
            call.body,
        )


def _demand_plain(headers: Headers) -> None:
    """What every library on the way reads alike; other bytes mean one thing here, another there."""
    for name, value in headers:
        if name in _TO_ZOOM and not (value.isascii() and value.replace("\t", " ").isprintable()):
            raise UsageError(
                f"the header {name} holds what is not visible ASCII",
                remedy="Send only letters, digits and punctuation in headers.",
            )
