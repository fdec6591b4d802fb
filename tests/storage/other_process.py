"""Another process on the same database. Usage: other_process.py URL ROLE [COUNT]."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from paraph.storage.database import Database, open_store
from storage.sample import event, grant, link, ring


async def increment(store: Database) -> None:
    """Read a grant's time and write the next one, in one transaction."""
    async with store.transaction() as tx:
        found = await tx.grants.get("grant-1")
        assert found is not None
        await asyncio.sleep(0)
        await tx.grants.renew_consent(replace(found, granted_at=found.granted_at + 1))


async def _write_and_wait(store: Database) -> None:
    async with store.transaction() as tx:
        await tx.events.add(event("kept"))
    async with store.transaction() as tx:
        await tx.grants.add(grant("half"))
        await tx.links.add(link("half"))
        await tx.events.add(event("half"))
        _say("written")
        await asyncio.Event().wait()


def _say(words: str) -> None:
    sys.stdout.write(words)
    sys.stdout.flush()


async def _main(url: str, role: str, count: int) -> None:
    store = await open_store(url, ring(), randomness=os.urandom)
    if role == "identity":
        _say(store.database_id)
    elif role == "increment":
        for _ in range(count):
            await increment(store)
    elif role == "write-and-wait":
        await _write_and_wait(store)
    await store.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int((sys.argv[3:] or ["0"])[0])))
