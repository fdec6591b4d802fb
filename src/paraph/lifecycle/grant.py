"""Grants: the tokens and scopes that Zoom issued, separate from the link that they serve.

Zoom keeps one live token set per user and app: each consent invalidates older tokens (4741).
So the tokens of a new exchange replace the grant's at once, even if the link is never
confirmed. Otherwise the grant would keep a set that no longer works.
"""

from __future__ import annotations

from dataclasses import replace

from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.outbox import NEEDS_REAUTHORIZATION, notify_host, notify_recovery
from paraph.model.grant import GRANT_TRANSITIONS, Grant, GrantEvent, Tokens, ZoomIdentity
from paraph.model.installation import Installation
from paraph.model.phase import Phase
from paraph.oauth.token_endpoint import TokenSet
from paraph.storage.transaction import Transaction
from paraph.zoom.user import ZoomUser


def tokens_of(
    token_set: TokenSet, *, context: Context, scopes: frozenset[str] = frozenset()
) -> Tokens:
    """Build the stored token set of a token response. `api_url` must name an allowed host.

    Args:
        token_set: the response.
        context: the app's client and clock.
        scopes: the scopes of a refreshed grant, which a response without scopes does not change
            (RFC 6749 section 5.1).
    """
    now = context.now()
    return Tokens(
        access_token=token_set.access_token,
        refresh_token=token_set.refresh_token,
        access_expires_at=now + token_set.expires_in,
        scopes=scopes if token_set.scopes is None else token_set.scopes,
        api_server=context.resource_server.server_for(token_set.api_url),
        received_at=now,
        zoom_time=token_set.issued_at_server,
    )


async def keep_consent(
    tx: Transaction,
    context: Context,
    user: ZoomUser,
    tokens: Tokens,
    *,
    event: GrantEvent = GrantEvent.CONSENTED,
) -> Grant:
    """Insert the grant of a new consent, or replace the tokens of the existing one.

    Raises:
        UsageError: an incomplete consent has no grant of its own.
    """
    identity = ZoomIdentity(context.client.client_id, user.account_id, user.user_id)
    known = await tx.grants.find(identity)
    phase = GRANT_TRANSITIONS.after(None if known is None else known.phase, event)
    grant = Grant(
        grant_id=context.new_id() if known is None else known.grant_id,
        identity=identity,
        phase=phase,
        tokens=tokens,
        token_version=1 if known is None else known.token_version,
        email=user.email,
        display_name=user.display_name,
        granted_at=context.now(),
        granted_zoom_time=tokens.zoom_time,
        reason=known.reason if known is not None and phase is Phase.UNDECIDED else "",
    )
    await tx.data_keys.add_missing(identity, context.random_bytes)
    person = context.identifier(identity.account_id, identity.user_id)
    if known is None:
        await tx.grants.add(grant)
        await audit.record(tx, context, "grant.added", person=person)
        return grant
    await tx.grants.renew_consent(grant)
    await audit.record(tx, context, "grant.renewed", person=person)
    return replace(grant, token_version=known.token_version + 1)


async def keep_newest_tokens(
    tx: Transaction, context: Context, user: ZoomUser, tokens: Tokens
) -> None:
    """Store the tokens of a consent that completes no installation, in a known grant.

    Its older tokens no longer work. An undecided removal stays undecided and is decided
    by these tokens: the consent does not say which of the two came last.
    """
    grant = await keep_consent(tx, context, user, tokens, event=GrantEvent.CONSENT_INCOMPLETE)
    if grant.phase is not Phase.UNDECIDED:
        await notify_recovery(tx, context, grant, reason="consented again")


async def require_reauthorization(
    tx: Transaction, context: Context, grant: Grant, event: GrantEvent, *, reason: str
) -> None:
    """Vend no more tokens until the person has consented again, and notify the host."""
    phase = GRANT_TRANSITIONS.after(grant.phase, event)
    await tx.grants.set_phase(grant.grant_id, phase, reason=reason)
    identity = grant.identity
    person = context.identifier(identity.account_id, identity.user_id)
    await audit.record(tx, context, "grant.needs_reauthorization", person=person)
    link = await tx.links.active_for_grant(grant.grant_id)
    if link is not None:
        installation = Installation(grant, link)
        await notify_host(tx, context, NEEDS_REAUTHORIZATION, installation, reason=reason)
