"""Housekeeping: finds owners of tokens, revokes queued tokens, deletes expired rows, keeps grants.

Each task takes a few rows at a time and may be interrupted anywhere. A row is deleted only when
its work is done, and doing the work twice changes nothing. Every replica runs these tasks, so each
attempt is claimed first: otherwise many replicas would use up an hour's attempts in a minute.
"""

from __future__ import annotations

from paraph.errors import PeerError, ResourceErrorResponse, TransportError
from paraph.lifecycle import audit
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import keep_newest_tokens
from paraph.lifecycle.link_request import FINISH_SECONDS
from paraph.lifecycle.removal import queue_revocation
from paraph.model.grant import Grant, OwnerlessTokens, Revocation, ZoomIdentity
from paraph.storage.scope import NOTHING_READ, account
from paraph.zoom.user import ZoomUser

BATCH = 20
# An unused refresh token expires after 90 days. A grant that was idle for two thirds of that time
# is refreshed once; the last month is left for outages.
IDLE_SECONDS = 60 * 86400
OWNERLESS_ATTEMPTS = 6
REVOCATION_ATTEMPTS = 12
_LONGEST_WAIT = 3600


def wait_before(attempt: int, *, first: int = 30) -> int:
    """Return the seconds before the next attempt: doubled each time, at most an hour.

    Args:
        attempt: the number of attempts so far.
        first: seconds before the second attempt.
    """
    return min(first << min(attempt, 12), _LONGEST_WAIT)


async def run_due_jobs(context: Context) -> None:
    """Run one round with the queued tokens that are due.

    Raises:
        StorageError: the database failed; the next round continues.
    """
    await ask_owners(context)
    await revoke_due(context)


async def delete_expired(context: Context) -> None:
    """Delete expired rows. They are refused by their time already and only take up space.

    Raises:
        StorageError: nothing was deleted.
    """
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.links.delete_expired_requests(now=context.now() - FINISH_SECONDS)
        await tx.used_states.delete_expired(now=context.now())
        await tx.idempotency.delete_expired(now=context.now())


async def keep_alive(context: Context, refresher: Refresher) -> int:
    """Refresh some grants that were idle for too long, before their refresh tokens expire.

    A grant in use is refreshed by its use.

    Returns:
        The number of grants that were due, at most BATCH.

    Raises:
        StorageError: the database failed.
    """
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


async def ask_owners(context: Context) -> None:
    """Ask Zoom again who owns the tokens whose owner is unknown.

    Raises:
        StorageError: the database failed.
    """
    async with context.store.reading() as tx:
        due = await tx.ownerless.due(now=context.now(), limit=BATCH)
    for ownerless in due:
        await _ask_owner(context, ownerless)


async def _ask_owner(context: Context, ownerless: OwnerlessTokens) -> None:
    attempts = ownerless.attempts + 1
    async with context.store.transaction(NOTHING_READ) as tx:
        later = context.now() + wait_before(attempts)
        if not await tx.ownerless.claim(
            ownerless.ownerless_id, attempts=ownerless.attempts, next_attempt_at=later
        ):
            return
    try:
        user = await context.resource_server.read_user(
            ownerless.tokens.api_server, access_token=ownerless.tokens.access_token
        )
    except (PeerError, TransportError) as error:
        if isinstance(error, ResourceErrorResponse) and error.peer_status == 401:
            # Zoom no longer knows this token: there is nothing to keep or to revoke.
            async with context.store.transaction(NOTHING_READ) as tx:
                await tx.ownerless.delete(ownerless.ownerless_id)
        elif attempts >= OWNERLESS_ATTEMPTS:
            await _drop(context, ownerless)
    else:
        await _give_to(context, ownerless, user)


async def _drop(context: Context, ownerless: OwnerlessTokens) -> None:
    async with context.store.transaction(NOTHING_READ) as tx:
        if await tx.ownerless.delete(ownerless.ownerless_id):
            await queue_revocation(tx, context, ownerless.tokens)
            await audit.record(tx, context, "tokens.ownerless_dropped")


async def _give_to(context: Context, ownerless: OwnerlessTokens, user: ZoomUser) -> None:
    """Replace the tokens of the grant that these belong to. Without a grant, revoke them."""
    identity = ZoomIdentity(ownerless.client_id, user.account_id, user.user_id)
    async with context.store.transaction(account(identity.client_id, identity.account_id)) as tx:
        if not await tx.ownerless.delete(ownerless.ownerless_id):
            return
        grant = await tx.grants.find(identity)
        if grant is None:
            await queue_revocation(tx, context, ownerless.tokens)
            await audit.record(tx, context, "tokens.ownerless_dropped")
        elif _is_later_consent(ownerless, grant):
            await keep_newest_tokens(tx, context, user, ownerless.tokens)


def _is_later_consent(ownerless: OwnerlessTokens, grant: Grant) -> bool:
    """Return True if these tokens are of a later consent than the grant's.

    The time at which the grant's tokens were received proves nothing. They may be of a refresh
    whose response came after this consent, which has invalidated them.
    """
    ours, theirs = ownerless.tokens.zoom_time, grant.granted_zoom_time
    if ours is not None and theirs is not None and ours != theirs:
        return ours > theirs
    return grant.granted_at <= ownerless.created_at


async def revoke_due(context: Context) -> None:
    """Revoke queued tokens at Zoom (RFC 7009).

    Raises:
        StorageError: the database failed; the tokens stay in the queue.
    """
    async with context.store.reading() as tx:
        due = await tx.revocations.due(now=context.now(), limit=BATCH)
    for revocation in due:
        await _revoke(context, revocation)


async def _revoke(context: Context, revocation: Revocation) -> None:
    async with context.store.transaction(NOTHING_READ) as tx:
        later = context.now() + wait_before(revocation.attempts)
        if not await tx.revocations.claim(
            revocation.revocation_id, attempts=revocation.attempts, next_attempt_at=later
        ):
            return
    try:
        await context.authorization_server.revoke(revocation.token)
    except (PeerError, TransportError):
        # An access token lives an hour: after the last attempt it has expired.
        if revocation.attempts + 1 < REVOCATION_ATTEMPTS:
            return
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.revocations.delete(revocation.revocation_id)
