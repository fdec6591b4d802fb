"""Leases: allow one replica at a time to ask Zoom for a grant's next token set.

Zoom's refresh tokens work once. So a second request is not only useless: Zoom refuses the spent
token as if the grant had ended. A lease is well longer than the request's whole deadline, so its
holder either finishes before it ends or has died.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph.errors import Conflict, PeerUnavailable
from paraph.lifecycle.context import Context
from paraph.model.grant import Grant, RefreshAttempt
from paraph.storage.scope import NOTHING_READ
from paraph.storage.transaction import Transaction

LEASE_SECONDS = 30
FIRST_WAIT = 2
LONGEST_WAIT = 300


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to refresh one token set. `doubtful`: an earlier holder's outcome is unknown.

    That holder may have asked and Zoom may have rotated the tokens, so a refusal proves nothing.
    """

    grant: Grant
    holder: str
    doubtful: bool
    failures: int


async def take(context: Context, grant: Grant, *, seconds: int) -> Lease | None:
    """Take the lease of a grant's token set. Return None if it is held, or the grant is gone."""
    now = context.now()
    attempt = RefreshAttempt(
        grant.grant_id, grant.token_version, context.new_id(), now, now + seconds
    )
    try:
        async with context.store.transaction(NOTHING_READ) as tx:
            # Only to read the previous attempt; the lease itself is a single statement.
            earlier = await tx.refreshes.get(grant.grant_id)
            if not await tx.refreshes.begin(attempt, now=now):
                return None
            current = await tx.grants.get(grant.grant_id)
    except Conflict:
        return None
    if current is None or current.token_version != grant.token_version:
        # A new set arrived while the lease was taken: no request is needed.
        await release(context, Lease(grant, attempt.holder, doubtful=False, failures=0))
        return None
    same = earlier is not None and earlier.token_version == grant.token_version
    return Lease(
        grant=current,
        holder=attempt.holder,
        doubtful=same and earlier is not None and bool(earlier.holder),
        failures=earlier.failures if same and earlier is not None else 0,
    )


async def may_be_tried(tx: Transaction, context: Context, grant: Grant) -> bool:
    """Return True if trying for the lease is worthwhile.

    Raises:
        PeerUnavailable: an attempt failed a moment ago, and the next one must wait.
    """
    attempt = await tx.refreshes.get(grant.grant_id)
    now = context.now()
    if attempt is None or attempt.token_version != grant.token_version:
        return attempt is None or attempt.lease_until <= now
    if attempt.lease_until > now:
        return False
    if attempt.next_attempt_at > now:
        raise PeerUnavailable(503, attempt.next_attempt_at)
    return True


async def release(context: Context, lease: Lease) -> None:
    """Release a lease under which nothing more will be done."""
    async with context.store.transaction(NOTHING_READ) as tx:
        await end(tx, lease)


async def end(tx: Transaction, lease: Lease) -> None:
    """Release a lease in the transaction that writes its outcome."""
    await tx.refreshes.end(lease.grant.grant_id, holder=lease.holder)


async def postpone(context: Context, lease: Lease, *, at_least: int = 0) -> int:
    """Release a lease after a failure. Return the time before which no replica tries again."""
    wait = min(FIRST_WAIT << min(lease.failures, 10), LONGEST_WAIT)
    at = max(context.now() + wait, at_least)
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.refreshes.postpone(lease.grant.grant_id, holder=lease.holder, next_attempt_at=at)
    return at
