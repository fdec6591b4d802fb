"""Reading a delivery's body: within seconds, within bytes, and without a timer for each.

Until its MAC has verified, a body is whatever somebody sends. One sender may hold a megabyte for
five seconds; all of them together may hold no more than a fixed amount.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive

from paraph.errors import DeliveryRejected, InboxFull
from paraph.zoom.webhook import MAX_BODY_BYTES

READ_SECONDS = 5.0
MOST_HELD_BYTES = 64 << 20


class BodyReader:
    """Reads bodies; one timer looks after all readers, since nearly all of them end at once."""

    def __init__(self) -> None:
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._held = 0

    async def read(self, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            DeliveryRejected: too long, too slow, or the sender went away.
            InboxFull: too much is being read already.
        """
        task = asyncio.current_task()
        if task is None:
            raise DeliveryRejected("nobody reads")
        loop = asyncio.get_running_loop()
        self._reading[task] = loop.time() + READ_SECONDS
        if self._timer is None:
            self._timer = loop.call_later(READ_SECONDS, self._end_overdue)
        try:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                body: bytes = message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise DeliveryRejected("the body is longer than it may be")
                return body
            return await self._read_on(message, receive)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            # Ours, not the server's: this task goes on, to give the answer.
            self._overdue.discard(task)
            task.uncancel()
            raise DeliveryRejected("the body came too slowly") from None
        finally:
            self._reading.pop(task, None)

    async def _read_on(self, message: Any, receive: Receive) -> bytes:
        body = bytearray()
        try:
            while True:
                if message["type"] != "http.request":
                    raise DeliveryRejected("the sender went away")
                part = message.get("body", b"")
                body += part
                self._held += len(part)
                if len(body) > MAX_BODY_BYTES:
                    raise DeliveryRejected("the body is longer than it may be")
                if self._held > MOST_HELD_BYTES:
                    raise InboxFull("too many long bodies at once")
                if not message.get("more_body", False):
                    return bytes(body)
                message = await receive()
        finally:
            self._held -= len(body)

    def _end_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        # In the order of their ends, since all have the same time.
        for task, until in self._reading.items():
            if until > now:
                self._timer = loop.call_at(until, self._end_overdue)
                break
            if task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
