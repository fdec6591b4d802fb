"""Refreshing a grant's tokens, so that the newest set is never lost and never brought back.

Zoom's refresh tokens work once. So: one refresh in flight per grant; a new set is written
before anything uses it, and only over the version that was read; a set that arrives after
the grant was removed is made dead at Zoom instead of bringing the grant back to life.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from paraph.errors import InvalidGrant
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import queue_revocation, tokens_of
from paraph.oauth.phase import Phase
from paraph.storage.records import Grant, Tokens


class Refresher:
    """Refreshes grants, one refresh at a time for each."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # A lock lives as long as somebody holds or awaits it; the table forgets it by itself.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def refresh(self, grant_id: str) -> Grant | None:
        """Get the next token set and keep it.

        Returns:
            The grant as it is now, with phase ACTIVE; None when it was removed.

        Raises:
            InvalidGrant: Zoom said that the grant is dead, and the store holds nothing newer.
            PeerError, TransportError: it is not known; the tokens that are kept stand.
        """
        lock = self._locks.setdefault(grant_id, asyncio.Lock())
        async with lock:
            before = await self._read(grant_id)
            if before is None:
                return None
            if before.tokens.refresh_token is None:
                raise InvalidGrant("the grant has no refresh token")
            try:
                token_set = await self._context.authorization_server.refresh(
                    before.tokens.refresh_token
                )
            except InvalidGrant:
                # A consent or another process may have written a newer set meanwhile: then
                # this answer was about a token that is no longer the grant's.
                after = await self._read(grant_id)
                if after is None or after.token_version != before.token_version:
                    return after
                raise
            return await self._keep(before, tokens_of(token_set, context=self._context))

    async def _read(self, grant_id: str) -> Grant | None:
        async with self._context.store.reading() as tx:
            return await tx.grants.get(grant_id)

    async def _keep(self, before: Grant, tokens: Tokens) -> Grant | None:
        async with self._context.store.transaction() as tx:
            written = await tx.grants.replace_tokens(
                before.grant_id,
                tokens,
                expected_version=before.token_version,
                phase=Phase.ACTIVE,
            )
            current = await tx.grants.get(before.grant_id)
            identity = before.identity
            person = self._context.identifier(identity.account_id, identity.user_id)
            if written:
                await audit.record(tx, self._context, "grant.refreshed", person=person)
            elif current is None:
                await queue_revocation(tx, self._context, tokens)
                await audit.record(tx, self._context, "grant.late_tokens_dropped", person=person)
            return current
