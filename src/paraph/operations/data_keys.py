"""Adds missing data keys: to the grants of an earlier version, and of a restored backup.

Until a grant has its keys, the bodies of its events are sealed with the key ring alone, and a
removal deletes them one by one. So nothing depends on when the keys are added.
"""

from __future__ import annotations

from collections import defaultdict

from paraph.lifecycle.context import Context
from paraph.model.grant import ZoomIdentity
from paraph.storage.scope import account

BATCH = 200


async def add_data_keys(context: Context) -> bool:
    """Add the keys of some grants that lack one. Return True if there may be more.

    Raises:
        StorageError: the database failed.
    """
    async with context.store.reading() as tx:
        found = await tx.data_keys.grants_without(limit=BATCH)
    by_account: defaultdict[tuple[str, str], list[ZoomIdentity]] = defaultdict(list)
    for identity in found:
        by_account[identity.client_id, identity.account_id].append(identity)
    for place, identities in by_account.items():
        async with context.store.transaction(account(*place), adds_work=False) as tx:
            for identity in identities:
                # A grant that was removed since gets no key.
                if await tx.data_keys.has_grant(identity):
                    await tx.data_keys.add_missing(identity, context.random_bytes)
    return len(found) == BATCH


async def destroy_unowned_data_keys(context: Context) -> int:
    """Destroy the keys without a grant. Return their number.

    Replicas of version 0.1 delete grants and know no data keys. They seal nothing with them either.

    Raises:
        StorageError: the database failed.
    """
    async with context.store.reading() as tx:
        if not await tx.data_keys.has_unowned():
            return 0
    async with context.store.transaction(adds_work=False) as tx:
        return await tx.data_keys.destroy_unowned()
