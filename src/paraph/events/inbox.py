"""The inbox: stores a verified delivery as an event that survives a crash.

It accepts only a `VerifiedDelivery`. The event's id is a digest of the signed bytes. So Zoom's own
retry is recognised, and so is a replay with new unsigned headers. The caller responds 200 only
after `keep` has returned, when the event is on disk.

Deliveries are committed in groups, without a timer: those that arrive during one flush wait and
share the next transaction. Under load hundreds of deliveries share a flush; without load the first
one is written at once. The queue is bounded in number, in bytes and in time. A delivery that cannot
be stored soon is refused while Zoom still waits for the response, and Zoom sends it again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from paraph.errors import InboxFull, ParaphError, StorageError
from paraph.events.drops import DroppedEvents
from paraph.lifecycle.context import Context
from paraph.logs import get_logger, log_many
from paraph.model.event import EventStatus, KeptEvent, Outcome
from paraph.storage.database import Database
from paraph.strict_json import parse_json_object
from paraph.zoom.concerned_users import concerned_users
from paraph.zoom.events import (
    APP_DEAUTHORIZED,
    AppDeauthorized,
    Event,
    parse_app_deauthorized,
    parse_kept_event,
)
from paraph.zoom.webhook_verification import VerifiedDelivery, delivery_digest

LARGEST_BATCH = 512
MOST_WAITING = 4096
MOST_WAITING_BYTES = 64 << 20
# Seconds until a delivery must be stored: Zoom closes the connection after three. A delivery that
# would wait longer is refused.
KEEP_SECONDS = 2.5
# A full disk fails every batch: one log line in this many seconds reports it.
FAILURE_SECONDS = 10.0

_log = get_logger("inbox")


class Keeping(Protocol):
    """The place where batches of events become durable: the database, or a stream."""

    def keep_events(
        self, events: Sequence[KeptEvent], *, client_id: str
    ) -> Awaitable[list[Outcome]]:
        """Store events durably. Raise `StorageError` if they may not survive a crash."""


@dataclass(slots=True)
class Flow:
    """Counts for the metrics, since the start of the process.

    Attributes:
        kept, duplicate, refused: numbers of deliveries.
        batches: the number of commits.
        largest_batch: the number of deliveries in the largest commit.
    """

    kept: int = 0
    duplicate: int = 0
    refused: int = 0
    batches: int = 0
    largest_batch: int = 0


@dataclass(slots=True, eq=False)
class _Waiting:
    event: KeptEvent
    kept: asyncio.Future[Outcome]
    since: float
    size: int


class Inbox:
    """Stores events in batches and wakes the dispatcher.

    `arrived` holds a signal for each claim queue: True for urgent events, False for the others.

    Args:
        context: the store and the clock.
        keeping: where events are stored; default: the store of the context.
        wanted: False if the host receives no events. They are then stored as delivered, in
            one write, and the dispatcher never claims them.
    """

    def __init__(
        self, context: Context, keeping: Keeping | None = None, *, wanted: bool = True
    ) -> None:
        self._context = context
        self._wanted = wanted
        self._client_id = context.client.client_id
        store: Database = context.store
        self._keeping: Keeping = store if keeping is None else keeping
        # Deauthorizations have a queue of their own, which goes first and is never full.
        self._queues: dict[bool, deque[_Waiting]] = {True: deque(), False: deque()}
        self._bytes = 0
        self._last_arrival = 0
        self._stuck = False
        self._failure_said = 0.0
        self._work: asyncio.Task[None] | None = None
        self.flow = Flow()
        self.dropped = DroppedEvents()
        self.arrived = {urgent: asyncio.Event() for urgent in (True, False)}

    @property
    def waiting(self) -> int:
        """The number of deliveries that wait for a commit."""
        return len(self._queues[True]) + len(self._queues[False])

    async def keep(self, delivery: VerifiedDelivery, event: Event, *, trace: str = "") -> Outcome:
        """Store the event of a delivery durably, and only once.

        Raises:
            EventInvalid: an `app_deauthorized` without the ids that it needs.
            InboxFull: the store cannot keep up; the event was not queued.
            StorageError: the event was not stored, or not in time; Zoom must send it again.
        """
        begun = self.begin(delivery, event, trace=trace)
        return begun if isinstance(begun, Outcome) else await begun

    def begin(
        self, delivery: VerifiedDelivery, event: Event, *, trace: str = ""
    ) -> Outcome | asyncio.Future[Outcome]:
        """Queue an event. The returned future ends when the event is stored, or has failed.

        Raises:
            EventInvalid: an `app_deauthorized` without the ids that it needs.
            InboxFull: the store cannot keep up; the event was not queued.
        """
        kept = self._describe(delivery, event, trace)
        if kept is None:
            digest = delivery_digest(self._client_id, delivery.body).hex()
            self.dropped.note(Outcome.OTHER_CLIENT, event_name=event.name, event_id=digest)
            return Outcome.OTHER_CLIENT
        now = self._context.clock()
        queue = self._queues[kept.urgent]
        if not kept.urgent and (
            len(queue) >= MOST_WAITING
            or self._bytes >= MOST_WAITING_BYTES
            or self._stuck
            or (queue and now - queue[0].since > KEEP_SECONDS / 2)
        ):
            self.flow.refused += 1
            raise InboxFull("the store cannot keep up with the deliveries")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        queue.append(_Waiting(kept, future, now, len(delivery.body)))
        self._bytes += len(delivery.body)
        if self._work is None:
            self._work = loop.create_task(self._keep_all(), name="inbox")
        return future

    async def close(self) -> None:
        """Wait until every accepted event is stored."""
        if self._work is not None:
            await asyncio.wait((self._work,))

    async def _keep_all(self) -> None:
        """Write batches until the queue is empty. The next arrival starts this task again."""
        try:
            while batch := self._take():
                await self._keep_batch(batch)
        finally:
            self._work = None

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        for urgent in (True, False):
            queue = self._queues[urgent]
            while queue and len(batch) < LARGEST_BATCH:
                one = queue.popleft()
                self._bytes -= one.size
                # This delivery was refused with 503 and will be sent again: do not write it now.
                if not one.kept.done():
                    batch.append(one)
        return batch

    async def _keep_batch(self, batch: list[_Waiting]) -> None:
        timer = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._get_stuck, batch)
        try:
            outcomes = await self._keeping.keep_events(
                [one.event for one in batch], client_id=self._client_id
            )
        except ParaphError as error:
            self._refuse(batch, error.detail)
        except Exception as error:  # noqa: BLE001 - Whatever failed, every waiting caller must end.
            self._refuse(batch, f"unexpected: {type(error).__name__}")
        else:
            self._settle(batch, outcomes)
        finally:
            timer.cancel()
            self._stuck = False

    def _get_stuck(self, batch: list[_Waiting]) -> None:
        """Tell every sender to try again while the disk or the database hangs.

        The write may still succeed, and then the retry is a duplicate.
        """
        self._stuck = True
        self._refuse([*batch, *self._queues[False], *self._queues[True]])

    def _refuse(self, batch: Sequence[_Waiting], why: str = "the store does not respond") -> None:
        now = self._context.clock()
        if not 0 <= now - self._failure_said < FAILURE_SECONDS:
            self._failure_said = now
            _log.error("inbox.not_kept", count=len(batch), why=why)
        for one in batch:
            if not one.kept.done():
                self.flow.refused += 1
                one.kept.set_exception(StorageError(why))

    def _settle(self, batch: list[_Waiting], outcomes: list[Outcome]) -> None:
        flow = self.flow
        flow.batches += 1
        flow.largest_batch = max(flow.largest_batch, len(batch))
        for one, outcome in zip(batch, outcomes, strict=True):
            if not one.kept.done():
                one.kept.set_result(outcome)
            if outcome is Outcome.KEPT:
                flow.kept += 1
                if one.event.status is EventStatus.RECEIVED:
                    self.arrived[one.event.urgent].set()
            elif outcome is Outcome.DUPLICATE:
                flow.duplicate += 1
            else:
                self.dropped.note(
                    outcome, event_name=one.event.shown_name, event_id=one.event.event_id
                )
        log_many(
            "inbox",
            "delivery.taken",
            [
                {
                    "event_name": one.event.shown_name,
                    "event_id": one.event.event_id[:16],
                    "outcome": outcome.value,
                }
                for one, outcome in zip(batch, outcomes, strict=True)
            ],
        )

    def _describe(self, delivery: VerifiedDelivery, event: Event, trace: str) -> KeptEvent | None:
        clock = self._context.clock()
        now = int(clock)
        # Later than the last one: no two events of a process have the same arrival time.
        self._last_arrival = arrival = max(self._last_arrival + 1, int(clock * 1_000_000))
        event_id = delivery_digest(self._client_id, delivery.body).hex()
        if event.name == APP_DEAUTHORIZED:
            removal = parse_app_deauthorized(event)
            if removal.client_id != self._client_id:
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
                arrival=arrival,
                trace=trace,
                signed_at=delivery.timestamp,
            )
        account_id, users = event.account_id or "", concerned_users(event)
        return KeptEvent(
            event_id,
            event.name,
            now,
            delivery.body,
            account_id=account_id,
            user_id=users[0] if users else "",
            concerned=users,
            event_ts=event.event_ts,
            marks=self._context.removal_marks(account_id, users),
            owners=self._context.owners_of(account_id, users),
            status=EventStatus.RECEIVED if self._wanted else EventStatus.FORWARDED,
            handed_on_at=None if self._wanted else now,
            next_attempt_at=now,
            arrival=arrival,
            trace=trace,
        )


def reopen_event(kept: KeptEvent, context: Context) -> KeptEvent:
    """Read the users of a kept event from its body again.

    Raises:
        EventInvalid: the body is not an event.
    """
    content = parse_kept_event(kept.body or b"")
    account_id, users = content.account_id or "", concerned_users(content)
    return replace(
        kept,
        account_id=account_id,
        user_id=users[0] if users else "",
        concerned=users,
        event_ts=content.event_ts,
        marks=context.removal_marks(account_id, users),
        owners=context.owners_of(account_id, users),
    )


def reopen_deauthorization(kept: KeptEvent) -> AppDeauthorized:
    """Parse a kept `app_deauthorized` again. Its encryption proves that it was verified.

    Raises:
        MessageMalformed, EventInvalid: the body is not such an event.
    """
    content = parse_json_object(kept.body or b"")
    return parse_app_deauthorized(Event(kept.name, None, kept.account_id, content["payload"]))
