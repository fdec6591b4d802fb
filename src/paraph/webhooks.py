"""Verify webhook deliveries of Zoom, and answer its URL-validation challenge.

Needs nothing but the standard library. It makes the checks of the service, by the same code.

::

    webhooks = Webhooks(secret=os.environ["ZOOM_SECRET_TOKEN"])

    try:
        received = webhooks.receive(headers, raw_body)
    except WebhookRejected as rejected:
        return rejected.status, rejected.body
    if received.response is not None:
        return 200, received.response

Everything that is wrong up to and including the MAC gets one and the same 401. A body that is too
long gets 413, and a signed body that is not an event gets 400.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paraph.errors import (
    Busy,
    ConfigurationError,
    DeliveryRejected,
    EventInvalid,
    ParaphError,
    PeerError,
    SignatureMismatch,
    StaleTimestamp,
    UsageError,
)
from paraph.secret import Secret
from paraph.settings.pasted_values import PastedChecks
from paraph.strict_json import parse_json_object
from paraph.zoom.events import (
    APP_DEAUTHORIZED,
    URL_VALIDATION,
    AppDeauthorized,
    Event,
    parse_app_deauthorized,
    parse_event,
)
from paraph.zoom.webhook_headers import GivenHeaders, delivery_headers, length_in
from paraph.zoom.webhook_response import (
    NO_EVENT,
    REFUSED,
    TOO_LONG,
    TOO_OFTEN,
    ChallengeLimit,
    Response,
    answer_url_validation,
)
from paraph.zoom.webhook_verification import (
    MAX_BODY_BYTES,
    FreshHeaders,
    Freshness,
    VerifiedDelivery,
    check_delivery_headers,
    delivery_digest,
    step_of,
    verify_webhook,
)

__all__ = ["Received", "WebhookRejected", "Webhooks"]

_WINDOW = Freshness()
_PAST_LIMITS, _FUTURE_LIMITS = (300, 86_400), (0, 3600)

_RAW_BODY = (
    "Pass the bytes that arrived. Flask: request.get_data(). Django: request.body. FastAPI and"
    " Starlette: await request.body(). aiohttp: await request.read(). WSGI:"
    ' environ["wsgi.input"].read(length). AWS Lambda: use paraph.integrations.aws_lambda.'
)
_REMEDIES = {
    DeliveryRejected.code: (
        "If Zoom sent it, a proxy or gateway drops, joins or changes the two x-zm headers: pass"
        " them through."
    ),
    StaleTimestamp.code: (
        "If Zoom sent it just now, set this machine's clock; an old delivery is refused on purpose."
    ),
    SignatureMismatch.code: (
        "If Zoom sent it, the secret is another app's or the body is not the bytes that arrived:"
        " paraph explain webhook finds the difference."
    ),
    EventInvalid.code: "The sender knows the secret and sent no event of Zoom's: look for it.",
    "too_long": "Events of Zoom are a few kilobytes long: look for the sender.",
    "challenges": "Wait a minute. Zoom validates a URL every three days.",
}


class WebhookRejected(PeerError):
    """A delivery that must have no effect. Respond with its `status` and `body`.

    Attributes:
        status: 401 for everything wrong up to and including the signature. 413: the body is too
            long. 400: signed, but not an event. 429: too many challenges.
        body: the bytes of the response, which tell the sender nothing.
        reason: a stable name of the cause, for logs and metrics, such as `signature_mismatch`.
        step: the check that refused, such as `freshness`; empty if the reason is its own name.
        detail: the cause as a sentence, for logs. It holds nothing that the sender wrote.
        remedy: the next step for a developer.

    Example:
        try:
            received = webhooks.receive(headers, raw_body)
        except WebhookRejected as rejected:
            print(rejected.reason, rejected.detail, rejected.remedy)
    """

    code = "webhook_rejected"
    public_message = "The delivery was not accepted."

    def __init__(self, response: Response, cause: ParaphError, *, reason: str = "") -> None:
        self.status, self.body = response
        self.reason = reason or cause.code
        step = step_of(cause) if isinstance(cause, PeerError) else None
        self.step = "" if step is None else step.name
        super().__init__(cause.detail, remedy=_REMEDIES[self.reason])


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery that Zoom signed: an event, or the URL-validation challenge.

    Attributes:
        event_id: the same for every retry and replay of this delivery: 64 hexadecimal digits.
            Deduplicate on it, in the transaction that has the effect.
        name: such as `meeting.ended`.
        payload: the event's own fields. They are signed, which makes their content not safe.
        account_id: the Zoom account that the event names, or None.
        event_ts: when it happened at Zoom, in epoch milliseconds, or None.
        signed_at: when Zoom signed the delivery, in epoch seconds.
        body: the signed bytes.
        secret_index: the secret that verified it. Above 0, Zoom still uses an older one.
        response: the body of the 200 response to a challenge, as JSON; None for an event.
        deauthorization: the ids in an `app_deauthorized` event; None for other events.
        is_duplicate: True if `seen` knows the event. Respond 200 and do nothing.
        is_ours: False if the event is the removal of another client id. Respond 200 and do nothing.

    Example:
        received = webhooks.receive(headers, raw_body)
        if received.is_actionable and received.name == "meeting.ended":
            print(received.account_id, received.concerned_users)
    """

    event_id: str
    name: str
    payload: Mapping[str, Any] = field(repr=False)
    account_id: str | None = field(repr=False)
    event_ts: int | None
    signed_at: int
    body: bytes = field(repr=False)
    secret_index: int
    response: bytes | None = field(repr=False)
    deauthorization: AppDeauthorized | None = field(repr=False)
    is_duplicate: bool
    is_ours: bool

    @property
    def removed_until(self) -> int:
        """The time up to which a removal ends installs, in epoch seconds; 0 for other events.

        Zoom sends a removal again for hours, and the person may have installed the app again: an
        install after this time is newer than the removal. The time is never later than the
        delivery's own. Zoom's times are whole seconds, so a second is added.
        """
        if self.deauthorization is None:
            return 0
        removed_at = self.deauthorization.deauthorization_time or self.signed_at
        return min(removed_at, self.signed_at) + 1

    @property
    def is_validation(self) -> bool:
        """True for the URL-validation challenge, whose response is in `response`."""
        return self.response is not None

    @property
    def is_actionable(self) -> bool:
        """True for an event of this app that `seen` does not know."""
        return self.response is None and self.is_ours and not self.is_duplicate

    @property
    def concerned_users(self) -> tuple[str, ...]:
        """The ids of the Zoom users that the event is about; empty if it names no user."""
        # Its table is loaded when it is first asked for.
        from paraph.zoom.concerned_users import concerned_users

        return concerned_users(Event(self.name, self.event_ts, self.account_id, self.payload))

    @property
    def event(self) -> dict[str, Any]:
        """The complete event as Zoom sent it, parsed."""
        return parse_json_object(self.body)


class Webhooks:
    """Verifies deliveries of Zoom's webhooks.

    Args:
        secret: the secret token of the app at Zoom; or a list, newest first, while it is replaced.
        client_id: the client id of the app. With it the removal of another client id, such as that
            of the development credentials, is not `is_ours`.
        freshness_past: how old a delivery may be, in seconds, 300 to 86400. Zoom retries for 85
            minutes and never after a 401, so a short time loses events.
        freshness_future: how far ahead of this clock a delivery may be signed, in seconds, to 3600.
        seen: returns True if the event with this id already had its effect. Without it, an attacker
            who recorded a delivery can send it again within the freshness window.

    Raises:
        ConfigurationError: the secret is missing, short or a placeholder, or a number is out of
            range; all problems at once.
        UsageError: `seen` is not a plain function.

    Example:
        webhooks = Webhooks(secret="zm-7hTq2LwX9fKd", seen=lambda event_id: False)
    """

    def __init__(
        self,
        secret: str | Secret | Sequence[str | Secret],
        *,
        client_id: str = "",
        freshness_past: int = _WINDOW.past,
        freshness_future: int = _WINDOW.future,
        seen: Callable[[str], bool] | None = None,
    ) -> None:
        checks = PastedChecks()
        self._secrets = _checked_secrets(checks, secret)
        for name, value, (least, most) in (
            ("freshness_past", freshness_past, _PAST_LIMITS),
            ("freshness_future", freshness_future, _FUTURE_LIMITS),
        ):
            if type(value) is not int or not least <= value <= most:
                checks.problems.append(f"{name} must be a whole number from {least} to {most}")
        if checks.problems:
            raise ConfigurationError(checks.problems)
        if inspect.iscoroutinefunction(seen) or not (seen is None or callable(seen)):
            # The result of an async function is always true: every event would be a duplicate.
            raise UsageError(
                "seen is not a plain function",
                remedy="Pass a function that returns True or False, without async.",
            )
        self._client_id = client_id
        self._freshness = Freshness(past=freshness_past, future=freshness_future)
        self._challenges = ChallengeLimit(time.monotonic)  # noqa: TID251 - The host's process.
        self.seen = seen

    def __repr__(self) -> str:
        return f"Webhooks({len(self._secrets)} secrets, {self._freshness})"

    def check_headers(self, headers: GivenHeaders, *, now: float | None = None) -> None:
        """Check everything that can be checked before the body is read.

        Optional: it saves reading the body of a forged delivery. `receive` checks the same again.

        Args:
            headers: as for `receive`.
            now: epoch seconds; the clock of this machine by default.

        Raises:
            WebhookRejected: the headers are not those of a recent delivery, or announce a body
                that is too long.
            UsageError: `headers` is neither a mapping nor pairs.

        Example:
            webhooks.check_headers(headers)
        """
        self._fresh_headers(headers, 0, now)

    def receive(
        self, headers: GivenHeaders, raw_body: bytes, *, now: float | None = None
    ) -> Received:
        """Verify one delivery.

        Args:
            headers: a mapping or pairs, names in any case, texts or bytes; or a WSGI environ.
            raw_body: exactly the bytes that arrived, because Zoom signs bytes.
            now: epoch seconds; the clock of this machine by default.

        Raises:
            WebhookRejected: it must have no effect; respond with its status and body.
            UsageError: `raw_body` is not bytes, or `headers` is neither a mapping nor pairs.

        Example:
            received = webhooks.receive(headers, raw_body)
        """
        body = _checked_body(raw_body)
        fresh = self._fresh_headers(headers, len(body), now)
        try:
            delivery = verify_webhook(fresh, body, secrets=self._secrets)
        except DeliveryRejected as error:
            raise WebhookRejected(REFUSED, error) from None
        try:
            return self._open(delivery, parse_event(delivery))
        except EventInvalid as error:
            raise WebhookRejected(NO_EVENT, error) from None
        except Busy as error:
            raise WebhookRejected(TOO_OFTEN, error, reason="challenges") from None

    def _fresh_headers(self, headers: GivenHeaders, length: int, now: float | None) -> FreshHeaders:
        pairs = delivery_headers(headers)
        if now is None:
            now = time.time()  # noqa: TID251 - It runs in the host's process.
        try:
            if max(length_in(pairs), length) <= MAX_BODY_BYTES:
                return check_delivery_headers(pairs, now=now, freshness=self._freshness)
        except DeliveryRejected as error:
            raise WebhookRejected(REFUSED, error) from None
        cause = DeliveryRejected(f"the body is longer than {MAX_BODY_BYTES} bytes")
        raise WebhookRejected(TOO_LONG, cause, reason="too_long")

    def _open(self, delivery: VerifiedDelivery, event: Event) -> Received:
        response, removal, is_ours, is_duplicate = None, None, True, False
        event_id = delivery_digest(self._client_id, delivery.body).hex()
        if event.name == URL_VALIDATION:
            self._challenges.spend()
            response = answer_url_validation(delivery, event)
        else:
            if event.name == APP_DEAUTHORIZED:
                removal = parse_app_deauthorized(event)
                is_ours = self._client_id in {"", removal.client_id}
            is_duplicate = is_ours and self._is_seen(event_id)
        return Received(
            event_id=event_id,
            name=event.name,
            payload=event.payload,
            account_id=event.account_id,
            event_ts=event.event_ts,
            signed_at=delivery.timestamp,
            body=delivery.body,
            secret_index=delivery.secret_index,
            response=response,
            deauthorization=removal,
            is_duplicate=is_duplicate,
            is_ours=is_ours,
        )

    def _is_seen(self, event_id: str) -> bool:
        if self.seen is None:
            return False
        found = self.seen(event_id)
        if not isinstance(found, bool):
            # A cursor, a row count or a coroutine is true whatever it says: events would be lost.
            raise UsageError(
                f"seen returned a {type(found).__name__}",
                remedy="Let it return True for an event that had its effect, False otherwise.",
            )
        return found


def _checked_body(raw_body: object) -> bytes:
    if not isinstance(raw_body, bytes | bytearray | memoryview):
        kind = type(raw_body).__name__
        raise UsageError(f"the body is a {kind}, not the bytes that arrived", remedy=_RAW_BODY)
    return bytes(raw_body)


def _checked_secrets(checks: PastedChecks, secret: object) -> tuple[Secret, ...]:
    is_ring = isinstance(secret, list | tuple)
    ring: Sequence[object] = secret if isinstance(secret, list | tuple) else [secret]
    if not ring:
        checks.problems.append("secret is missing")
    found = []
    for place, one in enumerate(ring):
        name = f"secret[{place}]" if is_ring else "secret"
        text = one.reveal() if isinstance(one, Secret) else one
        # None is an environment variable that is not set.
        if not isinstance(text, str | None):
            raise UsageError(f"{name} is a {type(text).__name__}, not a text")
        found.append(checks.secret(name, text or ""))
    return tuple(found)
