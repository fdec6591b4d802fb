"""A valid access token of an installation that is active at this moment.

Whoever vends a token or makes a call asks here each time, and each time the store is asked, by
one statement for all who ask at the same time: nothing is vended from memory, so that a removal
counts at once on every replica.

A token that is used is refreshed by its use. In its last minutes that is done behind the caller,
who gets the one that still works; in its last two, in front of him. When that begins is different
for each grant, so that installations of the same minute do not come back together every hour.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from paraph.errors import (
    BeingDecided,
    InvalidGrant,
    NeedsReauthorization,
    NotFound,
    PeerUnavailable,
    TransportError,
)
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.oauth.phase import Phase
from paraph.secret import Secret
from paraph.storage.records import LiveRow

REFRESH_BEFORE = 120
JITTER_SECONDS = 300


class Access(NamedTuple):
    """What a call for an installation takes.

    `token_version` says which token set it is; `scopes` are sorted, with blanks between.
    """

    installation_id: str
    subject: str
    grant_id: str
    token_version: int
    access_token: Secret
    expires_at: int
    scopes: str
    api_server: str


class ActiveAccess:
    """Proves installations active and keeps their access tokens valid."""

    def __init__(self, context: Context, refresher: Refresher) -> None:
        self._context = context
        self._refresher = refresher

    async def current(
        self, installation_id: str, *, subject: str | None = None, subject_prefix: str = ""
    ) -> Access:
        """An access token that is valid for a while, of an installation that is active now.

        Args:
            installation_id: which.
            subject: must be the installation's, when it is given.
            subject_prefix: the installation's subject must begin so.

        Raises:
            NotFound: no active installation of this subject.
            NeedsReauthorization: Zoom ended the grant.
            BeingDecided: a removal was announced and is not decided yet.
            PeerError, TransportError: the token has run out and Zoom does not refresh it now.
        """
        row = await self._context.store.read_live("", installation_id)
        return await self.current_in(
            row, installation_id, subject=subject, subject_prefix=subject_prefix
        )

    async def current_in(
        self,
        row: LiveRow,
        installation_id: str,
        *,
        subject: str | None = None,
        subject_prefix: str = "",
    ) -> Access:
        """The same, from a row that was read just now and for this call."""
        ready = self.at_hand(row, installation_id, subject=subject, subject_prefix=subject_prefix)
        if ready is not None:
            return ready
        access = await self._proved(row, installation_id, subject, subject_prefix)
        left = access.expires_at - self._context.now()
        if left > REFRESH_BEFORE:
            return access
        try:
            await self._refresh(access.grant_id)
        except (PeerUnavailable, TransportError):
            if left <= 0:
                raise
            # Zoom does not answer now; what is kept still works for a moment.
        row = await self._context.store.read_live("", installation_id)
        return self._prove(row, installation_id, subject, subject_prefix)

    def at_hand(
        self,
        row: LiveRow,
        installation_id: str,
        *,
        subject: str | None = None,
        subject_prefix: str = "",
    ) -> Access | None:
        """The same where Zoom has not to be asked first; elsewhere None."""
        if row.grant_phase == Phase.SUSPENDED:
            return None
        left = (row.access_expires_at or 0) - self._context.now()
        if left <= REFRESH_BEFORE:
            return None
        access = self._prove(row, installation_id, subject, subject_prefix)
        if left <= REFRESH_BEFORE + JITTER_SECONDS:
            self._refresh_soon(access.grant_id, left)
        return access

    async def installation_of(self, subject: str) -> str:
        """The id of a subject's active installation. `NotFound` when there is none."""
        async with self._context.store.reading() as tx:
            link = await tx.links.active_for_subject(self._context.client.client_id, subject)
        if link is None:
            raise NotFound("no active installation of this subject")
        return link.link_id

    async def renew(self, refused: Access) -> None:
        """Refresh a token that Zoom refused, unless a newer one is there already.

        Raises:
            NeedsReauthorization: Zoom refused the refresh token as well.
            PeerError, TransportError: it is not known.
        """
        row = await self._context.store.read_live("", refused.installation_id)
        current = await self._proved(row, refused.installation_id, refused.subject, "")
        if current.token_version == refused.token_version:
            await self._refresh(current.grant_id)

    async def close(self) -> None:
        """Wait for the refreshes that are in flight."""
        await self._refresher.close()

    async def _proved(
        self, row: LiveRow, installation_id: str, subject: str | None, subject_prefix: str
    ) -> Access:
        if row.grant_phase == Phase.SUSPENDED and row.grant_id is not None:
            self._demand_visible(row, subject, subject_prefix)
            # Restored from a backup: one refresh proves it, or ends it.
            await self._refresh(row.grant_id)
            row = await self._context.store.read_live("", installation_id)
        return self._prove(row, installation_id, subject, subject_prefix)

    def _prove(
        self, row: LiveRow, installation_id: str, subject: str | None, subject_prefix: str
    ) -> Access:
        self._demand_visible(row, subject, subject_prefix)
        if row.grant_phase == Phase.NEEDS_REAUTHORIZATION:
            raise NeedsReauthorization(row.reason or "")
        if row.grant_phase != Phase.ACTIVE:
            raise BeingDecided("a deauthorization is being decided")
        return Access(
            installation_id,
            row.subject or "",
            row.grant_id or "",
            row.token_version or 0,
            self._context.store.open_access_token(row),
            row.access_expires_at or 0,
            row.scopes or "",
            row.api_server or "",
        )

    def _demand_visible(self, row: LiveRow, subject: str | None, subject_prefix: str) -> None:
        if (
            row.subject is None
            or row.link_phase != Phase.ACTIVE
            or row.client_id != self._context.client.client_id
            or (subject is not None and row.subject != subject)
            or not row.subject.startswith(subject_prefix)
        ):
            raise NotFound("no active installation of this subject")

    def _refresh_soon(self, grant_id: str, left: int) -> None:
        """Have it refreshed behind the caller, when its own moment has come."""
        if left <= REFRESH_BEFORE + jitter(grant_id):
            self._refresher.begin(grant_id)

    async def _refresh(self, grant_id: str) -> None:
        try:
            await self._refresher.refresh(grant_id)
        except InvalidGrant as error:
            raise NeedsReauthorization(error.detail) from None


def jitter(grant_id: str) -> int:
    """Seconds by which a grant's refresh begins earlier than the last moment for it."""
    return hashlib.blake2b(grant_id.encode(), digest_size=1).digest()[0] * JITTER_SECONDS // 256
