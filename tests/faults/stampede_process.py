"""One process of a stampede. Usage: stampede_process.py PLAN TASKS; a line on stdin is a go."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from faults.chaos_replica import settings_of
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.active_access import Access, ActiveAccess
from paraph.service.context import open_context


async def _main(plan: dict[str, Any], tasks: int) -> None:
    async with open_context(settings_of(plan)) as (context, _readiness):
        access = ActiveAccess(context, Refresher(context))
        installation_id: str = plan["installation_id"]

        async def ask() -> tuple[Access, float]:
            began = time.perf_counter()
            found = await access.current(installation_id)
            return found, time.perf_counter() - began

        async def demand_works(found: Access) -> None:
            owner = await context.resource_server.read_user(
                found.api_server, access_token=found.access_token
            )
            assert owner.user_id == plan["users"][0]

        # The connections are open, as in a process that has been running for a while.
        await access.current(installation_id)
        await context.store.ping()
        async with context.store.reading() as tx:
            await tx.grants.get(plan["grant_id"])
        print("ready", flush=True)  # noqa: T201 - The protocol with the parent.
        while await asyncio.to_thread(sys.stdin.readline):
            done = await asyncio.gather(*(ask() for _ in range(tasks)))
            vended = {found.access_token.reveal(): found for found, _ in done}
            for found in vended.values():
                await demand_works(found)
            answer = {"tokens": sorted(vended), "slowest": max(took for _, took in done)}
            print(json.dumps(answer), flush=True)  # noqa: T201 - The same.
        await access.close()


if __name__ == "__main__":
    asyncio.run(_main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])))
