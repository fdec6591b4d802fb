"""The webhook: raw ASGI, nothing between the socket and the verdict.

Refused in the order of price: announced length, header shape, freshness, MAC. Up to and
including the MAC, everything wrong gets one and the same answer, byte for byte, so that a
guesser learns nothing; only a body that is announced too long is told so before it is sent.
After a valid MAC: 400 for what is no event, 200 without effect for what is not ours, and 200
for an event only when it is on disk.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

from starlette.types import Receive, Scope, Send

from paraph.errors import DeliveryRejected, EventInvalid, StorageError
from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.secret import Secret
from paraph.zoom.events import URL_VALIDATION, answer_url_validation, parse_event
from paraph.zoom.webhook import (
    MAX_BODY_BYTES,
    Freshness,
    VerifiedDelivery,
    check_delivery_headers,
    verify_webhook,
)

READ_SECONDS = 5.0

_REFUSED = (401, b'{"error":"the delivery was not accepted"}')
_TOO_LONG = (413, b'{"error":"the body is too long"}')
_NO_EVENT = (400, b'{"error":"the body is not an event"}')
_LATER = (503, b'{"error":"the event cannot be kept now"}')
_TAKEN = (200, b"{}")

_log = get_logger("webhook")

Answer = tuple[int, bytes]


class WebhookEndpoint:
    """The ASGI application behind `/webhook`."""

    def __init__(
        self,
        context: Context,
        inbox: Inbox,
        *,
        secrets: Sequence[Secret],
        freshness: Freshness,
    ) -> None:
        self._context = context
        self._inbox = inbox
        self._secrets = tuple(secrets)
        self._freshness = freshness
        self.refused: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery."""
        status, body = await self._answer(scope, receive)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if _announced_length(scope["headers"]) > MAX_BODY_BYTES:
            return _TOO_LONG
        try:
            fresh = check_delivery_headers(
                scope["headers"], now=self._context.clock(), freshness=self._freshness
            )
            body = await _read(receive)
            delivery = verify_webhook(fresh, body, secrets=self._secrets)
        except DeliveryRejected as error:
            # A counter and no line for each: a flood must not become a flood of log lines.
            self.refused[error.code] += 1
            return _REFUSED
        return await self._take(delivery)

    async def _take(self, delivery: VerifiedDelivery) -> Answer:
        try:
            event = parse_event(delivery)
            if event.name == URL_VALIDATION:
                return 200, answer_url_validation(delivery, event)
            outcome = await self._inbox.keep(delivery, event)
        except EventInvalid as error:
            _log.warning("delivery.no_event", why=error.detail)
            return _NO_EVENT
        except StorageError as error:
            _log.error("delivery.not_kept", why=error.detail)
            return _LATER
        _log.info("delivery.accepted", event_name=event.name, outcome=outcome.value)
        return _TAKEN


def _announced_length(headers: Iterable[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length":
            # The server has checked the grammar; a length of many digits is too long anyway.
            return int(value) if len(value) < 10 and value.isdigit() else MAX_BODY_BYTES + 1
    return 0


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise DeliveryRejected("the sender went away")
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise DeliveryRejected("the body is longer than it may be")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise DeliveryRejected("the body came too slowly") from None
