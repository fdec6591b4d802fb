"""The removal of a grant: deletes its tokens, its links and its data keys, and what hangs on them.

Every removal ends here: a deauthorization at Zoom, a host's call, an operator's command, a link
that took another's place. The grant's row is deleted with all its links. Events that concern no
other grant lose their bodies, late ones are dropped, and the token set is revoked at Zoom unless
Zoom reported the removal. A receipt counts what was destroyed.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import notify_host
from paraph.model.grant import (
    GRANT_TRANSITIONS,
    Grant,
    GrantEvent,
    Revocation,
    Tokens,
    ZoomIdentity,
)
from paraph.model.installation import Installation
from paraph.model.removal import Receipt
from paraph.storage.transaction import Transaction


async def end_grant(tx: Transaction, grant: Grant, event: GrantEvent) -> int:
    """Delete a grant with its tokens and all its links, and destroy its data keys.

    Return the number of destroyed data keys. A key that another grant stands behind stays.
    """
    GRANT_TRANSITIONS.after(grant.phase, event)
    return await tx.grants.delete(grant.grant_id) or 0


@dataclass(frozen=True, slots=True)
class Removal:
    """The reason for a removal, and whether the tokens must still be revoked at Zoom."""

    reason: str
    requested_at: int
    revoke: bool


async def remove_grant(
    tx: Transaction, context: Context, grant: Grant, removal: Removal
) -> Receipt | None:
    """Delete tokens, links and data keys; notify the host; write receipt and audit entry.

    Without their data keys event bodies cannot be opened. Bodies without a data key are deleted.

    Idempotent: if the row is already deleted, nothing happens and there is no receipt.
    """
    link = await tx.links.active_for_grant(grant.grant_id)
    current = await tx.grants.get(grant.grant_id)
    if current is None:
        return None
    identity = current.identity
    keys = await end_grant(tx, current, GrantEvent.REMOVED)
    others = await tx.grants.in_account(identity.client_id, identity.account_id)
    stays = await _is_elsewhere(tx, identity)
    purged = await purge_events(tx, context, identity, is_last=not others, stays=stays)
    if link is not None:
        await mark_removed(tx, context, identity, is_last=not others)
    if removal.revoke:
        await queue_revocation(tx, context, current.tokens)
    now = context.now()
    installation_id = "" if link is None else link.link_id
    receipt = Receipt(
        receipt_id=context.new_id(),
        installation_id=installation_id,
        reason=removal.reason,
        requested_at=removal.requested_at,
        completed_at=now,
        destroyed={
            "grants": 1,
            "links": int(link is not None),
            "data_keys": keys,
            "event_bodies": purged,
        },
    )
    await tx.removals.add_receipt(receipt, identity_hash=context.tombstone_hash(identity))
    await audit.record(
        tx,
        context,
        "grant.removed",
        person=context.identifier(identity.account_id, identity.user_id),
        installation=installation_id,
        reason=removal.reason,
    )
    if link is not None:
        await notify_host(
            tx,
            context,
            "installation.removed",
            Installation(current, link),
            reason=removal.reason,
        )
    return receipt


async def purge_events(
    tx: Transaction, context: Context, identity: ZoomIdentity, *, is_last: bool, stays: bool
) -> int:
    """Delete the bodies of the events that belong to this grant. Return their number.

    Bodies under data keys are not among them: no grant stands behind their keys any more.

    With the last grant of an account, all its events are deleted. Otherwise, at user level, those
    that concern this user and no other user with a grant. Events without an account go by user, and
    remain if the user stays in another account.
    """
    purged = await tx.events.purge_account(identity.account_id) if is_last else 0
    accounts = [] if stays else [""]
    if not is_last and context.level == "user":
        accounts.append(identity.account_id)
    return purged + await tx.events.purge_user(
        identity.client_id, identity.user_id, account_ids=accounts
    )


async def mark_removed(
    tx: Transaction, context: Context, identity: ZoomIdentity, *, is_last: bool
) -> None:
    """Record a removal, so that its late events are recognised and dropped."""
    marks = [context.removal_mark("", identity.account_id)] if is_last else []
    if context.level == "user":
        # Many events name no account and are matched by their user alone. A user who stays in
        # another account still receives those.
        stays = await _is_elsewhere(tx, identity)
        marks.append(context.removal_mark(identity.user_id, identity.account_id if stays else ""))
    for mark in marks:
        # Zoom's own time counts only for installs; for events it is the time of this entry.
        await tx.removals.add_tombstone(mark, zoom_time=None, now=context.now())


async def _is_elsewhere(tx: Transaction, identity: ZoomIdentity) -> bool:
    """Return True if the user has the app in another account."""
    grants = await tx.grants.of_user(identity.client_id, identity.user_id)
    return any(one.identity != identity for one in grants)


async def queue_revocation(tx: Transaction, context: Context, tokens: Tokens) -> None:
    """Queue the revocation of a token set at Zoom; it stays, sealed, until Zoom confirms."""
    now = context.now()
    await tx.revocations.add(
        Revocation(
            revocation_id=context.new_id(),
            client_id=context.client.client_id,
            token=tokens.access_token,
            created_at=now,
            attempts=0,
            next_attempt_at=now,
        )
    )
