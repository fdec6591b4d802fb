"""Installs the app: from a validated authorization response to an installation with its proofs.

Each proof requires the one before it, and is recorded. Nothing is stored before Zoom has named the
owner of the tokens. Grant and link are written in one transaction, so a crash leaves no
incomplete installation behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from paraph.errors import (
    Conflict,
    InvalidGrant,
    PeerError,
    ResourceErrorResponse,
    ScopesMissing,
    SealBroken,
    StateMismatch,
    StorageError,
    TransportError,
    UnknownEncryptionKey,
)
from paraph.installs.pending_authorization import PendingAuthorization, used_state_hash
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.deauthorization import Order, Tombstone, find_tombstone
from paraph.lifecycle.grant import keep_consent, keep_newest_tokens, tokens_of
from paraph.lifecycle.link import activate_unlinked, add_pending
from paraph.lifecycle.link_request import demand_unused, take_request
from paraph.lifecycle.outbox import notify_recovery
from paraph.lifecycle.outcome import Outcome, StateUsed, keep_outcome, reserve_outcome
from paraph.lifecycle.removal import queue_revocation
from paraph.lifecycle.replacement import other_grants
from paraph.logs import get_logger
from paraph.model.grant import Grant, OwnerlessTokens, Tokens, ZoomIdentity
from paraph.model.installation import Installation
from paraph.model.link import LinkEvent, Progress, advance
from paraph.oauth.authorization_response import ValidatedAuthorizationResponse
from paraph.secret import Secret
from paraph.storage.scope import NOTHING_READ, Scope, account
from paraph.storage.transaction import Transaction
from paraph.zoom.user import ZoomUser

USED_STATE_SECONDS = 3600
OWNERLESS_FIRST_RETRY = 30
# Longer than a failover takes, and shorter than the response timeout of proxies.
_WRITE_SECONDS = 30
_WRITE_PAUSE = 0.25
# The clocks of two replicas agree within this (see shared_clock), in whole seconds.
_CLOCK_NOISE_SECONDS = 3

T = TypeVar("T")

_log = get_logger("install")


@dataclass(frozen=True, slots=True)
class Handoff:
    """The one-use code that the host must confirm, and the host's own return id."""

    code: Secret
    return_to: str


@dataclass(frozen=True, slots=True)
class _Consent:
    """The consent so far.

    Attributes:
        user: the owner of the tokens.
        tokens: the token set.
        progress: the progress of the link.
        alive_at: when Zoom last accepted these tokens; the time before that request.
        newer_than: the version of the stored tokens that these are known to be newer than.
        overtaken: Zoom refuses these tokens, because a later consent of the same user, which is
            stored already, invalidated them (4741).
    """

    user: ZoomUser
    tokens: Tokens
    progress: Progress
    alive_at: int
    newer_than: tuple[str, int] | None = None
    overtaken: bool = False


class _OrderUnknown(Exception):
    """Other tokens of this user were stored meanwhile: which of the two sets still works?"""

    def __init__(self, grant: Grant) -> None:
        self.version = (grant.grant_id, grant.token_version)


@dataclass(slots=True)
class _Flow:
    """The flow of one browser. Its last transaction may have to be tried more than once."""

    pending: PendingAuthorization
    has_taken: bool = False


async def use_state(context: Context, state: Secret) -> None:
    """Use up a state, once across all replicas, before any request to Zoom.

    Raises:
        StateUsed: it was already used (a reload, a replay, or one of several parallel requests).
    """
    async with context.store.transaction(NOTHING_READ) as tx:
        expires_at = context.now() + USED_STATE_SECONDS
        if not await tx.used_states.use(used_state_hash(state), expires_at=expires_at):
            raise StateUsed("the state was used")
        await reserve_outcome(tx, context, state)


async def install(
    context: Context, pending: PendingAuthorization, validated: ValidatedAuthorizationResponse
) -> Installation | Handoff:
    """Install the app for one validated response, whose state this call uses up.

    Returns:
        The active installation if installations are not linked to a host, else the handoff.

    Raises:
        StateUsed: the state was already used.
        Conflict: another flow used the link request up.
        InvalidGrant, TokenErrorResponse: Zoom refused the code, or the app was removed meanwhile.
        ScopesMissing: the person did not grant a scope that the app needs.
        PeerError, TransportError: Zoom failed or did not respond; nothing is installed.
    """
    if (context.linking == "host") != (pending.wish is not None):
        # The setting changed since this browser began: a host's app must not end up unlinked.
        raise StateMismatch("the request was begun under another kind of linking")
    await use_state(context, pending.request.state)
    if pending.wish is not None:
        await demand_unused(context, pending.wish)
    progress = _advance(context, Progress(), LinkEvent.STATE_MATCHED)
    tokens = tokens_of(await context.authorization_server.exchange(validated), context=context)
    progress = _advance(context, progress, LinkEvent.CODE_EXCHANGED)
    alive_at = context.now()
    user = await _owner(context, tokens)
    progress = _advance(context, progress, LinkEvent.OWNER_READ)
    consent = _Consent(user, tokens, progress, alive_at)
    await _require_scopes(context, consent)
    return await _activate(context, pending, consent)


def _advance(context: Context, progress: Progress, event: LinkEvent) -> Progress:
    return advance(progress, event, now=context.now())


async def _owner(context: Context, tokens: Tokens) -> ZoomUser:
    try:
        return await context.resource_server.read_user(
            tokens.api_server, access_token=tokens.access_token
        )
    except (PeerError, TransportError):
        await _keep_ownerless(context, tokens)
        raise


async def _keep_ownerless(context: Context, tokens: Tokens) -> None:
    """Store tokens without an owner until Zoom names it.

    They may have invalidated the working tokens of a known user (4741), so dropping them could
    lose that grant.
    """
    with suppress(Conflict):
        # After a commit that was not confirmed they may be there already.
        await _write_again(context, partial(_add_ownerless, context, tokens, context.new_id()))


async def _add_ownerless(context: Context, tokens: Tokens, ownerless_id: str) -> None:
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.ownerless.add(
            OwnerlessTokens(
                ownerless_id=ownerless_id,
                client_id=context.client.client_id,
                tokens=tokens,
                created_at=context.now(),
                attempts=0,
                next_attempt_at=context.now() + OWNERLESS_FIRST_RETRY,
            )
        )
        await audit.record(tx, context, "tokens.ownerless")


async def _require_scopes(context: Context, consent: _Consent) -> None:
    granted = consent.tokens.scopes
    missing = sorted(context.required_scopes - granted)
    if not missing:
        return
    while True:
        try:
            await _write_again(context, partial(_note_missing_scopes, context, consent, missing))
        except _OrderUnknown as unknown:
            consent = await _ask_again(context, consent, unknown)
        else:
            raise ScopesMissing(missing, granted=sorted(granted))


async def _note_missing_scopes(context: Context, consent: _Consent, missing: Sequence[str]) -> None:
    scope = account(context.client.client_id, consent.user.account_id)
    async with context.store.transaction(scope) as tx:
        await _keep_or_revoke(tx, context, consent)
        await audit.record(tx, context, "consent.scopes_missing", missing=" ".join(missing))


async def _keep_or_revoke(tx: Transaction, context: Context, consent: _Consent) -> None:
    """Keep the tokens of a consent without installation if a grant needs them; else revoke them.

    A known grant's older tokens no longer work.
    """
    known = await tx.grants.find(_identity(context, consent.user))
    if known is None:
        await queue_revocation(tx, context, consent.tokens)
    elif _replaces(consent, known):
        await keep_newest_tokens(tx, context, consent.user, consent.tokens)


def _replaces(consent: _Consent, known: Grant) -> bool:
    """Return True if a consent's tokens replace the stored ones, False if it was overtaken.

    Two consents of one user may be stored in another order than Zoom issued their tokens in, and
    each has invalidated the earlier one's (4741). A set that Zoom accepted after the other was
    stored is the newer one.

    Raises:
        _OrderUnknown: the stored tokens arrived after Zoom last accepted these.
    """
    is_stored_before = known.tokens.received_at < consent.alive_at - _CLOCK_NOISE_SECONDS
    version = (known.grant_id, known.token_version)
    if consent.overtaken or is_stored_before or consent.newer_than == version:
        return not consent.overtaken
    raise _OrderUnknown(known)


async def _ask_again(context: Context, consent: _Consent, unknown: _OrderUnknown) -> _Consent:
    """Ask Zoom whether the tokens of a consent still work, now that others are stored."""
    alive_at, tokens = context.now(), consent.tokens
    try:
        await context.resource_server.read_user(tokens.api_server, access_token=tokens.access_token)
    except (PeerError, TransportError) as error:
        if (
            isinstance(error, ResourceErrorResponse)
            and error.peer_status == HTTPStatus.UNAUTHORIZED
        ):
            return replace(consent, overtaken=True)
        await _keep_ownerless(context, tokens)
        raise
    return replace(consent, alive_at=alive_at, newer_than=unknown.version)


async def _activate(
    context: Context, pending: PendingAuthorization, consent: _Consent
) -> Installation | Handoff:
    flow = _Flow(pending)
    proved: Tombstone | None = None
    while True:
        write = partial(_try_to_keep, context, flow, consent, proved)
        try:
            outcome = await _write_again(context, write)
        except _OrderUnknown as unknown:
            consent = await _ask_again(context, consent, unknown)
            continue
        if not isinstance(outcome, Tombstone):
            return outcome
        # A deauthorization is too near this consent: one refresh shows which came last.
        consent = replace(consent, tokens=await _refreshed(context, consent.tokens))
        proved = outcome


async def _try_to_keep(
    context: Context,
    flow: _Flow,
    consent: _Consent,
    proved: Tombstone | None,
) -> Installation | Handoff | Tombstone:
    """Keep the consent, or return the deauthorization that is too near to order the two."""
    identity = _identity(context, consent.user)
    consented_at, received_at = consent.tokens.zoom_time, consent.tokens.received_at
    scopes = await _scopes(context, flow.pending, identity)
    async with context.store.transaction(*scopes) as tx:
        found = await find_tombstone(
            tx, context, identity, consented_at=consented_at, received_at=received_at
        )
        removed = found is not None and found.order is Order.AFTER
        if removed:
            await queue_revocation(tx, context, consent.tokens)
            await audit.record(tx, context, "consent.removed_meanwhile")
        elif found is None or found.order is Order.BEFORE or found == proved:
            if await _take_request(tx, context, flow, identity):
                kept = await _keep(tx, context, flow.pending, consent, alone=not scopes)
                await keep_outcome(tx, context, flow.pending.request.state, _outcome_of(kept))
                return kept
            await _keep_or_revoke(tx, context, consent)
            found = None
    if removed:
        raise InvalidGrant("the app was removed while it was being installed")
    if found is None:
        raise Conflict("the link request was used by another flow")
    return found


async def _take_request(
    tx: Transaction, context: Context, flow: _Flow, identity: ZoomIdentity
) -> bool:
    """Use up the flow's link request, in the transaction that adds the link.

    It may be gone after an unconfirmed commit, but then the link of that commit exists.
    """
    if flow.pending.wish is None or await take_request(tx, context, flow.pending.wish):
        flow.has_taken = True
        return True
    grant = await tx.grants.find(identity) if flow.has_taken else None
    return grant is not None and await tx.links.any_for_grant(grant.grant_id)


async def _write_again(context: Context, write: Callable[[], Awaitable[T]]) -> T:
    """Store the tokens that Zoom issued; retry while the database is down or locked.

    No other copy of the tokens exists, and they may have invalidated the working ones of a known
    user (4741). A block whose commit was not confirmed may be written twice. Like a second
    consent, that changes only the time.
    """
    give_up_at = context.clock() + _WRITE_SECONDS
    while True:
        try:
            return await write()
        except (Conflict, UnknownEncryptionKey, SealBroken):
            raise
        except StorageError as error:
            if context.clock() > give_up_at:
                raise
            _log.warning("install.not_written", why=error.detail)
        await asyncio.sleep(_WRITE_PAUSE)


async def _scopes(
    context: Context, pending: PendingAuthorization, identity: ZoomIdentity
) -> tuple[Scope, ...]:
    """Return the account's scope; no scope if a grant of another account may be replaced."""
    if pending.wish is None:
        async with context.store.reading() as tx:
            if await other_grants(tx, context, identity):
                return ()
    return (account(identity.client_id, identity.account_id),)


def _outcome_of(kept: Installation | Handoff) -> Outcome:
    if isinstance(kept, Installation):
        return Outcome("installed", installation_id=kept.link.link_id)
    return Outcome("handoff", handoff=kept.code.reveal(), return_to=kept.return_to)


async def _refreshed(context: Context, tokens: Tokens) -> Tokens:
    if tokens.refresh_token is None:
        raise InvalidGrant("the grant has no refresh token")
    token_set = await context.authorization_server.refresh(tokens.refresh_token)
    # The consent's own time stays: later deauthorizations are compared with it.
    refreshed = tokens_of(token_set, context=context, scopes=tokens.scopes)
    return replace(refreshed, zoom_time=tokens.zoom_time)


async def _keep(
    tx: Transaction,
    context: Context,
    pending: PendingAuthorization,
    consent: _Consent,
    *,
    alone: bool,
) -> Installation | Handoff:
    known = await tx.grants.find(_identity(context, consent.user))
    if known is not None and not _replaces(consent, known):
        grant = known
    else:
        grant = await keep_consent(tx, context, consent.user, consent.tokens)
    if pending.wish is None:
        progress = _advance(context, consent.progress, LinkEvent.SCOPES_GRANTED_UNLINKED)
        return await activate_unlinked(tx, context, grant, progress, alone=alone)
    # An active link works again at once, whether or not the new one is confirmed.
    await notify_recovery(tx, context, grant, reason="consented again")
    progress = _advance(context, consent.progress, LinkEvent.SCOPES_GRANTED_TO_CONFIRM)
    handoff = await add_pending(tx, context, grant, pending.wish, progress)
    return Handoff(handoff, pending.wish.return_to)


def _identity(context: Context, user: ZoomUser) -> ZoomIdentity:
    return ZoomIdentity(context.client.client_id, user.account_id, user.user_id)
