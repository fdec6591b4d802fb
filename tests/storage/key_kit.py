"""Grants with data keys, events under them, and removals, at the level of the store."""

from __future__ import annotations

import os
from typing import Any

from paraph.model.event import KeptEvent, Outcome
from paraph.model.grant import ZoomIdentity
from paraph.storage.database import Database
from storage import sample
from storage.sample import ACCOUNT, CLIENT


async def install(store: Database, *marks: str, account_id: str = ACCOUNT) -> None:
    """Grants with links and data keys, as an installation adds them."""
    async with store.transaction() as tx:
        for mark in marks:
            identity = ZoomIdentity(CLIENT, account_id, f"user-{mark}")
            grant_id = f"grant-{mark}-{account_id}"
            await tx.grants.add(sample.grant(mark, grant_id=grant_id, identity=identity))
            if account_id == ACCOUNT:
                await tx.links.add(sample.link(mark, grant_id=grant_id))
            await tx.data_keys.add_missing(identity, os.urandom)


async def remove(store: Database, mark: str, account_id: str = ACCOUNT) -> int | None:
    """Delete a grant, as every removal does. Return the number of destroyed keys."""
    async with store.transaction() as tx:
        return await tx.grants.delete(f"grant-{mark}-{account_id}")


async def keep(store: Database, mark: str, *users: str, **changes: Any) -> KeptEvent:
    """Keep an event of the account that concerns these users, or the account without one."""
    account_id = changes.get("account_id", ACCOUNT)
    owners = tuple((account_id, user) for user in users) or ((account_id, ""),)
    arrival = sample.event().arrival + int(mark)
    event = sample.event(mark, concerned=users, owners=owners, arrival=arrival, **changes)
    assert [Outcome.KEPT] == await store.keep_events([event], client_id=CLIENT)
    return event


async def get(store: Database, event: KeptEvent) -> KeptEvent:
    """The event as an operator reads it."""
    async with store.reading() as tx:
        found = await tx.events.get(event.event_id)
    assert found is not None
    return found


async def is_readable(store: Database, event: KeptEvent) -> bool:
    """Whether the body comes back."""
    body = (await get(store, event)).body
    assert body in {None, event.body}
    return body is not None
