"""A dispatcher at work, and a host whose conduct is decided by what it is handed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from events.inbox_kit import kept
from paraph.errors import TransportError
from paraph.events.dispatch import Dispatcher
from paraph.events.inbox import Inbox
from paraph.events.recipients import Recipients
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus, KeptEvent
from paraph.model.installation import Recipient


class Host:
    """Who is handed the events; what it does with one is decided by its mark."""

    def __init__(self, **conduct: Callable[[], Awaitable[object]]) -> None:
        self.conduct = conduct
        self.seen: list[str] = []
        self.concerned: dict[str, Sequence[Recipient]] = {}
        self.arrived = asyncio.Event()

    async def forward(self, event: KeptEvent, recipients: Recipients) -> None:
        """Note it, then behave."""
        mark = mark_of(event)
        self.seen.append(mark)
        self.concerned[mark] = recipients.installations
        self.arrived.set()
        if mark in self.conduct:
            await self.conduct[mark]()

    async def until(self, *marks: str) -> None:
        """Wait until all of these were seen."""
        while not set(marks) <= set(self.seen):
            self.arrived.clear()
            await self.arrived.wait()


def mark_of(event: KeptEvent) -> str:
    """The mark that `meeting` put in."""
    return (event.body or b"").split(b'"uuid": "')[1].split(b'"')[0].decode()


@asynccontextmanager
async def dispatching(
    context: Context, host: Host, *, inbox: Inbox | None = None, **options: Any
) -> AsyncIterator[Dispatcher]:
    """A dispatcher at work for the length of a block."""
    dispatcher = Dispatcher(
        context,
        inbox or Inbox(context),
        Refresher(context),
        [host],
        monotonic=time.monotonic,
        **options,
    )
    work = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        await dispatcher.stop(grace=0.2)
        await work


async def one_with(context: Context, mark: str) -> KeptEvent:
    """The kept event with this mark."""
    return next(one for one in await kept(context) if mark_of(one) == mark)


async def until_status(context: Context, mark: str, status: EventStatus) -> KeptEvent:
    """Wait until an event stands so."""
    while True:
        found = await one_with(context, mark)
        if found.status is status:
            return found
        await asyncio.sleep(0.01)


async def until_failed(context: Context, mark: str) -> KeptEvent:
    """Wait until a failure is noted."""
    while True:
        found = await one_with(context, mark)
        if found.failure:
            return found
        await asyncio.sleep(0.01)


async def hang() -> None:
    """Never end."""
    await asyncio.Event().wait()


async def refuse() -> None:
    """Fail in a way that we know."""
    raise TransportError("the host did not answer: ConnectError")


async def throw() -> None:
    """Fail in a way that only the host knows; its words may hold anything."""
    raise ValueError("canary in foreign words")
