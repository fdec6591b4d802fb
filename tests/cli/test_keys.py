"""`paraph keys`, as an operator runs it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from cli.commands import run_command
from paraph.model.deployment import Replica
from paraph.operations.replica import LIVE_SECONDS
from paraph.service.context import open_context
from paraph.settings.loading import load_settings


def test_status_says_how_old_the_report_of_a_replica_is(folder: Path) -> None:
    """A replica that was killed is listed for a while, and the status does not call it alive."""

    async def report_once() -> None:
        async with open_context(load_settings(folder / "paraph.toml")) as (context, _readiness):
            ring, now = context.ring, context.now()
            async with context.store.transaction() as tx:
                await tx.replicas.put(Replica("r", "host:1", ring.key_ids, ring.key_id, now - 20))

    asyncio.run(report_once())
    status = run_command(folder, "keys", "status")
    age = re.search(r"replica +host:1: .*\n +last report ([0-9]+) s ago\n", status.out)
    assert age is not None, status.out
    assert 20 <= int(age[1]) < LIVE_SECONDS
    assert f"listed until {LIVE_SECONDS} s after its last report" in status.out
