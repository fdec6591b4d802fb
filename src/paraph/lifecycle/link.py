"""Links: bind a grant to a local account (the subject), and let the host confirm that.

Zoom proves who the Zoom user is. Only the host knows who the local user is, and the user who
finishes must be the one who started. So a link is pending until the host has shown its
signed-in user both accounts. The handoff opens only with the verifier that the starting
session keeps, and the claim is confirmed only for the starting subject.

Every refusal here is `NotFound`: an attacker who guesses learns nothing about existing links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paraph import values
from paraph.errors import Conflict, LinkConflict, NotFound, StateMismatch, UsageError
from paraph.former_names import FormerSecret
from paraph.installs.pending_authorization import LinkWish
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import notify_host
from paraph.lifecycle.removal import Removal, remove_grant
from paraph.lifecycle.replacement import (
    Replacement,
    continue_count,
    kept_for,
    kept_without_host,
    replace_grant,
    replaced_by,
)
from paraph.model.grant import Grant
from paraph.model.installation import Installation
from paraph.model.link import LINK_TRANSITIONS, Link, LinkEvent, Progress, advance
from paraph.model.phase import Phase
from paraph.model.public_value import person_value, replaced_value
from paraph.oauth.pkce import verify_challenge
from paraph.sealing.key_ring import secret_hash
from paraph.secret import Secret
from paraph.storage.transaction import Transaction

HANDOFF_SECONDS = 60
PENDING_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Claim:
    """Both accounts of a handoff, which the host's backend shows to its user.

    `replaces` holds the installations that a confirmation would move or end.
    """

    claim: Secret
    installation: Installation
    expires_at: int
    replaces: Sequence[Installation]

    def public_value(self) -> values.Claim:
        """Return the claim as the host sees it."""
        return values.Claim(
            claim=FormerSecret(self.claim.reveal()),
            subject=self.installation.link.subject,
            zoom=person_value(self.installation),
            scopes=tuple(sorted(self.installation.grant.tokens.scopes)),
            expires_at=self.expires_at,
            replaces=tuple(map(replaced_value, self.replaces)),
        )


async def add_pending(
    tx: Transaction, context: Context, grant: Grant, wish: LinkWish, progress: Progress
) -> Secret:
    """Insert a pending link with a new handoff, and return the handoff's code."""
    handoff = context.one_use_code()
    now = context.now()
    await tx.links.add(
        Link(
            link_id=context.new_id(),
            grant_id=grant.grant_id,
            client_id=grant.identity.client_id,
            subject=wish.subject,
            phase=progress.phase,
            proofs=progress.proofs,
            created_at=now,
            expires_at=now + PENDING_SECONDS,
            challenge=wish.challenge,
            return_to=wish.return_to,
            handoff_hash=secret_hash(handoff),
            handoff_expires_at=now + HANDOFF_SECONDS,
        )
    )
    return handoff


async def claim(
    context: Context,
    *,
    handoff: Secret,
    verifier: str,
    subject_prefix: str = "",
    code: Secret | None = None,
) -> Claim:
    """Open a handoff for the session that began it.

    Args:
        context: the app's store, keys and clock.
        handoff: the code that the browser brought.
        verifier: the nonce of the session.
        subject_prefix: the caller may act only for subjects that begin with this.
        code: the code of the claim, 256 bits that only this session can derive; by default new
            random bits.

    Raises:
        NotFound: the handoff is unknown, expired or used, the verifier is not this session's, or
            the subject is not the caller's. The last two do not use the handoff up, so that a
            person who finds it cannot spoil it for its owner. Its 256 bits and 60 seconds
            prevent guessing.
    """
    now = context.now()
    code = code or context.one_use_code()
    async with context.store.transaction() as tx:
        link = await tx.links.find_handoff(secret_hash(handoff), now=now)
        if link is None:
            raise NotFound("no live handoff")
        try:
            verify_challenge(verifier, link.challenge)
        except (StateMismatch, UsageError):
            raise NotFound("the verifier is not the one of the starting session") from None
        if not link.subject.startswith(subject_prefix):
            raise NotFound("the subject lies outside the caller's prefix")
        if not await tx.links.use_handoff(link.link_id, claim_hash=secret_hash(code)):
            raise NotFound("the handoff was used")
        return await _claim_of(tx, context, link, code, subject_prefix=subject_prefix)


async def _claim_of(
    tx: Transaction, context: Context, link: Link, code: Secret, *, subject_prefix: str = ""
) -> Claim:
    installation = await tx.installations.get(link.link_id)
    if installation is None:
        raise NotFound("the installation is gone")
    replaces = [
        one
        for one in await replaced_by(tx, context, link, installation.grant)
        if one.link.subject.startswith(subject_prefix)
    ]
    return Claim(code, installation, link.expires_at or context.now(), replaces)


async def find_claim(context: Context, *, claim: Secret, subject: str) -> Claim:
    """Read a claim once more, for the page that shows both accounts.

    Args:
        context: the app's store and clock.
        claim: the claim that `claim()` returned.
        subject: the subject that started.

    Raises:
        NotFound: there is no live claim, or it is of another subject.
    """
    async with context.store.reading() as tx:
        link = await tx.links.find_claim(secret_hash(claim), now=context.now())
        if link is None or link.subject != subject:
            raise NotFound("no live claim of this subject")
        return await _claim_of(tx, context, link, claim)


async def is_confirmed_since(context: Context, *, subject: str, since: int) -> bool:
    """Return True if a link of the subject was confirmed at `since` (epoch seconds) or later."""
    async with context.store.reading() as tx:
        link = await tx.links.active_for_subject(context.client.client_id, subject)
    return link is not None and link.confirmed_at is not None and link.confirmed_at >= since


async def confirm(
    context: Context,
    *,
    claim: Secret,
    subject: str,
    move: bool = False,
    subject_prefix: str = "",
) -> Installation:
    """Confirm a link: the host's user agreed.

    Args:
        context: the app's store, keys and clock.
        claim: the claim that `claim()` returned.
        subject: the subject that agreed; must be the one that started.
        move: True if the person agreed to the replacements that `replaces` named.
        subject_prefix: the caller may act only for subjects that begin with this.

    Raises:
        NotFound: there is no live claim, or it is of another subject.
        LinkConflict: a confirmation would move an installation. Either `move` is not set, or
            the caller may not see that installation, so the person cannot have agreed.
    """
    async with context.store.transaction() as tx:
        pending, grant = await _pending(tx, context, claim, subject)
        replaced = await replaced_by(tx, context, pending, grant)
        if not all(old.link.subject.startswith(subject_prefix) for old in replaced):
            raise LinkConflict(
                "the Zoom user is linked to a subject outside the caller's prefix",
                remedy="Remove the other installation first, with a key that may do so.",
            )
        if replaced and not move:
            raise LinkConflict(
                "the subject or the Zoom user is linked elsewhere",
                replaces=[replaced_value(one) for one in replaced],
            )
        progress = advance(
            Progress(pending.phase, pending.proofs), LinkEvent.HOST_CONFIRMED, now=context.now()
        )
        kept = await kept_for(tx, context, pending, grant, agreed=move)
        for old in replaced:
            if kept is None or old.link.link_id != kept[0].link.link_id:
                await _end_for(tx, context, old, grant)
        if kept is not None:
            await _end(tx, pending, LinkEvent.MERGED)
            new = Replacement(grant, subject, progress.proofs)
            return await replace_grant(tx, context, kept[0], new, reason=kept[1])
        await _activate(tx, context, pending, progress)
        installation = await _active_installation(tx, pending.grant_id)
        await notify_host(tx, context, "installation.activated", installation, reason="confirmed")
    return installation


async def decline(context: Context, *, claim: Secret, subject_prefix: str = "") -> None:
    """Decline a link: delete it, and its grant too unless another link needs that.

    Args:
        context: the app's store, keys and clock.
        claim: the claim that `claim()` returned.
        subject_prefix: the caller may act only for subjects that begin with this.

    Raises:
        NotFound: there is no live claim, or its subject is not the caller's.
    """
    async with context.store.transaction() as tx:
        pending = await tx.links.find_claim(secret_hash(claim), now=context.now())
        if pending is None or not pending.subject.startswith(subject_prefix):
            raise NotFound("no live claim")
        await _drop_pending(tx, context, pending, LinkEvent.HOST_DECLINED, reason="declined")


async def expire_pending(context: Context, *, limit: int = 100) -> int:
    """End pending links that are older than ten minutes, as if they had been declined."""
    async with context.store.reading() as tx:
        found = await tx.links.expired(now=context.now(), limit=1)
    if not found:
        # Do not take the write lock if there is nothing to write.
        return 0
    async with context.store.transaction() as tx:
        links = await tx.links.expired(now=context.now(), limit=limit)
        for link in links:
            await _drop_pending(tx, context, link, LinkEvent.EXPIRED, reason="unconfirmed")
    return len(links)


async def activate_unlinked(
    tx: Transaction, context: Context, grant: Grant, progress: Progress, *, alone: bool
) -> Installation:
    """Activate an installation without a host: it belongs to the Zoom user.

    Only a transaction that holds the global lock may continue another grant's installation.
    """
    existing = await tx.links.active_for_grant(grant.grant_id)
    identity = grant.identity
    subject = f"zoom:{identity.account_id}:{identity.user_id}"
    if existing is None and alone:
        kept = await kept_without_host(tx, context, identity)
        if kept is not None:
            new = Replacement(grant, subject, progress.proofs)
            return await replace_grant(tx, context, kept[0], new, reason=kept[1])
    link = Link(
        link_id=context.new_id() if existing is None else existing.link_id,
        grant_id=grant.grant_id,
        client_id=identity.client_id,
        subject=subject,
        phase=progress.phase
        if existing is None
        else LINK_TRANSITIONS.after(existing.phase, LinkEvent.PROVED_AGAIN),
        proofs=progress.proofs,
        created_at=context.now() if existing is None else existing.created_at,
        confirmed_at=context.now(),
    )
    await (tx.links.add(link) if existing is None else tx.links.update(link))
    installation = Installation(grant, link)
    await _record(tx, context, "link.activated", installation)
    await notify_host(tx, context, "installation.activated", installation, reason="installed")
    return installation


async def _pending(
    tx: Transaction, context: Context, claim: Secret, subject: str
) -> tuple[Link, Grant]:
    link = await tx.links.find_claim(secret_hash(claim), now=context.now())
    # The host knows both values in clear text: comparing in constant time would protect nothing.
    if link is None or link.subject != subject:
        raise NotFound("no live claim of this subject")
    grant = await tx.grants.get(link.grant_id)
    if grant is None:
        raise NotFound("the grant was removed meanwhile")
    if grant.phase is not Phase.ACTIVE:
        raise Conflict("the grant is being decided; ask again in a moment")
    return link, grant


async def _end_for(tx: Transaction, context: Context, old: Installation, grant: Grant) -> None:
    if old.grant.grant_id != grant.grant_id:
        # The subject leaves its old Zoom user, who serves no other subject, so that grant is
        # removed. If the user was moved, it no longer works and revoking would end the new one.
        is_moved = old.grant.identity.user_id == grant.identity.user_id
        removal = Removal("moved", context.now(), revoke=not is_moved)
        await remove_grant(tx, context, old.grant, removal)
        if is_moved:
            await continue_count(tx, context, old.grant.identity, grant.identity)
        return
    # The Zoom user leaves the old subject; the grant itself now serves the new one.
    await _end(tx, old.link, LinkEvent.MOVED)
    await _record(tx, context, "link.moved", old)
    await notify_host(tx, context, "installation.moved", old, reason="moved")


async def _activate(tx: Transaction, context: Context, pending: Link, progress: Progress) -> None:
    now = context.now()
    existing = await tx.links.active_for_grant(pending.grant_id)
    if existing is None:
        active = replace(
            pending,
            phase=progress.phase,
            proofs=progress.proofs,
            confirmed_at=now,
            expires_at=None,
            challenge="",
            handoff_hash=None,
            handoff_expires_at=None,
            claim_hash=None,
        )
        await tx.links.update(active)
    else:
        # Another consent: the link that was active keeps its id and gets the new proofs.
        await _end(tx, pending, LinkEvent.MERGED)
        await tx.links.update(existing.proved_again(progress.proofs, now=now))
    await _record(tx, context, "link.activated", await _active_installation(tx, pending.grant_id))


async def _active_installation(tx: Transaction, grant_id: str) -> Installation:
    link = await tx.links.active_for_grant(grant_id)
    installation = None if link is None else await tx.installations.get(link.link_id)
    if installation is None:
        raise Conflict("the installation was removed meanwhile")
    return installation


async def _end(tx: Transaction, link: Link, event: LinkEvent) -> None:
    LINK_TRANSITIONS.after(link.phase, event)
    await tx.links.delete(link.link_id)


async def _drop_pending(
    tx: Transaction, context: Context, pending: Link, event: LinkEvent, *, reason: str
) -> None:
    await _end(tx, pending, event)
    await audit.record(
        tx, context, "link.declined", subject=context.identifier(pending.subject), reason=reason
    )
    grant = await tx.grants.get(pending.grant_id)
    if grant is not None and not await tx.links.any_for_grant(grant.grant_id):
        await remove_grant(tx, context, grant, Removal(reason, context.now(), revoke=True))


async def _record(
    tx: Transaction, context: Context, action: str, installation: Installation
) -> None:
    identity = installation.grant.identity
    await audit.record(
        tx,
        context,
        action,
        installation=installation.link.link_id,
        subject=context.identifier(installation.link.subject),
        person=context.identifier(identity.account_id, identity.user_id),
        proofs=",".join(proof.name for proof in installation.link.proofs),
    )
