"""Gives out valid access tokens of installations that are active at this moment.

Every vended token and every call is checked here against the store, with one statement for all
requests that arrive together. Nothing is vended from memory, so a removal takes effect at once
on every replica.

A token in use is refreshed by its use. In its last minutes it is refreshed in the background, and
the caller gets the present one, which still works. In its last two minutes the caller waits for the
refresh. The moment differs between grants, so that installations of the same minute are not all
refreshed at once every hour.
"""

from __future__ import annotations

import hashlib

import msgspec

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
from paraph.model.installation import AccessRow
from paraph.model.phase import Phase
from paraph.secret import Secret

REFRESH_BEFORE = 120
JITTER_SECONDS = 300


class Access(msgspec.Struct, frozen=True, gc=False):
    """The access token and the facts that a call for an installation needs.

    `token_version` identifies the token set; `scopes` are sorted and separated by spaces.
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
    """Checks that installations are active, and keeps their access tokens valid."""

    def __init__(self, context: Context, refresher: Refresher) -> None:
        self._context = context
        self._refresher = refresher

    async def current(
        self, installation_id: str, *, subject: str | None = None, subject_prefix: str = ""
    ) -> Access:
        """Return an access token that stays valid for a while, of an active installation.

        Args:
            installation_id: the id of the installation.
            subject: if given, must be the installation's subject.
            subject_prefix: the installation's subject must begin with this.

        Raises:
            NotFound: this subject has no active installation.
            NeedsReauthorization: Zoom ended the grant.
            BeingDecided: a removal was announced and is not decided yet.
            PeerError, TransportError: the token has expired and Zoom does not refresh it now.
        """
        row = await self._context.store.read_access("", installation_id)
        return await self.current_in(
            row, installation_id, subject=subject, subject_prefix=subject_prefix
        )

    async def current_in(
        self,
        row: AccessRow,
        installation_id: str,
        *,
        subject: str | None = None,
        subject_prefix: str = "",
    ) -> Access:
        """Do the same from a row that was read just now for this call."""
        ready = self.stored(row, installation_id, subject=subject, subject_prefix=subject_prefix)
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
            # Zoom does not respond now; the stored token still works for a moment.
        row = await self._context.store.read_access("", installation_id)
        return self._prove(row, installation_id, subject, subject_prefix)

    def stored(
        self,
        row: AccessRow,
        installation_id: str,
        *,
        subject: str | None = None,
        subject_prefix: str = "",
    ) -> Access | None:
        """Do the same with the stored token; return None if Zoom must be asked first."""
        if row.grant_phase == Phase.SUSPENDED:
            return None
        left = (row.access_expires_at or 0) - self._context.now()
        if left <= REFRESH_BEFORE:
            return None
        access = self._prove(row, installation_id, subject, subject_prefix)
        if left <= REFRESH_BEFORE + JITTER_SECONDS:
            self._refresh_soon(access.grant_id, left)
        return access

    async def renew(self, refused: Access) -> None:
        """Refresh a token that Zoom refused, unless the store already has a newer one.

        Raises:
            NeedsReauthorization: Zoom refused the refresh token as well.
            PeerError, TransportError: the outcome of the refresh is unknown.
        """
        row = await self._context.store.read_access("", refused.installation_id)
        current = await self._proved(row, refused.installation_id, refused.subject, "")
        if current.token_version == refused.token_version:
            await self._refresh(current.grant_id)

    async def close(self) -> None:
        """Wait for the refreshes that are in progress."""
        await self._refresher.close()

    async def _proved(
        self, row: AccessRow, installation_id: str, subject: str | None, subject_prefix: str
    ) -> Access:
        if row.grant_phase == Phase.SUSPENDED and row.grant_id is not None:
            self._demand_visible(row, subject, subject_prefix)
            # Restored from a backup: one refresh proves it, or ends it.
            await self._refresh(row.grant_id)
            row = await self._context.store.read_access("", installation_id)
        return self._prove(row, installation_id, subject, subject_prefix)

    def _prove(
        self, row: AccessRow, installation_id: str, subject: str | None, subject_prefix: str
    ) -> Access:
        self._demand_visible(row, subject, subject_prefix)
        if row.grant_phase == Phase.NEEDS_REAUTHORIZATION:
            raise self._ended(row.reason or "")
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

    def _demand_visible(self, row: AccessRow, subject: str | None, subject_prefix: str) -> None:
        if (
            row.subject is None
            or row.link_phase != Phase.ACTIVE
            or row.client_id != self._context.client.client_id
            or (subject is not None and row.subject != subject)
            or not row.subject.startswith(subject_prefix)
        ):
            raise NotFound("no active installation of this subject")

    def _refresh_soon(self, grant_id: str, left: int) -> None:
        """Refresh a grant in the background if its own moment has come."""
        if left <= REFRESH_BEFORE + jitter(grant_id):
            self._refresher.begin(grant_id)

    async def _refresh(self, grant_id: str) -> None:
        try:
            await self._refresher.refresh(grant_id)
        except InvalidGrant as error:
            raise self._ended(error.detail) from None

    def _ended(self, reason: str) -> NeedsReauthorization:
        return NeedsReauthorization(reason, reauthorize_url=self._context.reauthorize_url)


def jitter(grant_id: str) -> int:
    """Return the seconds by which a grant is refreshed earlier than it must be."""
    return hashlib.blake2b(grant_id.encode(), digest_size=1).digest()[0] * JITTER_SECONDS // 256
