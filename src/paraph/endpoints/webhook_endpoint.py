"""The webhook as raw ASGI: no framework between the socket and the checks.

Checks run in the order of their cost: announced length, header shape, freshness, MAC. Every failure
up to and including the MAC gets one response, the same byte for byte, so that a guesser learns
nothing. The exception is a body announced as too long, which is refused before it is sent. After a
valid MAC a body that is not an event gets 400. A delivery that is not ours gets 200 without effect.
An event gets 200 only when it is on disk.

While the webhook secret is being replaced at Zoom, a time-limited mode answers 503 to a wrong MAC.
Zoom resends those, so deliveries signed with the new secret before it was configured are not lost.
Zoom never resends a delivery that got a 4xx.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Receive, Scope, Send

from paraph.endpoints.browser_request import path_of
from paraph.endpoints.webhook_body import BodyReader
from paraph.endpoints.webhook_stats import WebhookWatch
from paraph.errors import (
    Busy,
    DeliveryRejected,
    EventInvalid,
    SignatureMismatch,
    StaleTimestamp,
    StorageError,
)
from paraph.events.inbox import Inbox
from paraph.events.tracing import is_measured, span, traceparent_of
from paraph.http.rate_limit import RateBudget
from paraph.http.response import Answer, Fields, Headers
from paraph.logs import get_logger
from paraph.model.event import Outcome
from paraph.remote.zoom_clock import OLD_SECONDS, ZoomClock
from paraph.secret import Secret
from paraph.zoom.events import URL_VALIDATION, Event, answer_url_validation, parse_event
from paraph.zoom.webhook import (
    FRESHNESS,
    MAX_BODY_BYTES,
    FreshHeaders,
    Freshness,
    VerifiedDelivery,
    assess_delivery_headers,
    verified_or_none,
)

PATH = "/webhook"
# Zoom validates every three days. A caller that asks more often makes us sign its chosen text.
CHALLENGE_BURST = 20
# Zoom closes the connection after three seconds.
_ASK_ZOOM_SECONDS = 1.5
CHALLENGES_PER_SECOND = 0.5

_log = get_logger("webhook")


class WebhookEndpoint:
    """The ASGI application of the public side, which checks for `/webhook` first.

    Args:
        zoom_clock: this machine's clock, and its known difference from Zoom's.
        inbox: stores events.
        secrets: the ring of webhook secrets, newest first.
        freshness: the window.
        otherwise: answers everything that is not a delivery.
        headers: headers of every response.
        monotonic: seconds, for rate limits.
        rotation_until: epoch seconds until which a wrong MAC is answered 503; 0: never.
        in_clear: returns why a request over plain http is refused; None if no proxy can report it.
        address_of: returns the client address that limits count by.
    """

    def __init__(
        self,
        zoom_clock: ZoomClock,
        inbox: Inbox,
        *,
        secrets: Sequence[Secret],
        freshness: Freshness,
        otherwise: ASGIApp,
        headers: Headers,
        monotonic: Callable[[], float],
        rotation_until: int = 0,
        in_clear: Callable[[Scope], str | None] | None = None,
        address_of: Callable[[Scope], str] = lambda _scope: "",
    ) -> None:
        self._zoom_clock = zoom_clock
        self._clock = zoom_clock.now
        self._inbox = inbox
        self._secrets = tuple(secrets)
        self._freshness = freshness
        self._otherwise = otherwise
        self._fields = Fields((b"content-type", b"application/json"), *headers)
        self._rotation_until = rotation_until
        self._in_clear = in_clear
        # Read once: a span exporter is set up before the service starts.
        self._is_measured = is_measured()
        self._bodies = BodyReader(address_of)
        self._challenges = RateBudget(
            burst=CHALLENGE_BURST, per_second=CHALLENGES_PER_SECOND, clock=monotonic
        )
        self.watch = WebhookWatch(zoom_clock.now, secrets)
        self._refused = self._standing(401, b'{"error":"the delivery was not accepted"}')
        self._too_long = self._standing(413, b'{"error":"the body is too long"}')
        self._no_event = self._standing(400, b'{"error":"the body is not an event"}')
        self._no_tls = self._standing(400, b'{"error":"this address is served over https only"}')
        self._too_often = self._standing(429, b'{"error":"too many challenges"}')
        self._later = self._standing(503, b'{"error":"the event cannot be kept now"}')
        self._taken = self._standing(200, b"{}")

    def _answer(self, status: int, body: bytes, *, again: bool = False) -> Answer:
        return Answer(status, self._fields, body, again=again)

    def _standing(self, status: int, body: bytes) -> Answer:
        """Prepare a response that a flood receives repeatedly, so that it is built only once."""
        return self._answer(status, body, again=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or path_of(scope) != PATH:
            await self._otherwise(scope, receive, send)
            return
        await (await self._judge(scope, receive)).send(send)

    async def _judge(self, scope: Scope, receive: Receive) -> Answer:
        headers = scope["headers"]
        try:
            fresh = self.judge_headers(scope)
            if isinstance(fresh, Answer):
                return fresh
            delivery = self.judge_body(fresh, await self._bodies.read(receive, scope))
        except StaleTimestamp as error:
            return await self._answer_stale(error, scope, receive)
        except DeliveryRejected as error:
            self.watch.refuse(error.code)
            return self._refused
        except Exception as error:  # noqa: BLE001 - `failed` tells the errors apart.
            return self.failed(error)
        return delivery if isinstance(delivery, Answer) else await self.take(delivery, headers)

    def judge_headers(
        self, scope: Scope, named: Mapping[bytes, bytes] | None = None
    ) -> FreshHeaders | Answer:
        """Check everything that can be checked before a byte of the body is read.

        Args:
            scope: only its `headers` and `client` are read.
            named: the headers as a mapping, if the caller has made one already.

        Returns:
            The checked headers, or the refusal.

        Raises:
            StaleTimestamp: it is stale by this clock, and its body has to be checked anyway. Either
                it is sampled, or Zoom's clock may call it fresh.
        """
        if self._in_clear is not None and (reason := self._in_clear(scope)) is not None:
            self.watch.refuse(reason)
            return self._no_tls
        headers = scope["headers"]
        if named is None:
            named = dict(headers)
        if _announced_length(named) > MAX_BODY_BYTES:
            self.watch.refuse("too_long")
            return self._too_long
        now = self._clock()
        found = assess_delivery_headers(headers, named, now=now, freshness=self._freshness)
        if isinstance(found, FreshHeaders):
            if not self._zoom_clock.contradicts(found.timestamp):
                return found
            found = FRESHNESS
        if found is FRESHNESS and (self._zoom_clock.is_off or self.watch.wants_sample(now)):
            raise StaleTimestamp
        self.watch.refuse(found.refusal.code)
        return self._refused

    def judge_body(self, fresh: FreshHeaders, body: bytes) -> VerifiedDelivery | Answer:
        """Verify that a holder of a webhook secret signed these bytes."""
        delivery = verified_or_none(fresh, body, secrets=self._secrets)
        if delivery is not None:
            return delivery
        self.watch.refuse(SignatureMismatch.code)
        return self._later if self._clock() < self._rotation_until else self._refused

    async def _answer_stale(self, error: StaleTimestamp, scope: Scope, receive: Receive) -> Answer:
        """Return 401, or 503 if only our own clock makes a genuine delivery stale."""
        self.watch.note_sample()
        try:
            body = await self._bodies.read(receive, scope)
        except (DeliveryRejected, StorageError):
            timestamp = None
        else:
            timestamp = self.watch.judge_stale(scope["headers"], body)
        if timestamp is not None and await self._is_stale_by_us(timestamp):
            self.watch.refuse("own_clock")
            return self._later
        self.watch.refuse(error.code)
        return self._refused

    async def _is_stale_by_us(self, timestamp: int) -> bool:
        """Ask Zoom for its time, at intervals, and only because of a genuine delivery."""
        zoom = self._zoom_clock
        await zoom.refresh(wait=_ASK_ZOOM_SECONDS, older_than=OLD_SECONDS)
        if not zoom.explains(timestamp):
            # This machine may have slept since; then its monotonic clock stopped as well.
            await zoom.refresh(wait=_ASK_ZOOM_SECONDS)
        if zoom.explains(timestamp):
            return True
        # A wrong `Date`, corrected by now, may have contradicted a fresh timestamp.
        is_fresh = self._freshness.allows(self._clock() - timestamp)
        return is_fresh and not zoom.contradicts(timestamp)

    async def take(self, delivery: VerifiedDelivery, headers: Headers) -> Answer:
        """Store the event of a delivery, or answer its challenge. Never raises."""
        taken = self.begin(delivery, headers)
        if isinstance(taken, Answer):
            return taken
        if not isinstance(taken, asyncio.Future):
            return await taken
        try:
            await taken
        except Exception as error:  # noqa: BLE001 - `failed` tells the errors apart.
            return self.failed(error)
        return self._taken

    def begin(
        self, delivery: VerifiedDelivery, headers: Headers
    ) -> Answer | asyncio.Future[Outcome] | Coroutine[Any, Any, Answer]:
        """Do as much of `take` as is possible without waiting. Never raises.

        Returns:
            The response; or a future that is done when the event is stored, for `end`; or the
            remaining work as a coroutine.
        """
        try:
            self.watch.note_secret(delivery.secret_index)
            event = parse_event(delivery)
            if event.name == URL_VALIDATION:
                self._challenges.spend("")
                return self._answer(200, answer_url_validation(delivery, event))
            parent = traceparent_of(headers)
            if self._is_measured:
                return self._keep_measured(delivery, event, parent)
            kept = self._inbox.begin(delivery, event, trace=parent)
        except Exception as error:  # noqa: BLE001 - `failed` tells the errors apart.
            return self.failed(error)
        return self._taken if isinstance(kept, Outcome) else kept

    def end(self, kept: asyncio.Future[Outcome]) -> Answer:
        """Return the response once the event is stored, or could not be."""
        if kept.cancelled():
            return self._later
        error = kept.exception()
        return self._taken if error is None else self.failed(error)

    async def _keep_measured(self, delivery: VerifiedDelivery, event: Event, parent: str) -> Answer:
        try:
            with span(
                "paraph.webhook", parent=parent, kind=SpanKind.SERVER, event_name=event.name
            ) as trace:
                await self._inbox.keep(delivery, event, trace=trace)
        except Exception as error:  # noqa: BLE001 - `failed` tells the errors apart.
            return self.failed(error)
        return self._taken

    def failed(self, error: BaseException) -> Answer:
        """Return the response to a delivery whose check or storage failed. Never raises."""
        if isinstance(error, EventInvalid):
            self.watch.refuse(error.code)
            _log.warning("delivery.no_event", why=error.detail)
            return self._no_event
        if isinstance(error, Busy):
            self.watch.refuse("challenges")
            return self._too_often
        if isinstance(error, StorageError):
            # Only counted here; the inbox logs it: a full disk refuses every delivery.
            self.watch.refuse(error.code)
        else:
            # The last net: Zoom resends after a 503.
            _log.error("delivery.failed", why=type(error).__name__)
        return self._later


def _announced_length(named: Mapping[bytes, bytes]) -> int:
    # Never repeated: the server has refused that, as it has checked the grammar.
    value = named.get(b"content-length", b"0")
    # A length of many digits is too long anyway.
    return int(value) if len(value) < 10 and value.isdigit() else MAX_BODY_BYTES + 1
