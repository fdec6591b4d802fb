"""Installations: a grant with its link, and the two rows that the hot reads return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from paraph.model.grant import Grant
from paraph.model.link import Link
from paraph.model.phase import Phase


@dataclass(frozen=True, slots=True)
class Installation:
    """A grant with its link: the unit of the management API, the pages and the documents."""

    grant: Grant
    link: Link

    @property
    def phase(self) -> Phase:
        """The grant's phase once the link is active; until then the link's."""
        return self.grant.phase if self.link.phase is Phase.ACTIVE else self.link.phase


class InstallationCount(NamedTuple):
    """The number of installations of one app in one phase."""

    client_id: str
    phase: Phase
    number: int


class AccessRow(NamedTuple):
    """The row that decides about a vend or a proxied call at this moment.

    The first five values belong to the API key, the rest to the installation; each is empty without
    such a row. The access token is sealed: `Database.open_access_token` opens it.
    """

    key_secret_hash: bytes | None
    key_scopes: str | None
    key_subject_prefix: str | None
    key_revoked_at: int | None
    key_last_used_at: int | None
    client_id: str | None
    subject: str | None
    link_phase: str | None
    grant_id: str | None
    grant_phase: str | None
    reason: str | None
    token_version: int | None
    sealed_access_token: bytes | None
    access_expires_at: int | None
    scopes: str | None
    api_server: str | None


class Recipient(NamedTuple):
    """An active installation that an event is forwarded with, and its Zoom user and account."""

    link_id: str
    subject: str
    user_id: str
    account_id: str
