"""What is done later: owners asked about again, tokens revoked, what ran out let go.

Each task takes a few rows at a time and can be interrupted anywhere: a row goes only when its
work is done, and doing it twice changes nothing. Every replica does this, so each attempt is
claimed first: otherwise many of them would use up in a minute the attempts of an hour.
"""

from __future__ import annotations

from paraph.errors import PeerError, ResourceErrorResponse, TransportError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import keep_newest_tokens, queue_revocation
from paraph.lifecycle.link import expire_pending
from paraph.lifecycle.link_request import FINISH_SECONDS
from paraph.storage.records import Grant, OwnerlessTokens, Revocation, ZoomIdentity
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


async def let_go(context: Context) -> None:
    """Delete what ran out and is refused by its time already: it is only room that it takes."""
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.links.delete_expired_requests(now=context.now() - FINISH_SECONDS)
        await tx.used_states.delete_expired(now=context.now())
        await tx.idempotency.delete_expired(now=context.now())


async def ask_owners(context: Context) -> None:
    """Ask again whose ownerless tokens these are."""
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
        if isinstance(error, ResourceErrorResponse) and error.status == 401:
            # Zoom itself no longer knows this token: there is nothing left to keep or to kill.
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
    """Replace the tokens of the grant that these belong to; without one, nobody needs them."""
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
    """Whether these tokens are of a later consent than the grant's.

    When the grant's tokens were received says nothing: they may be of a refresh whose answer came
    after this consent, and this consent has killed them.
    """
    ours, theirs = ownerless.tokens.zoom_time, grant.granted_zoom_time
    if ours is not None and theirs is not None and ours != theirs:
        return ours > theirs
    return grant.granted_at <= ownerless.created_at


async def revoke_due(context: Context) -> None:
    """Make queued tokens dead at Zoom."""
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
        # An access token lives an hour: after the last attempt it is dead by itself.
        if revocation.attempts + 1 < REVOCATION_ATTEMPTS:
            return
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.revocations.delete(revocation.revocation_id)
