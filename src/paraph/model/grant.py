"""Grants: the authorization that one user gave to one app at Zoom, and the tokens of it.

Rules of the table:

- In UNDECIDED, while a deauthorization is being decided, no access token is vended.
- In SUSPENDED, after a restore, no access token is vended until a refresh has proved the grant.
- A refresh that began before a deauthorization was reported does not decide it.
- ENDED is final: a user who comes back gives a new grant.

A secret is a `Secret` in memory and sealed in the table; there is no form in between.
All times are epoch seconds on paraph's clock unless the name says `zoom`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from paraph.model.phase import Phase, TransitionTable
from paraph.secret import Secret


class GrantEvent(StrEnum):
    """An event that decides the next phase of a grant."""

    CONSENTED = "consented"
    CONSENT_INCOMPLETE = "consented without an installation"
    REFRESHED = "refreshed"
    REFRESH_OVERTAKEN = "refreshed, deauthorization reported meanwhile"
    REFRESH_REFUSED = "refresh refused"
    OWNER_CHANGED = "refreshed tokens of another owner"
    DEAUTHORIZATION_DOUBTFUL = "deauthorization doubtful"
    RESTORED = "restored from a backup"
    REPLACED = "replaced by another grant"
    REMOVED = "removed"


GRANT_TRANSITIONS: TransitionTable[GrantEvent] = TransitionTable(
    kind="grant",
    first=None,
    transitions={
        (None, GrantEvent.CONSENTED): Phase.ACTIVE,
        (Phase.ACTIVE, GrantEvent.CONSENTED): Phase.ACTIVE,
        (Phase.ACTIVE, GrantEvent.CONSENT_INCOMPLETE): Phase.ACTIVE,
        (Phase.ACTIVE, GrantEvent.REFRESHED): Phase.ACTIVE,
        (Phase.ACTIVE, GrantEvent.REFRESH_REFUSED): Phase.NEEDS_REAUTHORIZATION,
        (Phase.ACTIVE, GrantEvent.OWNER_CHANGED): Phase.NEEDS_REAUTHORIZATION,
        (Phase.ACTIVE, GrantEvent.DEAUTHORIZATION_DOUBTFUL): Phase.UNDECIDED,
        (Phase.ACTIVE, GrantEvent.RESTORED): Phase.SUSPENDED,
        (Phase.ACTIVE, GrantEvent.REPLACED): Phase.ENDED,
        (Phase.ACTIVE, GrantEvent.REMOVED): Phase.ENDED,
        (Phase.UNDECIDED, GrantEvent.CONSENTED): Phase.ACTIVE,
        (Phase.UNDECIDED, GrantEvent.CONSENT_INCOMPLETE): Phase.UNDECIDED,
        (Phase.UNDECIDED, GrantEvent.REFRESHED): Phase.ACTIVE,
        (Phase.UNDECIDED, GrantEvent.REFRESH_OVERTAKEN): Phase.UNDECIDED,
        (Phase.UNDECIDED, GrantEvent.OWNER_CHANGED): Phase.NEEDS_REAUTHORIZATION,
        (Phase.UNDECIDED, GrantEvent.DEAUTHORIZATION_DOUBTFUL): Phase.UNDECIDED,
        (Phase.UNDECIDED, GrantEvent.REPLACED): Phase.ENDED,
        (Phase.UNDECIDED, GrantEvent.REMOVED): Phase.ENDED,
        (Phase.SUSPENDED, GrantEvent.CONSENTED): Phase.ACTIVE,
        (Phase.SUSPENDED, GrantEvent.CONSENT_INCOMPLETE): Phase.ACTIVE,
        (Phase.SUSPENDED, GrantEvent.REFRESHED): Phase.ACTIVE,
        (Phase.SUSPENDED, GrantEvent.REFRESH_REFUSED): Phase.NEEDS_REAUTHORIZATION,
        (Phase.SUSPENDED, GrantEvent.OWNER_CHANGED): Phase.NEEDS_REAUTHORIZATION,
        (Phase.SUSPENDED, GrantEvent.DEAUTHORIZATION_DOUBTFUL): Phase.UNDECIDED,
        (Phase.SUSPENDED, GrantEvent.REPLACED): Phase.ENDED,
        (Phase.SUSPENDED, GrantEvent.REMOVED): Phase.ENDED,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.CONSENTED): Phase.ACTIVE,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.CONSENT_INCOMPLETE): Phase.ACTIVE,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.REFRESHED): Phase.ACTIVE,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.REFRESH_REFUSED): Phase.NEEDS_REAUTHORIZATION,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.OWNER_CHANGED): Phase.NEEDS_REAUTHORIZATION,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.DEAUTHORIZATION_DOUBTFUL): Phase.UNDECIDED,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.REPLACED): Phase.ENDED,
        (Phase.NEEDS_REAUTHORIZATION, GrantEvent.REMOVED): Phase.ENDED,
    },
)


@dataclass(frozen=True, slots=True)
class ZoomIdentity:
    """The owner of a grant: compared byte for byte, never an e-mail (RFC 9700 2.1; ASVS 10.5.2)."""

    client_id: str
    account_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """One token set. `zoom_time` is the `Date` of the token response: Zoom's own clock."""

    access_token: Secret
    refresh_token: Secret | None
    access_expires_at: int
    scopes: frozenset[str]
    api_server: str
    received_at: int
    zoom_time: int | None


@dataclass(frozen=True, slots=True)
class Grant:
    """The authorization that one user gave to one app at Zoom.

    `phase` is ACTIVE, UNDECIDED, SUSPENDED or NEEDS_REAUTHORIZATION. `token_version` counts
    token sets. A writer names the version that it read, so that a late writer cannot overwrite
    a newer set. `granted_zoom_time` is when the consent's code was exchanged, on Zoom's clock, if
    known.
    """

    grant_id: str
    identity: ZoomIdentity
    phase: Phase
    tokens: Tokens
    token_version: int
    email: str
    display_name: str
    granted_at: int
    granted_zoom_time: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefreshAttempt:
    """The refresh of a grant that is in progress, or the last one that failed.

    Only `holder` may ask Zoom until `lease_until`. `token_version` is the token set that it
    started from; an attempt for an older set no longer counts.
    """

    grant_id: str
    token_version: int
    holder: str
    began_at: int
    lease_until: int
    failures: int = 0
    next_attempt_at: int = 0


@dataclass(frozen=True, slots=True)
class OwnerlessTokens:
    """Tokens of a still unknown owner. Dropping the newest set could lose a working grant."""

    ownerless_id: str
    client_id: str
    tokens: Tokens
    created_at: int
    attempts: int
    next_attempt_at: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """A token to revoke at Zoom, sealed until it is revoked."""

    revocation_id: str
    client_id: str
    token: Secret
    created_at: int
    attempts: int
    next_attempt_at: int
