"""The inbox: a verified delivery becomes an event that survives us.

Only a `VerifiedDelivery` gets in. It is kept under a digest of what was signed, so that a
replay with new unsigned headers, or Zoom's own retry, is recognised; the caller answers 200
only after `keep` has returned, when the event is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Any

from paraph.lifecycle.context import Context
from paraph.oauth.strict_json import parse_json_object
from paraph.storage.records import KeptEvent
from paraph.zoom.events import (
    APP_DEAUTHORIZED,
    AppDeauthorized,
    Event,
    parse_app_deauthorized,
)
from paraph.zoom.webhook import VerifiedDelivery, delivery_digest


class Outcome(Enum):
    """What became of a delivery. All three are answered 200."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    NOT_OURS = "not_ours"


class Inbox:
    """Keeps events, one transaction each, and wakes whoever hands them on.

    `arrived` holds a signal for each road: True for urgent events, False for the others.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.arrived = {urgent: asyncio.Event() for urgent in (True, False)}

    async def keep(self, delivery: VerifiedDelivery, event: Event) -> Outcome:
        """Keep the event of a delivery, durably, once.

        Raises:
            EventInvalid: an `app_deauthorized` without the ids that it needs.
            StorageError: it could not be kept; Zoom must be told to try again.
        """
        kept = self._describe(delivery, event)
        if kept is None:
            return Outcome.NOT_OURS
        async with self._context.store.transaction() as tx:
            client_id = self._context.client.client_id
            # A deauthorization is kept also for an unknown account: it may have overtaken the
            # installation that it ends.
            if not kept.urgent and not await tx.grants.any_in_account(client_id, kept.account_id):
                return Outcome.NOT_OURS
            added = await tx.events.add(kept)
        if not added:
            return Outcome.DUPLICATE
        self.arrived[kept.urgent].set()
        return Outcome.KEPT

    def _describe(self, delivery: VerifiedDelivery, event: Event) -> KeptEvent | None:
        client_id = self._context.client.client_id
        now = self._context.now()
        event_id = delivery_digest(client_id, delivery.body).hex()
        if event.name == APP_DEAUTHORIZED:
            removal = parse_app_deauthorized(event)
            if removal.client_id != client_id:
                return None
            return KeptEvent(
                event_id,
                event.name,
                now,
                delivery.body,
                account_id=removal.account_id,
                user_id=removal.user_id,
                urgent=True,
                next_attempt_at=now,
            )
        if not event.account_id:
            return None
        return KeptEvent(
            event_id,
            event.name,
            now,
            delivery.body,
            account_id=event.account_id,
            user_id=_person_in(event.payload),
            next_attempt_at=now,
        )


def reopen_deauthorization(kept: KeptEvent) -> AppDeauthorized:
    """Read a kept `app_deauthorized` again. Its seal says that it was verified when it came."""
    content = parse_json_object(kept.body or b"")
    return parse_app_deauthorized(Event(kept.name, None, kept.account_id, content["payload"]))


def _person_in(payload: Mapping[str, Any]) -> str:
    """Whom an event is about, as far as it says so: that person's removal purges its body."""
    thing = payload.get("object")
    places = [(thing, "host_id"), (payload, "operator_id"), (payload, "user_id"), (thing, "id")]
    for place, name in places:
        value = place.get(name) if isinstance(place, Mapping) else None
        if isinstance(value, str) and value:
            return value[:64]
    return ""
