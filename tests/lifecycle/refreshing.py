"""A service with one installation, and replicas of it whose clock the test owns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.model.event import KeptEvent
from paraph.model.grant import Grant
from paraph.model.phase import Phase
from paraph.storage.database import open_store
from service_kit import Kit, running


@dataclass
class Refreshing:
    """One grant, and everybody who may refresh it."""

    kit: Kit
    context: Context
    grant_id: str
    stack: AsyncExitStack
    later: float = 0.0
    pauses: list[float] = field(default_factory=list)

    async def replica(self, **changes: Any) -> Refresher:
        """Another process's refresher: a store of its own, and only the database in common."""
        url = self.kit.settings.database_url
        store = await open_store(url, self.context.ring, randomness=os.urandom)
        self.stack.push_async_callback(store.close)
        refresher = self.refresher(replace(self.context, store=store), **changes)
        self.stack.push_async_callback(refresher.close)
        return refresher

    def refresher(self, context: Context | None = None, **changes: Any) -> Refresher:
        """A refresher that waits without waiting: its pauses move the clock."""
        return Refresher(context or self.context, **{"sleep": self.sleep, **changes})

    async def sleep(self, seconds: float) -> None:
        """Let the clock go on by so much, and the others have their turn."""
        self.pauses.append(seconds)
        self.later += seconds
        await asyncio.sleep(0.005)

    def clock(self) -> float:
        """The real time, and what was slept through."""
        return self.kit.service.context.clock() + self.later

    async def grant(self) -> Grant:
        """The grant as it is kept."""
        found = await self.find()
        assert found is not None
        return found

    async def find(self) -> Grant | None:
        """The grant, if it is still there."""
        async with self.context.store.reading() as tx:
            return await tx.grants.get(self.grant_id)

    async def set_phase(self, phase: Phase) -> None:
        """What another part of the service decided meanwhile."""
        async with self.context.store.transaction() as tx:
            assert await tx.grants.set_phase(self.grant_id, phase, reason="meanwhile")

    async def remove(self) -> None:
        """What a removal does meanwhile."""
        async with self.context.store.transaction() as tx:
            grant = await tx.grants.get(self.grant_id)
            assert grant is not None
            await remove_grant(
                tx, self.context, grant, Removal("test", self.context.now(), revoke=False)
            )

    def asked(self) -> int:
        """How often Zoom was asked for a refresh: of all requests, the exchange is none."""
        return len(self.kit.token_requests()) - 1

    def fault(self, name: str, **parameters: Any) -> None:
        """Let Zoom misbehave."""
        self.kit.zoom.simulator.faults.switch_on(name, parameters)

    async def until_begun(self) -> None:
        """Wait until somebody has the right to ask."""
        async with asyncio.timeout(20):
            while not await self._held():  # noqa: ASYNC110 - Another process's state has no event.
                await asyncio.sleep(0.005)

    async def _held(self) -> bool:
        async with self.context.store.reading() as tx:
            attempt = await tx.refreshes.get(self.grant_id)
        return attempt is not None and bool(attempt.holder)

    async def notices(self) -> list[KeptEvent]:
        """What the host will hear of grants that died."""
        told = await self.all_notices()
        return [one for one in told if one.name == "installation.needs_reauthorization"]

    async def all_notices(self) -> list[KeptEvent]:
        """Everything that the host will hear, in order."""
        async with self.context.store.reading() as tx:
            page = await tx.events.page(limit=100)
            found = [await tx.events.get(one.event_id) for one in page]
        return sorted((one for one in found if one and one.notice), key=lambda one: one.arrival)


@asynccontextmanager
async def refreshing(folder: Path, database_url: str) -> AsyncIterator[Refreshing]:
    """A service whose one installation is Jane's."""
    async with running(folder, database_url=database_url) as kit, AsyncExitStack() as stack:
        async with kit.browser() as browser:
            assert 303 == (await kit.install(browser)).status_code
        (installation,) = await kit.installations()
        made = Refreshing(kit, kit.service.context, installation.grant.grant_id, stack)
        made.context = replace(kit.service.context, clock=made.clock)
        yield made
