"""Reads request bodies, with limits on bytes and on time.

Until its sender is known, a body may come from any sender. The first `FREE_BYTES` of a body count
against no shared limit: honest bodies are a few kilobytes, often in two pieces, and must always
pass. Longer bodies share one limit per address and one in total. When a limit is reached, the body
that has stalled longest ends, as if it had timed out. The newest is not refused.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from starlette.types import Receive, Scope

# No sender may occupy a slot for longer without sending anything.
READ_SECONDS = 10.0
FREE_BYTES = 64 << 10
MOST_BYTES = 64 << 20
MOST_BYTES_PER_ADDRESS = 16 << 20


class BodyError(Exception):
    """The body did not arrive as a whole."""


class BodyTooLong(BodyError):
    """The body is longer than this call allows."""


class BodyTooSlow(BodyError):
    """The body did not arrive in time."""


class CallerGone(BodyError):
    """The caller closed the connection."""


class _Reading:
    """A long body that is being read: its address, its deadline, and its counted bytes."""

    __slots__ = ("address", "counted", "deadline")

    def __init__(self, address: str, deadline: asyncio.Timeout) -> None:
        self.address = address
        self.deadline = deadline
        self.counted = 0


class _Share:
    """Long bodies that share a limit, and the bytes that they hold together.

    Ordered by waiting time: the body that has waited longest for its next piece comes first.
    """

    __slots__ = ("counted", "readings")

    def __init__(self) -> None:
        self.counted = 0
        self.readings: dict[_Reading, None] = {}

    def oldest_but(self, reading: _Reading) -> _Reading | None:
        """Return the first one other than this."""
        return next((one for one in self.readings if one is not reading), None)


class BodyReader:
    """Reads whole bodies, and counts the bytes that long bodies hold.

    Args:
        address_of: returns the client address that limits count by.
    """

    def __init__(self, address_of: Callable[[Scope], str] = lambda _scope: "") -> None:
        self._address_of = address_of
        self._all = _Share()
        self._by_address: dict[str, _Share] = {}

    async def read(self, receive: Receive, scope: Scope, *, limit: int, seconds: float) -> bytes:
        """Return the whole body.

        Args:
            receive: returns the messages of the request.
            scope: the ASGI scope of the request.
            limit: the number of bytes that the body may have.
            seconds: the time in which the whole body has to arrive.

        Raises:
            BodyTooLong, BodyTooSlow, CallerGone.
        """
        waiting = receive().__await__()
        try:
            first: Awaitable[Any] = _resumed(waiting, next(waiting))
        except StopIteration as arrived:
            message = arrived.value
            # Nearly every body has arrived in one piece, and a timer costs more than all of this.
            if message["type"] == "http.request" and not message.get("more_body", False):
                return _bounded(message.get("body", b""), limit)
            first = _returned(message)
        try:
            async with asyncio.timeout(seconds) as deadline:
                return await self._read_on(first, receive, scope, limit, deadline)
        except TimeoutError:
            # This body's own timeout, not a cancellation of the task, which still has to answer.
            raise BodyTooSlow from None

    async def _read_on(
        self,
        first: Awaitable[Any],
        receive: Receive,
        scope: Scope,
        limit: int,
        deadline: asyncio.Timeout,
    ) -> bytes:
        body = bytearray()
        long: _Reading | None = None
        try:
            message = await first
            while True:
                if message["type"] != "http.request":
                    raise CallerGone
                body += _bounded(message.get("body", b""), limit - len(body))
                if len(body) > FREE_BYTES:
                    if long is None:
                        long = self._begin(scope, deadline)
                    self._count(long, len(body) - FREE_BYTES)
                if not message.get("more_body", False):
                    return bytes(body)
                message = await receive()
        finally:
            if long is not None:
                self._end(long)

    def _begin(self, scope: Scope, deadline: asyncio.Timeout) -> _Reading:
        reading = _Reading(self._address_of(scope), deadline)
        self._all.readings[reading] = None
        self._by_address.setdefault(reading.address, _Share()).readings[reading] = None
        return reading

    def _count(self, reading: _Reading, counted: int) -> None:
        """Record the bytes that a body holds, and end stalled bodies if a limit is exceeded.

        Raises:
            BodyTooSlow: another body has ended this one, and its task runs before its timeout.
        """
        if reading not in self._all.readings:
            raise BodyTooSlow
        more, reading.counted = counted - reading.counted, counted
        if not more:
            return
        for share, limit in (
            (self._by_address[reading.address], MOST_BYTES_PER_ADDRESS),
            (self._all, MOST_BYTES),
        ):
            share.counted += more
            # Moved to the end: it has just made progress, and others have not.
            del share.readings[reading]
            share.readings[reading] = None
            while share.counted > limit:
                oldest = share.oldest_but(reading)
                if oldest is None:
                    break
                self._end(oldest)
                # Its own time may have ended as well, before its task has run.
                if not oldest.deadline.expired():
                    oldest.deadline.reschedule(asyncio.get_running_loop().time())

    def _end(self, reading: _Reading) -> None:
        if reading not in self._all.readings:
            return
        share = self._by_address[reading.address]
        for one in (share, self._all):
            del one.readings[reading]
            one.counted -= reading.counted
        if not share.readings:
            del self._by_address[reading.address]


def _bounded(piece: bytes, limit: int) -> bytes:
    if len(piece) > limit:
        raise BodyTooLong
    return piece


async def _returned(message: Any) -> Any:
    return message


@types.coroutine
def _resumed(waiting: Generator[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    """Continue an await that has begun, and waits for a future."""
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - As `await` does: it is raised inside.
                waits_for = waiting.throw(error)
            else:
                return (yield from waiting)
    except StopIteration as end:
        return end.value


async def pieces_of(receive: Receive, *, limit: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives; each piece has to arrive within `READ_SECONDS`.

    Args:
        receive: returns the messages of the request.
        limit: the number of bytes that the body may have.

    Raises:
        BodyTooLong, BodyTooSlow, CallerGone.
    """
    read = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(READ_SECONDS):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow from None
        if message["type"] != "http.request":
            raise CallerGone
        piece = message.get("body", b"")
        read += len(piece)
        if read > limit:
            raise BodyTooLong
        more = message.get("more_body", False)
        if piece:
            yield piece


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields a body already read, and then the further messages."""
    first: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return first.pop() if first else await receive()

    return again
