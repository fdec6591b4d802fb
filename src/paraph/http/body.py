"""Reads request bodies up to a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive

from paraph.http.patience import Patience

# A short body is read before its sender is known: no sender may occupy a slot for longer.
READ_SECONDS = 10.0


class BodyTooLong(Exception):
    """The body is longer than this call allows."""


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class CallerGone(Exception):
    """The caller closed the connection."""


async def pieces_of(receive: Receive, *, limit: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives.

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


async def read_whole(receive: Receive, *, limit: int, patience: Patience) -> bytes:
    """Return the whole body, within a timeout.

    Raises:
        BodyTooLong, BodyTooSlow, CallerGone.
    """
    try:
        with patience:
            return await _read_whole(receive, limit=limit)
    except TimeoutError:
        raise BodyTooSlow from None


async def _read_whole(receive: Receive, *, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        # Nearly every body is one piece, and the generator costs more than everything else.
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLong
        return body
    again = _before(message, receive)
    return b"".join([piece async for piece in pieces_of(again, limit=limit)])


def _before(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that yields a message already taken, and then the others."""
    first: list[Message] = [message]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields a body already read, and then the further messages."""
    return _before({"type": "http.request", "body": body, "more_body": False}, receive)
