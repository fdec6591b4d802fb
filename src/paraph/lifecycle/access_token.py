"""Refreshes a grant's tokens, so that the newest token set is never lost and never overwritten.

- Each grant has at most one refresh in progress: within the process by its task, between
  processes and machines by a lease in the store. Every other caller waits and gets its result.
- A refresh is not cancelled when its caller is, since Zoom may have rotated the tokens already.
- A new set is written before it is used, and only over the version that was read. If the store
  cannot be reached the write is retried for minutes, because no other copy of the set exists.
- `invalid_grant` is believed only after the store was read again, and if no earlier attempt with
  the same refresh token has an unknown outcome. Otherwise the refresher waits for one more lease.
- A refused grant keeps its row and its version, so a valid response that comes late restores it.
  A set that arrives after the removal is revoked at Zoom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from paraph.errors import (
    InvalidGrant,
    PeerError,
    PeerUnavailable,
    StorageError,
    TransportError,
)
from paraph.lifecycle import audit, refresh_lease
from paraph.lifecycle.context import Context
from paraph.lifecycle.grant import require_reauthorization, tokens_of
from paraph.lifecycle.outbox import notify_recovery
from paraph.lifecycle.refresh_lease import LEASE_SECONDS, Lease
from paraph.lifecycle.removal import queue_revocation
from paraph.lifecycle.replacement import TRANSFERRED, other_grants
from paraph.logs import get_logger
from paraph.model.grant import GRANT_TRANSITIONS, Grant, GrantEvent, Tokens
from paraph.model.phase import Phase
from paraph.storage.scope import Scope, account
from paraph.zoom.api_errors import explain_grant_error

# A little more than the deadline of the awaited request and its write.
TIMEOUT_SECONDS = 10.0
# Each pause is about a tenth of the time waited so far. So a caller that waits for a refresh
# learns of its end a tenth too late at worst, however long it takes.
_FIRST_PAUSE, _LONGEST_PAUSE, _SLOWER = 0.01, 0.25, 1.1
_WRITE_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, *(5.0,) * 24)

ANOTHER_USER = "the refreshed tokens are another Zoom user's"

_log = get_logger("refresh")


class Refresher:
    """Refreshes grants, one refresh at a time for each grant, on any number of replicas.

    Args:
        context: the app's store, keys and clock, and Zoom's token endpoint.
        lease_seconds: the length of a lease; well longer than a request's deadline.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        context: Context,
        *,
        lease_seconds: int = LEASE_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._context = context
        self._lease_seconds = lease_seconds
        self._sleep = sleep
        self._refreshes: dict[str, asyncio.Task[Grant | None]] = {}

    async def refresh(self, grant_id: str) -> Grant | None:
        """Refresh a grant, or wait for the refresh that is already in progress.

        Returns:
            The refreshed grant; None if it was removed.

        Raises:
            InvalidGrant: Zoom refused the refresh token, and the store holds no newer one.
            PeerError, TransportError: the outcome is unknown; the stored tokens stay.
        """
        return await asyncio.shield(self.begin(grant_id))

    def begin(self, grant_id: str) -> asyncio.Task[Grant | None]:
        """Start the refresh of a grant without waiting for it."""
        running = self._refreshes.get(grant_id)
        # A finished refresh is not returned to a new caller.
        if running is None or running.done():
            running = asyncio.create_task(self._run(grant_id), name="refresh")
            self._refreshes[grant_id] = running
            running.add_done_callback(lambda done: self._ended(grant_id, done))
        return running

    async def close(self) -> None:
        """Wait for the refreshes in progress: a token set that is not written is a lost grant."""
        while self._refreshes:
            await asyncio.wait(list(self._refreshes.values()))

    def _ended(self, grant_id: str, running: asyncio.Task[Grant | None]) -> None:
        if self._refreshes.get(grant_id) is running:
            del self._refreshes[grant_id]
        # Read the exception: otherwise asyncio reports one that no caller waited for.
        _ = running.cancelled() or running.exception()

    async def _run(self, grant_id: str) -> Grant | None:
        waited, pause = 0.0, _FIRST_PAUSE
        known: int | None = None
        while True:
            async with self._context.store.reading() as tx:
                grant = await tx.grants.get(grant_id)
                if grant is None or known not in {None, grant.token_version}:
                    return grant
                known = grant.token_version
                if grant.phase is Phase.NEEDS_REAUTHORIZATION:
                    raise InvalidGrant(grant.reason)
                if grant.tokens.refresh_token is None:
                    raise InvalidGrant("the grant has no refresh token")
                is_free = await refresh_lease.may_be_tried(tx, self._context, grant)
            if is_free:
                lease = await refresh_lease.take(self._context, grant, seconds=self._lease_seconds)
                if lease is not None:
                    return await self._ask(lease)
            if waited >= TIMEOUT_SECONDS:
                raise TransportError("another process is still refreshing the grant")
            await self._sleep(pause)
            waited, pause = waited + pause, min(pause * _SLOWER, _LONGEST_PAUSE)

    async def _ask(self, lease: Lease) -> Grant | None:
        refresh_token = lease.grant.tokens.refresh_token
        if refresh_token is None:
            raise InvalidGrant("the grant has no refresh token")
        try:
            token_set = await self._context.authorization_server.refresh(refresh_token)
        except InvalidGrant as error:
            return await self._refused(lease, error)
        except (PeerError, TransportError) as error:
            await self._failed(lease, error)
            raise
        tokens = tokens_of(token_set, context=self._context, scopes=lease.grant.tokens.scopes)
        return await self._check_owner(lease, await self._keep(lease, tokens), tokens)

    async def _check_owner(self, lease: Lease, kept: Grant | None, tokens: Tokens) -> Grant | None:
        """Ask Zoom who owns the new set, once it is stored: a refresh must not change the owner.

        If Zoom cannot say now, the set stays: it came from Zoom, for this refresh token.
        """
        if kept is None or kept.tokens.access_token != tokens.access_token:
            return kept
        try:
            user = await self._context.resource_server.read_user(
                tokens.api_server, access_token=tokens.access_token
            )
        except (PeerError, TransportError) as error:
            _log.info("refresh.owner_not_read", error_code=error.code)
            return kept
        identity = lease.grant.identity
        if (user.account_id, user.user_id) == (identity.account_id, identity.user_id):
            return kept
        # A refresh proves no consent: a user moved to another account has to consent there.
        reason = TRANSFERRED if user.user_id == identity.user_id else ANOTHER_USER
        async with self._context.store.transaction(_scope(kept)) as tx:
            current = await tx.grants.get(kept.grant_id)
            if current is None or current.token_version != kept.token_version:
                return current
            await require_reauthorization(
                tx, self._context, current, GrantEvent.OWNER_CHANGED, reason=reason
            )
        raise InvalidGrant(reason)

    async def _failed(self, lease: Lease, error: PeerError | TransportError) -> None:
        """Keep the stored tokens, since the outcome is unknown, and delay the next attempt."""
        try:
            at = await refresh_lease.postpone(self._context, lease)
        except StorageError:
            # If this fails the lease runs out.
            return
        _log.warning("refresh.failed", error_code=error.code, why=error.detail, again_at=at)

    async def _keep(self, lease: Lease, tokens: Tokens) -> Grant | None:
        for pause in _WRITE_PAUSES:
            try:
                return await self._write(lease, tokens)
            except StorageError as error:
                _log.warning("refresh.not_written", error_code=error.code, why=error.detail)
                await self._sleep(pause)
        return await self._write(lease, tokens)

    async def _write(self, lease: Lease, tokens: Tokens) -> Grant | None:
        before, context = lease.grant, self._context
        async with context.store.transaction(_scope(before)) as tx:
            current = await tx.grants.get(before.grant_id)
            if current is None:
                # A newer grant of this user invalidated these; revoking them would end that grant.
                if not await other_grants(tx, context, before.identity):
                    await queue_revocation(tx, context, tokens)
                await audit.record(
                    tx, context, "grant.late_tokens_dropped", person=self._person(before)
                )
                return None
            await refresh_lease.end(tx, lease)
            if current.token_version != before.token_version:
                # A consent in between invalidated this set (4741). Or an earlier attempt wrote this
                # very set, and the database's response to it was lost.
                return current
            event = _event_of(asked_in=before.phase, now_in=current.phase)
            phase = GRANT_TRANSITIONS.after(current.phase, event)
            await tx.grants.replace_tokens(
                before.grant_id, tokens, expected_version=before.token_version, phase=phase
            )
            await audit.record(tx, context, "grant.refreshed", person=self._person(before))
            if current.phase is not phase:
                await notify_recovery(tx, context, current, reason="refreshed")
            return await tx.grants.get(before.grant_id)

    async def _refused(self, lease: Lease, error: InvalidGrant) -> Grant | None:
        before, context = lease.grant, self._context
        reason = explain_grant_error(error.detail)
        if lease.doubtful:
            at = await refresh_lease.postpone(
                context, lease, at_least=context.now() + self._lease_seconds
            )
            raise PeerUnavailable(503, at) from None
        async with context.store.transaction(_scope(before)) as tx:
            await refresh_lease.end(tx, lease)
            current = await tx.grants.get(before.grant_id)
            if current is None or current.token_version != before.token_version:
                # The refused token is no longer the grant's.
                return current
            if current.phase is not Phase.UNDECIDED:
                await require_reauthorization(
                    tx, context, current, GrantEvent.REFRESH_REFUSED, reason=reason
                )
        raise InvalidGrant(reason)

    def _person(self, grant: Grant) -> str:
        return self._context.identifier(grant.identity.account_id, grant.identity.user_id)


def _scope(grant: Grant) -> Scope:
    return account(grant.identity.client_id, grant.identity.account_id)


def _event_of(*, asked_in: Phase, now_in: Phase) -> GrantEvent:
    """Return the event of a valid refresh: it undoes any phase but a newer deauthorization."""
    if now_in is Phase.UNDECIDED and asked_in is not Phase.UNDECIDED:
        return GrantEvent.REFRESH_OVERTAKEN
    return GrantEvent.REFRESHED
