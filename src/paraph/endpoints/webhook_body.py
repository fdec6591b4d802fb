"""Reads a delivery's body with limits on time and bytes, and without a timer for each.

Until its MAC has verified, a body may come from any sender. Its first `FREE_BYTES` count against no
limit: honest deliveries are a few kilobytes, often in two pieces, and must always pass.
Longer bodies share one limit per address and one in total. When a limit is reached, the body that
has stalled longest ends, as if it had timed out. The newest is not refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope

from paraph.errors import DeliveryRejected
from paraph.http.patience import Patience
from paraph.zoom.webhook import MAX_BODY_BYTES

READ_SECONDS = 5.0
FREE_BYTES = 64 << 10
MOST_BYTES = 64 << 20
MOST_BYTES_PER_ADDRESS = 16 << 20


class _Reading:
    """A long body that is being read: its address, its task, and its counted bytes."""

    __slots__ = ("address", "counted", "task")

    def __init__(self, address: str, task: asyncio.Task[Any]) -> None:
        self.address = address
        self.task = task
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
    """Reads bodies, and counts the bytes that long bodies hold.

    Args:
        address_of: returns the client address that limits count by.
    """

    def __init__(self, address_of: Callable[[Scope], str] = lambda _scope: "") -> None:
        self._patience = Patience(READ_SECONDS)
        self._address_of = address_of
        self._all = _Share()
        self._by_address: dict[str, _Share] = {}

    async def read(self, receive: Receive, scope: Scope) -> bytes:
        """Return the whole body.

        Raises:
            DeliveryRejected: the body is too long or too slow, or the sender closed the connection.
        """
        try:
            with self._patience:
                message = await receive()
                if message["type"] != "http.request" or message.get("more_body", False):
                    return await self._read_on(message, receive, scope)
                body: bytes = message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise DeliveryRejected("the body is too long")
                return body
        except TimeoutError:
            # This body's own timeout, not a cancellation of the task, which still has to answer.
            raise DeliveryRejected("the body came too slowly") from None

    async def _read_on(self, message: Any, receive: Receive, scope: Scope) -> bytes:
        body = bytearray()
        long: _Reading | None = None
        try:
            while True:
                if message["type"] != "http.request":
                    raise DeliveryRejected("the sender closed the connection")
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise DeliveryRejected("the body is too long")
                if len(body) > FREE_BYTES:
                    if long is None:
                        long = self._begin(scope)
                    self._count(long, len(body) - FREE_BYTES)
                if not message.get("more_body", False):
                    return bytes(body)
                message = await receive()
        finally:
            if long is not None:
                self._end(long)

    def _begin(self, scope: Scope) -> _Reading:
        task: Any = asyncio.current_task()
        reading = _Reading(self._address_of(scope), task)
        self._all.readings[reading] = None
        self._by_address.setdefault(reading.address, _Share()).readings[reading] = None
        return reading

    def _count(self, reading: _Reading, counted: int) -> None:
        """Record the bytes that a body holds, and end stalled bodies if a limit is exceeded."""
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
                self._patience.end(oldest.task)

    def _end(self, reading: _Reading) -> None:
        if reading not in self._all.readings:
            return
        share = self._by_address[reading.address]
        for one in (share, self._all):
            del one.readings[reading]
            one.counted -= reading.counted
        if not share.readings:
            del self._by_address[reading.address]
