"""A removal on one replica counts at once on every other one."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle.refreshing import Refreshing, refreshing
from paraph.errors import NotFound
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.active_access import ActiveAccess
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.model.grant import ZoomIdentity
from paraph.model.installation import Installation
from paraph.storage.database import open_store

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

RACES = int(os.environ.get("RACES", "100"))


async def test_nothing_is_vended_after_a_removal_elsewhere(
    tmp_path: Path, database_url: str
) -> None:
    """Whoever asks another replica after the removal has returned is refused, every time."""
    async with refreshing(tmp_path, database_url) as one:
        context = one.context
        store = await open_store(database_url, context.ring, randomness=os.urandom)
        elsewhere = ActiveAccess(replace(context, store=store), Refresher(context))
        served = 0
        for number in range(RACES):
            installation = await _another(one, number)
            removed = asyncio.Event()
            race = [asyncio.create_task(_ask(elsewhere, installation, removed)) for _ in range(4)]
            await asyncio.sleep(0)
            await remove_installation(context, installation.link.link_id, reason="race")
            removed.set()
            with pytest.raises(NotFound):
                await elsewhere.current(installation.link.link_id)
            served += sum(await asyncio.gather(*race))
        await store.close()
    # The races were races: before each removal somebody was served.
    assert served


async def _ask(access: ActiveAccess, installation: Installation, removed: asyncio.Event) -> int:
    """Ask until refused; how often it was served. Asking begun after the removal must not be."""
    served = 0
    while True:
        late = removed.is_set()
        try:
            await access.current(installation.link.link_id)
        except NotFound:
            return served
        assert not late
        served += 1
        # A read of a file may be done at once; the removal wants its turn too.
        await asyncio.sleep(0)


async def _another(one: Refreshing, number: int) -> Installation:
    context = one.context
    (found,) = await one.kit.installations()
    grant = replace(
        found.grant,
        grant_id=context.new_id(),
        identity=ZoomIdentity(context.client.client_id, f"account-{number}", "user"),
    )
    link = replace(
        found.link,
        link_id=context.new_id(),
        grant_id=grant.grant_id,
        subject=f"subject-{number}",
    )
    async with context.store.transaction() as tx:
        await tx.grants.add(grant)
        await tx.links.add(link)
    return Installation(grant, link)
