"""Deauthorization: finds the grants that an `app_deauthorized` ends, and removes them.

The event says that a user removed the app. It may be old, repeated, or overtaken by a new
consent. Only times of Zoom's clock are compared: the `Date` of the token response with
`deauthorization_time`. If the removal is clearly newer than the consent, the grant is removed. If
it is older, too near or unreadable, no token is vended until one refresh has decided: only Zoom
knows which of the two came last. A keyed-hash tombstone is always written, even if no grant
matched, and activation checks it: the event may arrive before the installation that it ends.

A removal cannot have happened after Zoom signed the delivery that reports it: a later time
counts as unreadable. In an account-level app the event names the user who removed the app. An admin
who no longer holds the authorization can still remove "his" (devforum.zoom.us thread 42658). So one
refresh decides about every other grant of the account.

Every step may run twice. The event stays in the inbox until the last step is done, so after a
crash all steps run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from paraph.errors import InvalidGrant
from paraph.lifecycle import audit
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.removal import Removal, mark_removed, remove_grant
from paraph.model.grant import GRANT_TRANSITIONS, Grant, GrantEvent, ZoomIdentity
from paraph.model.phase import Phase
from paraph.model.removal import UNKNOWN_TIME, TombstoneTimes
from paraph.storage.scope import Scope, account
from paraph.storage.transaction import Transaction
from paraph.zoom.events import AppDeauthorized

# Both times are Zoom's, but from different servers. One is cut to the second and one was measured
# before the token was created. So within a minute neither order is certain.
NEAR_SECONDS = 60

REASON = "deauthorized at Zoom"


class Order(Enum):
    """The order of a deauthorization and a consent, on Zoom's clock."""

    AFTER = "after"
    BEFORE = "before"
    UNCLEAR = "unclear"


def order_of(deauthorized_at: int | None, consented_at: int | None) -> Order:
    """Compare two times of Zoom's clock; None is a time that could not be read."""
    if deauthorized_at is None or consented_at is None:
        return Order.UNCLEAR
    if deauthorized_at > consented_at + NEAR_SECONDS:
        return Order.AFTER
    if deauthorized_at < consented_at - NEAR_SECONDS:
        return Order.BEFORE
    return Order.UNCLEAR


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The earlier deauthorizations that activation found.

    `times` distinguishes one result from the next. A refresh proves a consent only against the
    tombstones that existed when it was requested, not against one that arrived in between.
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
    """Find the deauthorizations of an identity; the one that is worst for it counts.

    Args:
        tx: reads the tombstones.
        context: the app's keys and level.
        identity: the identity that consented.
        consented_at: the consent's time on Zoom's clock.
        received_at: when its tokens arrived, on paraph's clock.
    """
    found = [
        await tx.removals.find_tombstone(identity_hash)
        for identity_hash in context.tombstone_hashes(identity)
    ]
    own, *of_account = [
        None if times is None else _order_to(times, consented_at, received_at) for times in found
    ]
    # Another user's removal proves nothing about this consent.
    orders = {own, *(Order.UNCLEAR if one is Order.AFTER else one for one in of_account)}
    for order in (Order.AFTER, Order.UNCLEAR, Order.BEFORE):
        if order in orders:
            return Tombstone(order, tuple(found))
    return None


def _order_to(times: TombstoneTimes, consented_at: int | None, received_at: int) -> Order:
    """Return the order of a deauthorization and a consent whose tokens have just arrived.

    A deauthorization that is reported during the installation may have ended it, however early
    its date is: Zoom's time can be hours off.
    """
    order = order_of(_known(times.zoom_time), consented_at)
    is_reported_meanwhile = times.reported_at >= received_at - NEAR_SECONDS
    return Order.UNCLEAR if order is Order.BEFORE and is_reported_meanwhile else order


def believed_time(removed_at: int | None, *, signed_at: int | None, received_at: int) -> int | None:
    """Return the time of a removal, or None if it is later than the delivery that reports it.

    Args:
        removed_at: the time in the event, on Zoom's clock.
        signed_at: the time that Zoom signed with the delivery; None for events of older versions.
        received_at: when the delivery arrived, on paraph's clock.
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
    """Do everything that an authentic `app_deauthorized` of this app's client requires.

    Args:
        context: the app that the event names.
        refresher: decides unclear cases.
        event: the removal.
        received_at: when the delivery arrived, on paraph's clock.
        signed_at: the time that Zoom signed with the delivery.

    Raises:
        PeerError, TransportError, StorageError: an unclear case could not be decided yet.
            No token is vended until then, and the caller tries again later.
    """
    removal = Removal(REASON, received_at, revoke=False)
    removed_at = believed_time(
        event.deauthorization_time, signed_at=signed_at, received_at=received_at
    )
    async with context.store.transaction(*_scopes(event.client_id, event.account_id)) as tx:
        await _add_tombstones(tx, context, event, removed_at)
        grants = await _grants_of_removal(tx, context, event)
        if not grants:
            await _note(tx, context, event, "deauthorization.nothing_matched")
        for grant in grants:
            is_remover = grant.identity.user_id == event.user_id
            order = order_of(removed_at, grant.granted_zoom_time)
            if order is Order.AFTER and is_remover:
                await remove_grant(tx, context, grant, removal)
            else:
                phase = GRANT_TRANSITIONS.after(grant.phase, GrantEvent.DEAUTHORIZATION_DOUBTFUL)
                reason = "deauthorization being decided"
                await tx.grants.set_phase(grant.grant_id, phase, reason=reason)
                await _note(tx, context, event, "deauthorization.undecided")
    for grant in grants:
        await _decide(context, refresher, grant, removal)


def _scopes(client_id: str, account_id: str) -> tuple[Scope, Scope]:
    """Return the scopes of a removal: its account, and the events without an account."""
    return account(client_id, account_id), account(client_id, "")


async def _add_tombstones(
    tx: Transaction, context: Context, event: AppDeauthorized, removed_at: int | None
) -> None:
    identity = ZoomIdentity(event.client_id, event.account_id, event.user_id)
    for identity_hash in context.tombstone_hashes(identity):
        await tx.removals.add_tombstone(identity_hash, zoom_time=removed_at, now=context.now())
    if context.level == "user":
        await mark_removed(tx, context, identity, is_last=False)


def _known(time: int) -> int | None:
    return None if time == UNKNOWN_TIME else time


async def _grants_of_removal(
    tx: Transaction, context: Context, event: AppDeauthorized
) -> list[Grant]:
    if context.level == "account":
        # The payload names the user who removed the app, not the one who installed it.
        return list(await tx.grants.in_account(event.client_id, event.account_id))
    grant = await tx.grants.find(ZoomIdentity(event.client_id, event.account_id, event.user_id))
    return [] if grant is None else [grant]


async def _decide(context: Context, refresher: Refresher, known: Grant, removal: Removal) -> None:
    async with context.store.reading() as tx:
        grant = await tx.grants.get(known.grant_id)
    try:
        # A refresh that began before the announcement proves nothing: another one is needed.
        while grant is not None and grant.phase is Phase.UNDECIDED:
            known = grant
            grant = await refresher.refresh(known.grant_id)
    except InvalidGrant:
        scopes = _scopes(known.identity.client_id, known.identity.account_id)
        async with context.store.transaction(*scopes) as tx:
            current = await tx.grants.get(known.grant_id)
            # A consent that came during the refresh is newer than its result.
            if current is not None and current.token_version == known.token_version:
                await remove_grant(tx, context, current, removal)


async def _note(tx: Transaction, context: Context, event: AppDeauthorized, action: str) -> None:
    await audit.record(
        tx, context, action, person=context.identifier(event.account_id, event.user_id)
    )
