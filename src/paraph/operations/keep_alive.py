"""Keeps idle grants alive: an unused refresh token expires after 90 days.

A grant in use is refreshed by its use. One that was idle for two thirds of that time is refreshed
here once; the last month is left for outages.
"""

from __future__ import annotations

from paraph.errors import PeerError, TransportError
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context

IDLE_SECONDS = 60 * 86400
BATCH = 20


async def keep_alive(context: Context, refresher: Refresher) -> int:
    """Refresh some grants that were idle for too long. Return how many were due."""
    now = context.now()
    async with context.store.reading() as tx:
        idle = await tx.grants.idle_since(now - IDLE_SECONDS, now=now, limit=BATCH)
    for grant in idle:
        try:
            await refresher.refresh(grant.grant_id)
        except (PeerError, TransportError):
            # The refresher has recorded the outcome: try later, or never again.
            continue
    return len(idle)
