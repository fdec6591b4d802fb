"""Fetches messages of one consumer of the stream, and returns those that were not stored.

The client's own `fetch` holds messages back until its request is complete. If it is cancelled
meanwhile, the stream delivers them again only when their lease ends. This class knows every message
that has arrived. So a process that stops returns all of them, and the next one has them at once
(NATS JetStream API, `$JS.API.CONSUMER.MSG.NEXT`). Only a message that the server sends while the
subscription ends waits for the end of its lease: no process can know of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription

BATCH = 256
REQUEST_SECONDS = 1.0
# The server reports an expired request; without a report by then the request counts as lost.
_LATE_SECONDS = 0.5
_RETURN_SECONDS = 1.0
# A request that expired, or that the server ended, is followed by another one.
_ENDED = {"404", "408", "409"}


class Pull:
    """Reads one consumer in one process.

    Args:
        client: the connection.
        stream: the name of the stream.
        consumer: the name of the durable consumer.
    """

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._subscription: Subscription | None = None
        self._requested = 0
        self._held: list[Any] = []

    async def fetch(self) -> list[Any]:
        """Wait for messages and return all that have arrived; empty after REQUEST_SECONDS.

        The messages are held until `settled` is called.

        Raises:
            nats.errors.Error: the connection or the stream does not respond.
        """
        if self._subscription is None:
            self._subscription = await self._client.subscribe(self._client.new_inbox())
        if not self._requested:
            expires = int(REQUEST_SECONDS * 1e9)
            request = json.dumps({"batch": BATCH, "expires": expires}).encode()
            await self._client.publish(self._next, request, reply=self._subscription.subject)
            self._requested = BATCH
        try:
            await self._take(self._subscription, REQUEST_SECONDS + _LATE_SECONDS)
        except nats.errors.TimeoutError:
            self._requested = 0
        _raise_if_cancelled()
        return list(self._held)

    async def _take(self, subscription: Subscription, seconds: float) -> None:
        """Wait for the first message, then hold all that have arrived."""
        while True:
            message = await subscription.next_msg(timeout=seconds)
            status = (message.headers or {}).get("Status")
            if status is None:
                self._held.append(message)
                self._requested = max(0, self._requested - 1)
            elif status in _ENDED:
                self._requested = 0
            else:
                self._requested = 0
                raise nats.errors.Error(f"the stream sent status {status}")
            if not subscription.pending_msgs:
                return

    def settled(self) -> None:
        """Stop holding the fetched messages: they were stored, or returned."""
        self._held = []

    async def close(self) -> None:
        """Request no more messages, and return the held ones to the stream at once."""
        if self._subscription is None:
            return
        with suppress(nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(_RETURN_SECONDS):
                # Held messages are returned also if the subscription does not end in good order.
                with suppress(nats.errors.Error):
                    await self._drain(self._subscription)
                for message in self._held:
                    # The client refuses a second acknowledgement of the same message.
                    with suppress(nats.errors.MsgAlreadyAckdError):
                        await message.nak()
                await self._client.flush()
        self._subscription, self._held = None, []

    async def _drain(self, subscription: Subscription) -> None:
        """End the subscription, and hold the messages that the server had already sent to it."""
        draining: Coroutine[Any, Any, None] = subscription.drain()  # type: ignore[no-untyped-call]  # The client's.
        ending = asyncio.create_task(draining)
        try:
            await asyncio.sleep(0)
            # The server responds to this after everything that it sent before the end.
            await self._client.flush()
            while subscription.pending_msgs:
                await self._take(subscription, _LATE_SECONDS)
            await ending
        finally:
            ending.cancel()
            with suppress(asyncio.CancelledError, nats.errors.Error, OSError):
                await ending


def _raise_if_cancelled() -> None:
    """Raise a cancellation that the client caught because a message came at the same time."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
