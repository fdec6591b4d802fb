"""Replaced grants: an installation continues under a new grant.

Two events end a grant at Zoom but not the installation:

- *An account transfer.* The same Zoom user belongs to another account from now on. The user id
  stays, the account id does not, and the grant is one of both.
- *An administrator who leaves* (Zoom error 4735). In an account-level app the installation is the
  account's, and another administrator of the same account consents.

Both need a new consent with all the proofs of an install, and the host's confirmation for the same
subject. Then the installation keeps its id, its subject and the order of its notices. The old
grant's tokens are deleted and not revoked. At Zoom a revocation removes the app, and with it the
new grant (devforum.zoom.us thread 18432).

An installation that was removed is not kept: a removal that Zoom reports before the new consent
is confirmed ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import NEEDS_REAUTHORIZATION, STALE_SECONDS, notify_host
from paraph.lifecycle.removal import end_grant
from paraph.model.grant import Grant, GrantEvent, ZoomIdentity
from paraph.model.installation import Installation
from paraph.model.link import Link, Proof
from paraph.model.phase import Phase
from paraph.storage.transaction import Transaction

TRANSFERRED = "the Zoom user was moved to another account"
ADMINISTRATOR_REPLACED = "another administrator of the account consented"


@dataclass(frozen=True, slots=True)
class Replacement:
    """The new consent: its grant, the subject that requested it, and its proofs."""

    grant: Grant
    subject: str
    proofs: tuple[Proof, ...]


def reason_to_keep(
    context: Context, old: Grant, new: ZoomIdentity, *, agreed: bool = False
) -> str | None:
    """Return why an installation is kept when `new` replaces its grant; None if it is not kept.

    Args:
        context: the app's level and client.
        old: the grant that serves the installation.
        new: the identity of the new consent.
        agreed: the person agreed to the change of administrator, which is required if the old
            administrator's grant still works.
    """
    known = old.identity
    if known == new or known.client_id != new.client_id:
        return None
    if known.user_id == new.user_id:
        return TRANSFERRED
    same_account = context.level == "account" and known.account_id == new.account_id
    if same_account and (agreed or old.phase is Phase.NEEDS_REAUTHORIZATION):
        return ADMINISTRATOR_REPLACED
    return None


async def kept_without_host(
    tx: Transaction, context: Context, new: ZoomIdentity
) -> tuple[Installation, str] | None:
    """Return the installation that a consent continues without a host, and the reason.

    In an account-level app it is never one of another account: no host has confirmed that both
    accounts belong to the same customer.
    """
    grants = await other_grants(tx, context, new)
    for old in sorted(grants, key=lambda one: (one.granted_at, one.grant_id), reverse=True):
        if context.level == "account" and old.identity.account_id != new.account_id:
            continue
        link = await tx.links.active_for_grant(old.grant_id)
        reason = reason_to_keep(context, old, new)
        if link is not None and reason is not None:
            return Installation(old, link), reason
    return None


async def replaced_by(
    tx: Transaction, context: Context, pending: Link, grant: Grant
) -> list[Installation]:
    """Return the active installations that a pending link would replace, not continue.

    A link continues the installation of its own grant, and one whose grant this one replaces. The
    old account's grant of a Zoom user who was moved to another account counts as well.
    """
    identity = grant.identity
    # At account level an installation is its account's; the user is only its administrator.
    grants = [] if context.level == "account" else await other_grants(tx, context, identity)
    of_user = [await tx.links.active_for_grant(one.grant_id) for one in grants]
    of_grant = await tx.links.active_for_grant(pending.grant_id)
    of_subject = await tx.links.active_for_subject(pending.client_id, pending.subject)
    links = (of_grant, of_subject, *of_user)
    found = {link.link_id: await tx.installations.get(link.link_id) for link in links if link}
    return [
        one
        for one in found.values()
        if one is not None and not _continues(context, pending, grant, one)
    ]


def _continues(context: Context, pending: Link, grant: Grant, old: Installation) -> bool:
    return old.link.subject == pending.subject and (
        old.grant.grant_id == grant.grant_id
        or reason_to_keep(context, old.grant, grant.identity) is not None
    )


async def kept_for(
    tx: Transaction, context: Context, pending: Link, grant: Grant, *, agreed: bool
) -> tuple[Installation, str] | None:
    """Return the subject's installation that keeps its id under the new grant, and why."""
    link = await tx.links.active_for_subject(pending.client_id, pending.subject)
    old = None if link is None else await tx.installations.get(link.link_id)
    if old is None:
        return None
    reason = reason_to_keep(context, old.grant, grant.identity, agreed=agreed)
    return None if reason is None else (old, reason)


async def other_grants(
    tx: Transaction, context: Context, identity: ZoomIdentity
) -> Sequence[Grant]:
    """Return the other grants of this user, and at account level those of this account."""
    found = [*await tx.grants.of_user(identity.client_id, identity.user_id)]
    if context.level == "account":
        found += await tx.grants.in_account(identity.client_id, identity.account_id)
    return list({one.grant_id: one for one in found if one.identity != identity}.values())


async def replace_grant(
    tx: Transaction, context: Context, old: Installation, new: Replacement, *, reason: str
) -> Installation:
    """Serve an installation by a new grant from now on; notify the host, and audit it.

    The transaction must hold the global lock: the two grants may be of two accounts.
    """
    now = context.now()
    proved = old.link.proved_again(new.proofs, now=now)
    link = replace(proved, grant_id=new.grant.grant_id, subject=new.subject)
    await tx.links.update(link)
    await end_grant(tx, old.grant, GrantEvent.REPLACED)
    await _purge_former(tx, context, old.grant.identity, new.grant.identity)
    installation = Installation(new.grant, link)
    await audit.record(
        tx,
        context,
        "installation.grant_replaced",
        installation=link.link_id,
        subject=context.identifier(link.subject),
        person=_person(context, new.grant.identity),
        former=_person(context, old.grant.identity),
        reason=reason,
    )
    await _notify(tx, context, old, installation, reason)
    return installation


async def _purge_former(
    tx: Transaction, context: Context, old: ZoomIdentity, new: ZoomIdentity
) -> None:
    """Delete stored events that no later removal of this installation would find.

    Events without an account that name the user of both grants stay with the installation.
    """
    if old.account_id == new.account_id:
        await tx.events.purge_user(old.client_id, old.user_id, account_ids=[""])
    elif not await tx.grants.in_account(old.client_id, old.account_id):
        await tx.events.purge_account(old.account_id)
    elif context.level == "user":
        await tx.events.purge_user(old.client_id, old.user_id, account_ids=[old.account_id])


async def continue_count(
    tx: Transaction, context: Context, old: ZoomIdentity, new: ZoomIdentity
) -> None:
    """Continue the notice sequence of one identity in that of another."""
    known = await tx.notices.last(context.tombstone_hash(old))
    if known is not None:
        await tx.notices.raise_to(context.tombstone_hash(new), known)


async def _notify(
    tx: Transaction, context: Context, old: Installation, new: Installation, reason: str
) -> None:
    """Queue the notice, in the order of the installation's earlier ones."""
    await continue_count(tx, context, old.grant.identity, new.grant.identity)
    await notify_host(
        tx,
        context,
        "installation.activated",
        new,
        reason=reason,
        ordered_with=old.link.subject,
    )
    # A waiting notice about the old grant is no longer true.
    await continue_count(tx, context, new.grant.identity, old.grant.identity)
    await tx.notices.hasten(
        account_id=old.grant.identity.account_id,
        user_id=old.grant.identity.user_id,
        name=NEEDS_REAUTHORIZATION,
        at=context.now() + STALE_SECONDS,
    )


def _person(context: Context, identity: ZoomIdentity) -> str:
    return context.identifier(identity.account_id, identity.user_id)
