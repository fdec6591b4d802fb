"""Dispatch: what was kept is handed on, at least once, until it is done or dead.

Deauthorizations have a road of their own: no backlog and no slow host delays them, and they
are never given up. Everything else is retried with growing waits and then kept as a dead
letter, which blocks nobody.
"""

from __future__ import annotations

import asyncio

from paraph.errors import ParaphError
from paraph.events.forward import Forwarder
from paraph.events.inbox import Inbox, reopen_deauthorization
from paraph.lifecycle import deauthorization
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.housekeeping import wait_before
from paraph.logs import get_logger
from paraph.storage.records import EventStatus, KeptEvent

ATTEMPTS = 12
BATCH = 20
POLL_SECONDS = 1.0

_log = get_logger("dispatch")


class Dispatcher:
    """Takes what is due from the inbox and sees it through.

    Args:
        context: see there.
        inbox: whose arrivals wake the dispatcher.
        refresher: decides unclear deauthorizations.
        forwarder: None where the host wants nothing forwarded.
    """

    def __init__(
        self, context: Context, inbox: Inbox, refresher: Refresher, forwarder: Forwarder | None
    ) -> None:
        self._context = context
        self._inbox = inbox
        self._refresher = refresher
        self._forwarder = forwarder

    async def run(self) -> None:
        """Dispatch until cancelled. What is in flight then is taken up again at the next start."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._loop(urgent=True))
            tasks.create_task(self._loop(urgent=False))

    async def _loop(self, *, urgent: bool) -> None:
        arrived = self._inbox.arrived[urgent]
        while True:
            arrived.clear()
            try:
                busy = await self.round(urgent=urgent)
            except ParaphError as error:
                _log.warning("dispatch.interrupted", error_code=error.code, why=error.detail)
                busy = False
            if not busy:
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await arrived.wait()
                except TimeoutError:
                    continue

    async def round(self, *, urgent: bool) -> bool:
        """Everything of one road that is due now. False: there was nothing."""
        async with self._context.store.reading() as tx:
            due = await tx.events.due(now=self._context.now(), limit=BATCH, urgent=urgent)
        for event in due:
            await self._see_through(event)
        return bool(due)

    async def _see_through(self, event: KeptEvent) -> None:
        try:
            if event.urgent:
                await self._deauthorize(event)
            elif self._forwarder is not None:
                await self._forwarder.forward(event)
        except ParaphError as error:
            await self._failed(event, f"{error.code}: {error.detail}")
            return
        except Exception as error:  # noqa: BLE001 - One poisoned event must not stop the others.
            await self._failed(event, f"unexpected: {type(error).__name__}")
            return
        async with self._context.store.transaction() as tx:
            await tx.events.settle(
                event.event_id,
                status=EventStatus.HANDED_ON,
                now=self._context.now(),
                drop_body=event.urgent,
            )
        _log.info("event.handed_on", event_name=event.name, attempts=event.attempts + 1)

    async def _deauthorize(self, event: KeptEvent) -> None:
        await deauthorization.carry_out(
            self._context,
            self._refresher,
            reopen_deauthorization(event),
            received_at=event.received_at,
        )

    async def _failed(self, event: KeptEvent, failure: str) -> None:
        now = self._context.now()
        async with self._context.store.transaction() as tx:
            if event.urgent or event.attempts + 1 < ATTEMPTS:
                wait = wait_before(event.attempts, first=5)
                await tx.events.postpone(
                    event.event_id, next_attempt_at=now + wait, failure=failure
                )
            else:
                await tx.events.settle(
                    event.event_id, status=EventStatus.DEAD, now=now, failure=failure
                )
        _log.warning(
            "event.not_handed_on", event_name=event.name, attempts=event.attempts + 1, why=failure
        )
