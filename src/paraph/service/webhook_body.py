"""Reading a delivery's body: within seconds, within bytes, and without a timer for each.

Until its MAC has verified, a body is whatever somebody sends. One sender may hold a megabyte for
five seconds; all of them together may hold no more than a fixed amount.
"""

from __future__ import annotations

from typing import Any

from starlette.types import Receive

from paraph.api.patience import Patience
from paraph.errors import DeliveryRejected, InboxFull
from paraph.zoom.webhook import MAX_BODY_BYTES

READ_SECONDS = 5.0
MOST_HELD_BYTES = 64 << 20


class BodyReader:
    """Reads bodies, and counts what all of them together hold."""

    def __init__(self) -> None:
        self._patience = Patience(READ_SECONDS)
        self._held = 0

    async def read(self, receive: Receive) -> bytes:
        """The whole body.

        Raises:
            DeliveryRejected: too long, too slow, or the sender went away.
            InboxFull: too much is being read already.
        """
        try:
            with self._patience:
                message = await receive()
                if message["type"] != "http.request" or message.get("more_body", False):
                    return await self._read_on(message, receive)
                body: bytes = message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise DeliveryRejected("the body is longer than it may be")
                return body
        except TimeoutError:
            # Ours, not the server's: this task goes on, to give the answer.
            raise DeliveryRejected("the body came too slowly") from None

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
