"""Explains a captured webhook delivery: headers, freshness, signature, event, and effect."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from paraph.errors import DeliveryRejected, PeerError, SignatureMismatch
from paraph.explain.capture import CapturedRequest
from paraph.explain.explanation import Explanation, Finding, FirstStep, Outcome, Step
from paraph.explain.signature_search import Cause, Side, find_cause
from paraph.secret import Secret
from paraph.zoom.concerned_users import describe
from paraph.zoom.events import (
    APP_DEAUTHORIZED,
    URL_VALIDATION,
    Event,
    parse_app_deauthorized,
    parse_event,
    parse_kept_event,
    parse_url_validation,
)
from paraph.zoom.webhook_verification import (
    FRESHNESS,
    MAX_BODY_BYTES,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    VERIFICATION_STEPS,
    FreshHeaders,
    Freshness,
    check_delivery_headers,
    step_of,
    verify_webhook,
)

_REQUEST = FirstStep("request", "It is a POST with a body of at most a mebibyte.")
_STEPS = {one.name: one for one in VERIFICATION_STEPS}
_COUNTED = {
    SIGNATURE_HEADER: _STEPS["one signature header"],
    TIMESTAMP_HEADER: _STEPS["one timestamp header"],
}
_GRAMMAR = {
    SIGNATURE_HEADER: _STEPS["signature grammar"],
    TIMESTAMP_HEADER: _STEPS["timestamp grammar"],
}
_ORDER: list[Step] = [_REQUEST, *(one for one in _STEPS.values() if one.name != "first arrival")]


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """The settings that an explanation uses.

    Attributes:
        secrets: the webhook secrets, the newest first.
        client_id: the app's client id; "" if unknown.
        client_secret: the app's client secret; "" if unknown.
        level: the app's level.
        freshness: the allowed age of a delivery.
    """

    secrets: Sequence[str]
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    level: Literal["user", "account"] = "user"
    freshness: Freshness = field(default_factory=Freshness)


def explain_delivery(
    settings: DeliverySettings, captured: CapturedRequest, *, now: float
) -> Explanation:
    """Check a captured delivery as the webhook endpoint does, and find the cause of a mismatch.

    A delivery that is not fresh is still checked further, because a capture is usually old.

    Args:
        settings: the app's settings.
        captured: the request.
        now: epoch seconds.
    """
    return _DeliveryCheck(settings, captured, now).run()


class _DeliveryCheck:
    def __init__(self, settings: DeliverySettings, captured: CapturedRequest, now: float) -> None:
        self._settings = settings
        self._captured = captured
        self._now = now
        self._refused: dict[str, str] = {}
        self._stopped_at: Step | None = None
        self._is_described = False
        self._notes = [
            *captured.notes,
            "only the running service knows whether this delivery arrived before.",
        ]

    def run(self) -> Explanation:
        """Run all steps, in order."""
        try:
            self._check()
        except PeerError as error:
            self._stop(step_of(error) or _REQUEST, error.detail)
        if self._stopped_at is not None and not self._is_described:
            self._note_unverified_event()
        return Explanation(list(self._findings()), self._notes)

    def _findings(self) -> Sequence[Finding]:
        found, reached = [], True
        for step in _ORDER:
            if step.name in self._refused:
                found.append(Finding(step, Outcome.REFUSED, self._refused[step.name]))
            else:
                found.append(Finding(step, Outcome.HELD if reached else Outcome.SKIPPED))
            reached = reached and step is not self._stopped_at
        return found

    def _stop(self, step: Step, detail: str) -> None:
        self._refused[step.name] = detail
        self._stopped_at = step

    def _check(self) -> None:
        captured = self._captured
        if captured.method != "POST":
            self._stop(_REQUEST, f"it is {captured.method} {captured.path}")
            return
        if len(captured.body) > MAX_BODY_BYTES:
            self._stop(_REQUEST, f"its body has {len(captured.body)} bytes")
            return
        for name, step in _COUNTED.items():
            if (count := captured.count(name)) != 1:
                self._stop(step, _counted(name, count))
                self._note_other_header(name)
                return
        try:
            fresh = check_delivery_headers(
                captured.headers, now=self._now, freshness=self._settings.freshness
            )
        except DeliveryRejected as error:
            if step_of(error) is not FRESHNESS:
                self._refuse_grammar(error)
                return
            self._refused[FRESHNESS.name] = error.detail
            fresh = check_delivery_headers(
                captured.headers, now=self._signed_at(), freshness=self._settings.freshness
            )
        self._verify(fresh, captured.body)

    def _signed_at(self) -> int:
        return int(self._captured.header(TIMESTAMP_HEADER) or b"0")

    def _verify(self, fresh: FreshHeaders, body: bytes) -> None:
        secrets = [Secret(one) for one in self._settings.secrets]
        try:
            delivery = verify_webhook(fresh, body, secrets=secrets)
        except SignatureMismatch as error:
            cause = self._cause()
            if cause is None or not cause.line_end_only or self._captured.has_exact_body:
                self._stop(_STEPS["signature"], error.detail)
                self._note_cause(cause)
                self._note_sent_event(fresh, cause, secrets)
                return
            # The capture does not say where the body ends, and files end with a line end.
            self._notes.append(f"{cause.text}; the delivery was genuine.")
            delivery = verify_webhook(fresh, cause.body, secrets=secrets)
        if delivery.secret_index:
            self._notes.append(
                f"an older secret signed it: webhook_secrets[{delivery.secret_index}]."
            )
        self._note_event(parse_event(delivery))
        if FRESHNESS.name in self._refused:
            self._notes.append(
                f"only its age is wrong: --at {self._signed_at()} checks it at its own time."
            )

    def _refuse_grammar(self, error: DeliveryRejected) -> None:
        step = step_of(error) or _REQUEST
        detail = error.detail
        for name, grammar in _GRAMMAR.items():
            if step is grammar and b"," in (self._captured.header(name) or b""):
                detail += "; it has a comma: two headers of this name were joined"
        self._stop(step, detail)
        self._note_cause(self._cause())

    def _cause(self) -> Cause | None:
        return find_cause(
            self._captured.header(SIGNATURE_HEADER) or b"",
            self._captured.header(TIMESTAMP_HEADER) or b"",
            self._captured.body,
            secrets=self._settings.secrets,
            client_secret=self._settings.client_secret,
        )

    def _note_cause(self, cause: Cause | None) -> None:
        if cause is None:
            self._notes.append(
                "no usual cause matches: compare the secret with the app's Secret Token at Zoom, "
                "not the Verification Token, and the body with the bytes that arrived."
            )
            return
        self._notes.append(f"cause: {cause.text}.")
        if Side.SECRET in cause.sides:
            self._notes.append("use the same secret in the settings and at Zoom.")
        elif Side.SENDER in cause.sides:
            self._notes.append("Zoom does not sign like this: fix the program that sent it.")
        else:
            self._notes.append("verify the raw bytes of the body, before anything parses them.")

    def _note_sent_event(
        self, fresh: FreshHeaders, cause: Cause | None, secrets: Sequence[Secret]
    ) -> None:
        """Describe the delivery as it was sent, if only the capture is wrong."""
        if cause is None or cause.sides != {Side.CAPTURE}:
            return
        with suppress(PeerError):
            delivery = verify_webhook(fresh, cause.body, secrets=secrets)
            self._note_event(parse_event(delivery))

    def _note_other_header(self, name: bytes) -> None:
        if self._captured.count(name) > 1:
            return
        old = self._captured.header(b"authorization")
        if name == SIGNATURE_HEADER and old is not None:
            self._notes.append(
                "it has an Authorization header: Zoom's retired Verification Token, or another "
                "authentication that is set in the event subscription."
            )
        self._notes.append(
            "Zoom sends this header with every event: a proxy, a gateway or the recorder dropped "
            "it. Some gateways pass only configured headers."
        )

    def _note_unverified_event(self) -> None:
        with suppress(PeerError):
            event = parse_kept_event(self._captured.body)
            self._notes.append("it is not verified. The following holds only if it is genuine:")
            self._note_event(event)

    def _note_event(self, event: Event) -> None:
        self._is_described = True
        effect = _effect_of(self._settings.client_id, event)
        self._notes.append(effect)
        if event.name not in {URL_VALIDATION, APP_DEAUTHORIZED}:
            self._notes.extend(describe(event, level=self._settings.level))


def _counted(name: bytes, count: int) -> str:
    shown = name.decode("ascii")
    return (
        f"the {shown} header is missing"
        if not count
        else f"the {shown} header appears {count} times"
    )


def _effect_of(client_id: str, event: Event) -> str:
    if event.name == URL_VALIDATION:
        parse_url_validation(event)
        return "it is a challenge: the service responds and stores nothing."
    if event.name == APP_DEAUTHORIZED:
        removed = parse_app_deauthorized(event).client_id
        if client_id and removed != client_id:
            return "it removes another client's app: it has no effect here."
        whose = "" if client_id else f" (client id {removed})"
        return f"it removes the app for that user, unless a newer consent exists{whose}."
    return f"its event is {event.name}."
