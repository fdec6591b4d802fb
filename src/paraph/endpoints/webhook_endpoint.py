"""The webhook: a generator, so that both paths run the same checks in the same order.

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

from collections.abc import Callable, Mapping, Sequence

from opentelemetry.trace import SpanKind
from starlette.types import Scope

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
from paraph.http.body import BodyError
from paraph.http.endpoint import ReadBody, Steps, Wait
from paraph.http.response import CompleteResponse, Fields, Headers
from paraph.logs import get_logger
from paraph.model.event import Outcome
from paraph.remote.zoom_clock import OLD_SECONDS, ZoomClock
from paraph.secret import Secret
from paraph.zoom.events import URL_VALIDATION, Event, parse_event
from paraph.zoom.webhook_headers import announced_length
from paraph.zoom.webhook_response import (
    ACCEPTED,
    NO_EVENT,
    REFUSED,
    TOO_LONG,
    TOO_OFTEN,
    ChallengeLimit,
    answer_url_validation,
)
from paraph.zoom.webhook_verification import (
    FRESHNESS,
    MAX_BODY_BYTES,
    FreshHeaders,
    Freshness,
    VerifiedDelivery,
    assess_delivery_headers,
)

PATH = "/webhook"
READ_SECONDS = 5.0
# Zoom closes the connection after three seconds.
_ASK_ZOOM_SECONDS = 1.5
_READ_BODY = ReadBody(MAX_BODY_BYTES, READ_SECONDS)

_log = get_logger("webhook")


class WebhookEndpoint:
    """Accepts deliveries, and refuses every other request to its URL.

    Args:
        zoom_clock: this machine's clock, and its known difference from Zoom's.
        inbox: stores events.
        secrets: the ring of webhook secrets, newest first.
        freshness: the window.
        headers: headers of every response.
        monotonic: seconds, for rate limits.
        rotation_until: epoch seconds until which a wrong MAC is answered 503; 0: never.
        in_clear: returns why a request over plain http is refused; None if no proxy can report it.
    """

    def __init__(
        self,
        zoom_clock: ZoomClock,
        inbox: Inbox,
        *,
        secrets: Sequence[Secret],
        freshness: Freshness,
        headers: Headers,
        monotonic: Callable[[], float],
        rotation_until: int = 0,
        in_clear: Callable[[Scope], str | None] | None = None,
    ) -> None:
        self._zoom_clock = zoom_clock
        self._clock = zoom_clock.now
        self._inbox = inbox
        self._secrets = tuple(secrets)
        self._freshness = freshness
        self._fields = Fields((b"content-type", b"application/json"), *headers)
        self._rotation_until = rotation_until
        self._in_clear = in_clear
        # Read once: a span exporter is set up before the service starts.
        self._is_measured = is_measured()
        self._challenges = ChallengeLimit(monotonic)
        self.watch = WebhookWatch(zoom_clock.now, secrets)
        self._refused = self._prepare(*REFUSED)
        self._too_long = self._prepare(*TOO_LONG)
        self._no_event = self._prepare(*NO_EVENT)
        self._no_tls = self._prepare(400, b'{"error":"this address is served over https only"}')
        self._too_often = self._prepare(*TOO_OFTEN)
        self._later = self._prepare(503, b'{"error":"the event cannot be kept now"}')
        self._accepted = self._prepare(*ACCEPTED)

    def _prepare(self, status: int, body: bytes) -> CompleteResponse:
        """Prepare a response that a flood receives repeatedly, so that it is built only once."""
        return CompleteResponse(status, self._fields, body, again=True)

    def answer(self, scope: Scope, named: Mapping[bytes, bytes]) -> Steps:
        """Answer one `POST /webhook`; see `paraph.http.endpoint`."""
        try:
            fresh = self._check_head(scope, named)
            if isinstance(fresh, CompleteResponse):
                return fresh
            if not isinstance(fresh, FreshHeaders):
                return (yield from self._answer_stale(scope["headers"]))
            delivery = fresh.verify((yield _READ_BODY), secrets=self._secrets)
            if delivery is None:
                self.watch.refuse(SignatureMismatch.code)
                until = self._rotation_until
                return self._later if until and self._clock() < until else self._refused
            return (yield from self._accept(delivery, scope["headers"]))
        except BodyError:
            return self._refuse(DeliveryRejected.code)
        except Exception as error:  # noqa: BLE001 - `_response_to` tells the errors apart.
            return self._response_to(error)

    def _refuse(self, reason: str) -> CompleteResponse:
        self.watch.refuse(reason)
        return self._refused

    def _check_head(
        self, scope: Scope, named: Mapping[bytes, bytes]
    ) -> FreshHeaders | CompleteResponse | None:
        """Check everything that can be checked before a byte of the body is read.

        Returns:
            The checked headers, or the refusal. None: it is stale by this clock, and its body has
            to be checked anyway. Either it is sampled, or Zoom's clock may call it fresh.
        """
        if self._in_clear is not None and (reason := self._in_clear(scope)) is not None:
            self.watch.refuse(reason)
            return self._no_tls
        # Never repeated: the server has refused that, as it has checked the grammar.
        if announced_length(named.get(b"content-length", b"0")) > MAX_BODY_BYTES:
            self.watch.refuse("too_long")
            return self._too_long
        now = self._clock()
        found = assess_delivery_headers(scope["headers"], named, now=now, freshness=self._freshness)
        if isinstance(found, FreshHeaders):
            if not self._zoom_clock.contradicts(found.timestamp):
                return found
            found = FRESHNESS
        if found is FRESHNESS and (self._zoom_clock.is_off or self.watch.wants_sample(now)):
            return None
        return self._refuse(found.refusal.code)

    def _answer_stale(self, headers: Headers) -> Steps:
        """Return 401, or 503 if only our own clock makes a genuine delivery stale."""
        try:
            body = yield _READ_BODY
        except BodyError:
            return self._refuse(StaleTimestamp.code)
        timestamp = None
        # Asked again: other stale deliveries may have arrived since the head was checked.
        if self._zoom_clock.is_off or self.watch.wants_sample(self._clock()):
            self.watch.note_sample()
            timestamp = self.watch.measure_stale(headers, body)
        if timestamp is not None and (yield Wait(self._is_stale_by_us(timestamp))):
            self.watch.refuse("own_clock")
            return self._later
        return self._refuse(StaleTimestamp.code)

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

    def _accept(self, delivery: VerifiedDelivery, headers: Headers) -> Steps:
        """Store the event of a delivery, or answer its challenge."""
        self.watch.note_secret(delivery.secret_index)
        event = parse_event(delivery)
        if event.name == URL_VALIDATION:
            self._challenges.spend()
            return CompleteResponse(200, self._fields, answer_url_validation(delivery, event))
        parent = traceparent_of(headers)
        if self._is_measured:
            yield Wait(self._keep_measured(delivery, event, parent))
        else:
            kept = self._inbox.begin(delivery, event, trace=parent)
            if not isinstance(kept, Outcome):
                yield Wait(kept)
        return self._accepted

    async def _keep_measured(self, delivery: VerifiedDelivery, event: Event, parent: str) -> None:
        with span(
            "paraph.webhook", parent=parent, kind=SpanKind.SERVER, event_name=event.name
        ) as trace:
            await self._inbox.keep(delivery, event, trace=trace)

    def _response_to(self, error: Exception) -> CompleteResponse:
        """Return the response to a delivery whose check or storage failed."""
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
