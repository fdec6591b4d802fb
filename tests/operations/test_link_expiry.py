"""Unconfirmed links are looked for only when there may be one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lifecycle.linking import handoff_of
from paraph.lifecycle.link import PENDING_SECONDS
from paraph.operations.housekeeping import LinkExpiry
from service_kit import running

pytestmark = pytest.mark.anyio


async def test_links_are_looked_for_after_an_audit_entry_and_at_their_expiry(
    tmp_path: Path,
) -> None:
    """A new link has an audit entry; without one the table is not read again."""
    async with running(tmp_path, linking="host") as kit:
        clock = kit.service.context.clock
        later = [0.0]
        context = replace(kit.service.context, clock=lambda: clock() + later[0])
        expiry = LinkExpiry(context)

        async def due() -> int | None:
            return expiry.due(await context.store.read_due_times(""))

        assert 0 == await due()
        await expiry.run()
        assert None is await due()

        api = await kit.api()
        async with api:
            await handoff_of(kit, api, "tenant:ada")
        assert 0 == await due()
        before = context.now()
        await expiry.run()
        at: Any = await due()
        assert before - 60 <= at - PENDING_SECONDS <= before

        later[0] = PENDING_SECONDS + 1.0
        await expiry.run()
        # The end of the link has an audit entry.
        assert 0 == await due()
        await expiry.run()
        assert None is await due()
