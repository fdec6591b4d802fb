"""What is done later: owners asked about again, tokens revoked, what ran out let go.

Each task takes a few rows at a time and can be interrupted anywhere: a row goes only when its
work is done, and doing it twice changes nothing.
"""

from __future__ import annotations

from paraph.errors import PeerError, PeerUnavailable, ResourceErrorResponse, TransportError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import keep_consent, queue_revocation
from paraph.lifecycle.link import expire_pending
from paraph.storage.records import OwnerlessTokens, Revocation, ZoomIdentity
from paraph.storage.scope import NOTHING_READ, account
from paraph.zoom.user import ZoomUser

BATCH = 20
OWNERLESS_ATTEMPTS = 6
REVOCATION_ATTEMPTS = 12
_LONGEST_WAIT = 3600


def wait_before(attempt: int, *, first: int = 30) -> int:
    """Seconds to wait before the next attempt: doubled each time, an hour at most."""
    return min(first << min(attempt, 12), _LONGEST_WAIT)


async def tidy(context: Context) -> None:
    """One round of everything that is due."""
    await expire_pending(context)
    await ask_owners(context)
    await revoke_due(context)
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.used_states.delete_expired(now=context.now())
        await tx.idempotency.delete_expired(now=context.now())


async def ask_owners(context: Context) -> None:
    """Ask again whose ownerless tokens these are."""
    async with context.store.reading() as tx:
        due = await tx.ownerless.due(now=context.now(), limit=BATCH)
    for ownerless in due:
        await _ask_owner(context, ownerless)


async def _ask_owner(context: Context, ownerless: OwnerlessTokens) -> None:
    tokens = ownerless.tokens
    try:
        user = await context.resource_server.read_user(
            tokens.api_server, access_token=tokens.access_token
        )
    except (PeerUnavailable, TransportError):
        await _ask_later(context, ownerless)
    except ResourceErrorResponse as error:
        # 401: Zoom itself no longer knows this token; there is nothing left to keep or to kill.
        if error.status == 401:
            async with context.store.transaction(NOTHING_READ) as tx:
                await tx.ownerless.delete(ownerless.ownerless_id)
        else:
            await _ask_later(context, ownerless)
    except PeerError:
        await _ask_later(context, ownerless)
    else:
        await _give_to(context, ownerless, user)


async def _ask_later(context: Context, ownerless: OwnerlessTokens) -> None:
    async with context.store.transaction(NOTHING_READ) as tx:
        if ownerless.attempts + 1 < OWNERLESS_ATTEMPTS:
            await tx.ownerless.postpone(
                ownerless.ownerless_id,
                next_attempt_at=context.now() + wait_before(ownerless.attempts + 1),
            )
        elif await tx.ownerless.delete(ownerless.ownerless_id):
            await queue_revocation(tx, context, ownerless.tokens)
            await audit.record(tx, context, "tokens.ownerless_dropped")


async def _give_to(context: Context, ownerless: OwnerlessTokens, user: ZoomUser) -> None:
    """Replace the tokens of the grant that these belong to; without one, nobody needs them."""
    identity = ZoomIdentity(ownerless.client_id, user.account_id, user.user_id)
    async with context.store.transaction(account(identity.client_id, identity.account_id)) as tx:
        if not await tx.ownerless.delete(ownerless.ownerless_id):
            return
        grant = await tx.grants.find(identity)
        if grant is None:
            await queue_revocation(tx, context, ownerless.tokens)
            await audit.record(tx, context, "tokens.ownerless_dropped")
        elif grant.tokens.received_at <= ownerless.created_at:
            await keep_consent(tx, context, user, ownerless.tokens)


async def revoke_due(context: Context) -> None:
    """Make queued tokens dead at Zoom."""
    async with context.store.reading() as tx:
        due = await tx.revocations.due(now=context.now(), limit=BATCH)
    for revocation in due:
        await _revoke(context, revocation)


async def _revoke(context: Context, revocation: Revocation) -> None:
    try:
        await context.authorization_server.revoke(revocation.token)
    except (PeerError, TransportError):
        # An access token lives an hour: after the last attempt it is dead by itself.
        if revocation.attempts + 1 < REVOCATION_ATTEMPTS:
            async with context.store.transaction(NOTHING_READ) as tx:
                await tx.revocations.postpone(
                    revocation.revocation_id,
                    next_attempt_at=context.now() + wait_before(revocation.attempts),
                )
            return
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.revocations.delete(revocation.revocation_id)
