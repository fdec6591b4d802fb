"""What became of events under way, written down together.

The same group commit as the inbox's: while one transaction is being flushed, the next verdicts
gather. A verdict that cannot be written is tried again; at worst the lease runs out and the
event is handed on once more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum

from paraph.errors import ParaphError
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.storage.protocols import EventStore
from paraph.storage.records import KeptEvent
from paraph.storage.scope import NOTHING_READ

RETRY_SECONDS = 1.0
LARGEST = 256

_log = get_logger("dispatch")


class _Kind(Enum):
    HANDED_ON = "handed_on"
    POSTPONED = "postponed"
    DEAD = "dead"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one claim. Made by its four class methods."""

    kind: _Kind
    event: KeptEvent
    failure: str = ""
    at: int = 0

    @classmethod
    def handed_on(cls, event: KeptEvent) -> Verdict:
        """The other side has it."""
        return cls(_Kind.HANDED_ON, event)

    @classmethod
    def postponed(cls, event: KeptEvent, failure: str, *, at: int) -> Verdict:
        """It failed, and is tried again at this time."""
        return cls(_Kind.POSTPONED, event, failure, at)

    @classmethod
    def dead(cls, event: KeptEvent, failure: str) -> Verdict:
        """It failed for the last time."""
        return cls(_Kind.DEAD, event, failure)

    @classmethod
    def released(cls, event: KeptEvent) -> Verdict:
        """Nothing happened: somebody else may have it at once."""
        return cls(_Kind.RELEASED, event)


class Settlements:
    """Writes verdicts, in batches, in the background."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: list[Verdict] = []
        self._work: asyncio.Task[None] | None = None
        self._closing = False

    def add(self, verdict: Verdict) -> None:
        """Have it written soon."""
        self._waiting.append(verdict)
        if self._work is None:
            self._work = asyncio.create_task(self._write_all(), name="settlements")

    async def close(self) -> None:
        """Write what there is; what cannot be written now is left to the leases."""
        self._closing = True
        if self._work is not None:
            await asyncio.wait((self._work,))

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:LARGEST]
                try:
                    async with self._context.store.transaction(NOTHING_READ) as tx:
                        await self._write(tx.events, batch)
                except ParaphError as error:
                    _log.warning("dispatch.not_noted", error_code=error.code, why=error.detail)
                    if self._closing:
                        return
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    del self._waiting[: len(batch)]
        finally:
            self._work = None

    async def _write(self, events: EventStore, batch: list[Verdict]) -> None:
        now = self._context.now()
        done = [one.event for one in batch if one.kind is _Kind.HANDED_ON]
        for drop_bodies in (True, False):
            ids = [event.event_id for event in done if event.urgent is drop_bodies]
            if ids:
                await events.hand_on(ids, now=now, drop_bodies=drop_bodies)
        for one in batch:
            if one.kind is _Kind.POSTPONED:
                await events.postpone(one.event, next_attempt_at=one.at, failure=one.failure)
            elif one.kind is _Kind.DEAD:
                await events.give_up(one.event, failure=one.failure)
            elif one.kind is _Kind.RELEASED:
                await events.release(one.event, now=now)
