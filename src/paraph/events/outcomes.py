"""Stores the outcomes of deliveries, many in one transaction.

No delivery waits until its outcome is stored. Outcomes gather for a moment, and while a
transaction is being flushed. An outcome that could not be stored is tried again. At worst the lease
runs out and the event is delivered again, as it is when the process dies at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from paraph.errors import ParaphError
from paraph.lifecycle.context import Context
from paraph.logs import get_logger, log_many
from paraph.model.event import KeptEvent
from paraph.storage.scope import NOTHING_READ
from paraph.storage.stores.events.event import EventStore

GATHER_SECONDS = 0.025
RETRY_SECONDS = 1.0
LARGEST = 256

_log = get_logger("dispatch")


class _Kind(Enum):
    FORWARDED = "forwarded"
    POSTPONED = "postponed"
    DEAD = "dead"
    RELEASED = "released"
    DROPPED = "dropped"
    PURGED = "purged"


_LABELS = {
    _Kind.FORWARDED: "forwarded",
    _Kind.POSTPONED: "retried",
    _Kind.DEAD: "dead",
    _Kind.DROPPED: "stale",
}


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The outcome of one attempt. Create it with a class method.

    Attributes:
        kind: the outcome.
        event: the claimed event.
        failure: the failure text, for an operator.
        at: the time of the next attempt, in epoch seconds, or 0.
        counts: False if the attempt does not count.
    """

    kind: _Kind
    event: KeptEvent
    failure: str = ""
    at: int = 0
    counts: bool = True

    @property
    def label(self) -> str:
        """The outcome as the metric names it; "" if there was nothing to deliver."""
        return _LABELS.get(self.kind, "")

    @classmethod
    def forwarded(cls, event: KeptEvent) -> AttemptOutcome:
        """The destination accepted the event."""
        return cls(_Kind.FORWARDED, event)

    @classmethod
    def postponed(
        cls, event: KeptEvent, failure: str, *, at: int, counts: bool = True
    ) -> AttemptOutcome:
        """The attempt failed; the next one is at `at`, in epoch seconds."""
        return cls(_Kind.POSTPONED, event, failure, at, counts)

    @classmethod
    def dead(cls, event: KeptEvent, failure: str) -> AttemptOutcome:
        """The last attempt failed."""
        return cls(_Kind.DEAD, event, failure)

    @classmethod
    def dropped(cls, event: KeptEvent, why: str) -> AttemptOutcome:
        """The event is not delivered, because it is no longer true."""
        return cls(_Kind.DROPPED, event, why)

    @classmethod
    def purged(cls, event: KeptEvent) -> AttemptOutcome:
        """A removal has destroyed the content: there is nothing to deliver."""
        return cls(_Kind.PURGED, event)

    @classmethod
    def released(cls, event: KeptEvent) -> AttemptOutcome:
        """The event was not tried: another worker may claim it at once."""
        return cls(_Kind.RELEASED, event)


class OutcomeWriter:
    """Stores outcomes in batches, in the background.

    Args:
        context: the store.
        gather: seconds for which outcomes gather before they are stored.
        written: called with the events of each batch after it was stored.
    """

    def __init__(
        self,
        context: Context,
        *,
        gather: float = GATHER_SECONDS,
        written: Callable[[Sequence[KeptEvent]], None] = lambda _events: None,
    ) -> None:
        self._context = context
        self._gather = gather
        self._written = written
        self._waiting: list[AttemptOutcome] = []
        self._logged = 0
        self._work: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._closing = False

    def add(self, outcome: AttemptOutcome) -> None:
        """Queue an outcome to be stored soon."""
        self._waiting.append(outcome)
        if len(self._waiting) >= LARGEST:
            self._enough.set()
        if self._work is None:
            self._work = asyncio.create_task(self._write_all(), name="outcomes")

    async def close(self) -> None:
        """Store the queued outcomes. If that fails, their leases run out."""
        self._closing = True
        self._enough.set()
        if self._work is not None:
            await asyncio.wait((self._work,))

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._wait_for_more()
                batch = self._waiting[:LARGEST]
                self._log_forwarded(batch)
                try:
                    adds_work = any(one.kind is not _Kind.FORWARDED for one in batch)
                    async with self._context.store.transaction(
                        NOTHING_READ, adds_work=adds_work
                    ) as tx:
                        await self._write(tx.events, batch)
                except ParaphError as error:
                    _log.warning("dispatch.not_noted", error_code=error.code, why=error.detail)
                    if self._closing:
                        return
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    del self._waiting[: len(batch)]
                    self._logged -= len(batch)
                    self._written([one.event for one in batch])
        finally:
            self._work = None

    async def _wait_for_more(self) -> None:
        if not self._gather or len(self._waiting) >= LARGEST or self._closing:
            return
        self._enough.clear()
        try:
            async with asyncio.timeout(self._gather):
                await self._enough.wait()
        except TimeoutError:
            return

    def _log_forwarded(self, batch: Sequence[AttemptOutcome]) -> None:
        """Log each delivered event once, however often storing it is tried."""
        fresh, self._logged = batch[self._logged :], max(self._logged, len(batch))
        done = [one.event for one in fresh if one.kind is _Kind.FORWARDED]
        if done:
            log_many(
                "dispatch",
                "event.forwarded",
                [
                    {
                        "event_id": event.event_id[:16],
                        "event_name": event.name,
                        "attempts": event.attempts,
                    }
                    for event in done
                ],
            )

    async def _write(self, events: EventStore, batch: list[AttemptOutcome]) -> None:
        now = self._context.now()
        done = [one.event for one in batch if one.kind is _Kind.FORWARDED]
        for drop_bodies in (True, False):
            some = [event for event in done if event.urgent is drop_bodies]
            if some:
                await events.mark_forwarded(some, now=now, drop_bodies=drop_bodies)
        for one in batch:
            if one.kind is _Kind.POSTPONED:
                await events.postpone(
                    one.event, next_attempt_at=one.at, failure=one.failure, counts=one.counts
                )
            elif one.kind is _Kind.DEAD:
                await events.give_up(one.event, failure=one.failure)
            elif one.kind is _Kind.DROPPED:
                await events.drop(one.event, now=now, failure=one.failure)
            elif one.kind is _Kind.RELEASED:
                await events.release(one.event, now=now)
            elif one.kind is _Kind.PURGED:
                await events.purge(one.event)
