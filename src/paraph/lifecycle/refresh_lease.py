"""Leases: who may ask Zoom for a grant's next token set, on any replica.

Zoom's refresh tokens work once, so a second request is not only useless: it meets a spent token
and looks as if the grant were dead. The lease is well longer than the request's whole deadline.
Who has one is either done before it ends, or dead.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph.errors import Conflict, PeerUnavailable
from paraph.lifecycle.context import Context
from paraph.storage.protocols import Transaction
from paraph.storage.records import Grant, RefreshAttempt
from paraph.storage.scope import NOTHING_READ

LEASE_SECONDS = 30
FIRST_WAIT = 2
LONGEST_WAIT = 300


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to ask, for one token set. `doubtful`: an earlier holder was never heard of again.

    That one may have asked, and Zoom may have answered; so a refusal need not mean what it says.
    """

    grant: Grant
    holder: str
    doubtful: bool
    failures: int


async def take(context: Context, grant: Grant, *, seconds: int) -> Lease | None:
    """Take the lease of a grant's token set. None: somebody else has it, or the grant is gone."""
    now = context.now()
    attempt = RefreshAttempt(
        grant.grant_id, grant.token_version, context.new_id(), now, now + seconds
    )
    try:
        async with context.store.transaction(NOTHING_READ) as tx:
            # Only for what is known about the attempt before; the lease itself is one statement.
            earlier = await tx.refreshes.get(grant.grant_id)
            if not await tx.refreshes.begin(attempt, now=now):
                return None
            current = await tx.grants.get(grant.grant_id)
    except Conflict:
        return None
    if current is None or current.token_version != grant.token_version:
        # A new set arrived while the lease was taken: it is the answer, and nobody need ask.
        await give_back(context, Lease(grant, attempt.holder, doubtful=False, failures=0))
        return None
    same = earlier is not None and earlier.token_version == grant.token_version
    return Lease(
        grant=current,
        holder=attempt.holder,
        doubtful=same and earlier is not None and bool(earlier.holder),
        failures=earlier.failures if same and earlier is not None else 0,
    )


async def may_be_tried(tx: Transaction, context: Context, grant: Grant) -> bool:
    """Whether it is worth to try for the lease.

    Raises:
        PeerUnavailable: nobody asks now, since asking failed a moment ago.
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


async def give_back(context: Context, lease: Lease) -> None:
    """End a lease under which nothing more is to be done."""
    async with context.store.transaction(NOTHING_READ) as tx:
        await end(tx, lease)


async def end(tx: Transaction, lease: Lease) -> None:
    """End a lease within the transaction that writes its outcome."""
    await tx.refreshes.end(lease.grant.grant_id, holder=lease.holder)


async def postpone(context: Context, lease: Lease, *, at_least: int = 0) -> int:
    """Give a lease back after a failure; the time before which nobody asks again."""
    wait = min(FIRST_WAIT << min(lease.failures, 10), LONGEST_WAIT)
    at = max(context.now() + wait, at_least)
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.refreshes.postpone(lease.grant.grant_id, holder=lease.holder, next_attempt_at=at)
    return at
