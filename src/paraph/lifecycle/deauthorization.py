"""Deauthorization: what `app_deauthorized` means, and carrying it out to the end.

The event says that a user removed the app; it may be old, repeated, or overtaken by a new
consent. Times are compared on Zoom's clock alone: the `Date` of the token response against
`deauthorization_time`. Clearly newer than the consent: everything goes. Older, near, or
unreadable: nothing more is vended, and one refresh decides, because only Zoom knows which of
the two came last. A keyed-hash tombstone is written in any case, also when nothing matched,
and activation looks at it: the event may overtake the installation that it ends.

A removal cannot have happened later than Zoom signed the delivery that reports it: a later time
counts as unreadable. In an account-level app the event names the user who removed the app. An admin
who no longer holds the authorization can still remove "his" (devforum.zoom.us thread 42658). So one
refresh decides about every other grant of the account.

Every step can be done twice. The event stays in the inbox until the last one is done, so a
crash anywhere means that it is carried out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from paraph.errors import InvalidGrant
from paraph.lifecycle import audit
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import Removal, mark_removed, remove_grant
from paraph.oauth.phase import Phase
from paraph.storage.protocols import Transaction
from paraph.storage.records import UNKNOWN_TIME, Grant, TombstoneTimes, ZoomIdentity
from paraph.storage.scope import Scope, account
from paraph.zoom.events import AppDeauthorized

# Both times are Zoom's, but from different servers, one cut to the second and one measured
# before the token was made: within a minute neither order is certain.
NEAR_SECONDS = 60

REASON = "deauthorized at Zoom"


class Order(Enum):
    """How a deauthorization stands to a consent, on Zoom's clock."""

    AFTER = "after"
    BEFORE = "before"
    UNCLEAR = "unclear"


def order_of(deauthorized_at: int | None, consented_at: int | None) -> Order:
    """Compare two times of Zoom's clock; None is a time that nobody could read."""
    if deauthorized_at is None or consented_at is None:
        return Order.UNCLEAR
    if deauthorized_at > consented_at + NEAR_SECONDS:
        return Order.AFTER
    if deauthorized_at < consented_at - NEAR_SECONDS:
        return Order.BEFORE
    return Order.UNCLEAR


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What activation finds of earlier deauthorizations.

    `times` tells one finding from the next: a refresh proves a consent against the tombstones
    that were there when it was asked for, not against one that arrived meanwhile.
    """

    order: Order
    times: tuple[TombstoneTimes | None, ...]


async def find_tombstone(
    tx: Transaction,
    context: Context,
    identity: ZoomIdentity,
    *,
    consented_at: int | None,
    received_at: int,
) -> Tombstone | None:
    """Look for deauthorizations that concern an identity; the worst order for it counts.

    Args:
        tx: reads the tombstones.
        context: of the app.
        identity: of the consent.
        consented_at: the consent's time on Zoom's clock.
        received_at: when its tokens arrived, on our clock.
    """
    found = [
        await tx.removals.find_tombstone(identity_hash)
        for identity_hash in context.tombstone_hashes(identity)
    ]
    own, *of_account = [
        None if times is None else _order_to(times, consented_at, received_at) for times in found
    ]
    # Another user's removal says nothing certain about this consent.
    orders = {own, *(Order.UNCLEAR if one is Order.AFTER else one for one in of_account)}
    for order in (Order.AFTER, Order.UNCLEAR, Order.BEFORE):
        if order in orders:
            return Tombstone(order, tuple(found))
    return None


def _order_to(times: TombstoneTimes, consented_at: int | None, received_at: int) -> Order:
    """The order of a deauthorization to a consent whose tokens have just arrived.

    One that is told during the installation may have ended it, however early it is dated: Zoom's
    time can be hours off.
    """
    order = order_of(_known(times.zoom_time), consented_at)
    is_told_meanwhile = times.told_at >= received_at - NEAR_SECONDS
    return Order.UNCLEAR if order is Order.BEFORE and is_told_meanwhile else order


def believed_time(removed_at: int | None, *, signed_at: int | None, received_at: int) -> int | None:
    """The time of a removal, or None if it lies behind the delivery that reports it.

    Args:
        removed_at: what the event says, on Zoom's clock.
        signed_at: the time that Zoom signed with the delivery; None for events of older versions.
        received_at: when it arrived, on our clock.
    """
    latest = received_at if signed_at is None else signed_at
    return None if removed_at is None or removed_at > latest else removed_at


async def carry_out(
    context: Context,
    refresher: Refresher,
    event: AppDeauthorized,
    *,
    received_at: int,
    signed_at: int | None = None,
) -> None:
    """Do all that an authentic `app_deauthorized` of our own client asks for.

    Args:
        context: of the app that the event names.
        refresher: decides unclear cases.
        event: the removal.
        received_at: when the delivery arrived, on our clock.
        signed_at: the time that Zoom signed with the delivery.

    Raises:
        PeerError, TransportError, StorageError: an unclear case could not be decided yet;
            nothing is vended meanwhile, and the caller tries again later.
    """
    removal = Removal(REASON, received_at, revoke=False)
    removed_at = believed_time(
        event.deauthorization_time, signed_at=signed_at, received_at=received_at
    )
    async with context.store.transaction(*_scopes(event.client_id, event.account_id)) as tx:
        await _bury(tx, context, event, removed_at)
        grants = await _concerned(tx, context, event)
        if not grants:
            await _note(tx, context, event, "deauthorization.nothing_matched")
        for grant in grants:
            is_remover = grant.identity.user_id == event.user_id
            order = order_of(removed_at, grant.granted_zoom_time)
            if order is Order.AFTER and is_remover:
                await remove_grant(tx, context, grant, removal)
            else:
                await tx.grants.set_phase(
                    grant.grant_id, Phase.UNDECIDED, reason="deauthorization being decided"
                )
                await _note(tx, context, event, "deauthorization.undecided")
    for grant in grants:
        await _decide(context, refresher, grant, removal)


def _scopes(client_id: str, account_id: str) -> tuple[Scope, Scope]:
    """The scopes of a removal: its account, and the events without an account."""
    return account(client_id, account_id), account(client_id, "")


async def _bury(
    tx: Transaction, context: Context, event: AppDeauthorized, removed_at: int | None
) -> None:
    identity = ZoomIdentity(event.client_id, event.account_id, event.user_id)
    for identity_hash in context.tombstone_hashes(identity):
        await tx.removals.add_tombstone(identity_hash, zoom_time=removed_at, now=context.now())
    if context.level == "user":
        await mark_removed(tx, context, identity, is_last=False)


def _known(time: int) -> int | None:
    return None if time == UNKNOWN_TIME else time


async def _concerned(tx: Transaction, context: Context, event: AppDeauthorized) -> list[Grant]:
    if context.level == "account":
        # The payload names whoever removed the app, not whoever installed it.
        return list(await tx.grants.in_account(event.client_id, event.account_id))
    grant = await tx.grants.find(ZoomIdentity(event.client_id, event.account_id, event.user_id))
    return [] if grant is None else [grant]


async def _decide(context: Context, refresher: Refresher, known: Grant, removal: Removal) -> None:
    async with context.store.reading() as tx:
        grant = await tx.grants.get(known.grant_id)
    try:
        # A refresh that began before the announcement decides nothing: then one more is asked for.
        while grant is not None and grant.phase is Phase.UNDECIDED:
            known = grant
            grant = await refresher.refresh(known.grant_id)
    except InvalidGrant:
        scopes = _scopes(known.identity.client_id, known.identity.account_id)
        async with context.store.transaction(*scopes) as tx:
            current = await tx.grants.get(known.grant_id)
            # A consent that came while Zoom was asked is newer than the answer.
            if current is not None and current.token_version == known.token_version:
                await remove_grant(tx, context, current, removal)


async def _note(tx: Transaction, context: Context, event: AppDeauthorized, action: str) -> None:
    await audit.record(
        tx, context, action, person=context.identifier(event.account_id, event.user_id)
    )
