"""Delivers one claimed event: carries out a deauthorization, or forwards to every target.

Just before, the store is asked for the event's recipients, and whether this claim still holds. So a
removal also applies to events claimed before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace
from opentelemetry.trace import SpanKind

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.events.inbox import reopen_deauthorization
from paraph.events.outcomes import AttemptOutcome
from paraph.events.recipients import Recipients, find_recipients
from paraph.events.tracing import span
from paraph.lifecycle import deauthorization
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import is_stale
from paraph.logs import get_logger
from paraph.model.event import KeptEvent
from paraph.storage.stores.events.event import KEY_MISSING_SECONDS

_log = get_logger("dispatch")


class Target(Protocol):
    """A destination of events: the host's URL, or handlers in this process."""

    async def forward(self, event: KeptEvent, recipients: Recipients) -> None:
        """Deliver the event. Return when the destination has accepted it; raise otherwise."""


class EventDelivery:
    """Delivers claimed events, one at a time.

    Args:
        context: the store and the clock.
        refresher: decides unclear deauthorizations.
        targets: each event is delivered to all of them.

    Attributes:
        without_installation: the number of events forwarded without one, by reason.
    """

    def __init__(self, context: Context, refresher: Refresher, targets: Sequence[Target]) -> None:
        self._context = context
        self._refresher = refresher
        self._targets = tuple(targets)
        self.without_installation: Counter[str] = Counter()

    async def deliver(self, event: KeptEvent, *, measured: bool) -> AttemptOutcome | None:
        """Deliver one event.

        Args:
            event: the claimed event.
            measured: measure the delivery as a span.

        Returns:
            None if this worker no longer holds the claim.

        Raises:
            Exception: the event was not delivered; try again later.
        """
        if event.urgent:
            await deauthorization.carry_out(
                self._context,
                self._refresher,
                reopen_deauthorization(event),
                received_at=event.received_at,
                signed_at=event.signed_at,
            )
            return AttemptOutcome.forwarded(event)
        try:
            recipients = await find_recipients(self._context, event)
        except UnknownEncryptionKey as error:
            later = self._context.now() + KEY_MISSING_SECONDS
            return AttemptOutcome.postponed(event, error.code, at=later, counts=False)
        except SealBroken as error:
            return AttemptOutcome.dead(event, f"{error.code}: {error.detail}")
        if recipients is None:
            return None
        if event.sealed is not None:
            if recipients.body is None:
                return AttemptOutcome.purged(event)
            event = replace(event, body=recipients.body, sealed=None)
        if event.notice and await self._is_stale(event):
            return AttemptOutcome.dropped(event, "stale: a later notice followed")
        if measured:
            with span(
                "paraph.forward",
                parent=event.trace,
                kind=SpanKind.PRODUCER,
                event_name=event.shown_name,
                attempt=event.attempts,
            ) as trace:
                await self._forward(replace(event, trace=trace), recipients)
        else:
            await self._forward(event, recipients)
        return AttemptOutcome.forwarded(event)

    async def _is_stale(self, notice: KeptEvent) -> bool:
        """Return True if a later notice made this one untrue."""
        async with self._context.store.reading() as tx:
            if not await is_stale(tx, self._context, notice):
                return False
        _log.info("notice.stale", event_id=notice.event_id[:16], event_name=notice.name)
        return True

    async def _forward(self, event: KeptEvent, recipients: Recipients) -> None:
        for target in self._targets:
            await target.forward(event, recipients)
        if recipients.lacking and not event.notice:
            self.without_installation[recipients.lacking] += 1
