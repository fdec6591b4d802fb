"""What the store keeps, as values.

A secret is a `Secret` in memory and sealed in the table; nothing in between exists.
All times are epoch seconds on our clock unless the name says `zoom`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

import msgspec

from paraph.oauth.phase import Phase, Rung
from paraph.secret import Secret
from paraph.zoom.concerned_users import DropReason

# A tombstone's time on Zoom's clock where the event did not say it readably.
UNKNOWN_TIME = -1
# Before the name of a notice, where its name alone could be that of an event of Zoom's.
NOTICE_MARK = "!"
# All names of notices begin with the first; the second stands before Zoom's names where both occur.
NOTICE_PREFIX, ZOOM_PREFIX = "installation.", "zoom."


@dataclass(frozen=True, slots=True)
class ZoomIdentity:
    """Whose grant it is: byte for byte, never an e-mail (RFC 9700 section 2.1; ASVS 10.5.2)."""

    client_id: str
    account_id: str
    user_id: str


class TombstoneTimes(NamedTuple):
    """When a deauthorization happened, and when it was last told.

    Attributes:
        zoom_time: on Zoom's clock, as the event says it; `UNKNOWN_TIME` where it does not.
        told_at: on our clock.
    """

    zoom_time: int
    told_at: int


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
    """What Zoom gave to one app by one user.

    `phase` is ACTIVE, UNDECIDED, SUSPENDED or NEEDS_REAUTHORIZATION. `token_version` counts
    token sets: who writes one names the version it read, so that a late writer cannot undo a
    newer one.
    `granted_zoom_time` is when the consent's code was exchanged, on Zoom's clock, or None.
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
    """The one refresh of a grant that may be under way, or the last one that came to nothing.

    The `holder` alone may ask Zoom until `lease_until`. `token_version` says which token set it
    set out from; what is noted here about an older one means nothing any more.
    """

    grant_id: str
    token_version: int
    holder: str
    began_at: int
    lease_until: int
    failures: int = 0
    next_attempt_at: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """Which local account a grant serves. `phase` is PENDING or ACTIVE.

    A pending link carries the hashes of its handoff and, once claimed, of its claim.
    """

    link_id: str
    grant_id: str
    client_id: str
    subject: str
    phase: Phase
    rungs: tuple[Rung, ...]
    created_at: int
    confirmed_at: int | None = None
    expires_at: int | None = None
    challenge: str = ""
    return_to: str = ""
    handoff_hash: bytes | None = None
    handoff_expires_at: int | None = None
    claim_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Installation:
    """A grant with its link: what the management API, the pages and people speak of."""

    grant: Grant
    link: Link

    @property
    def phase(self) -> Phase:
        """The grant's, once the link is active; until then the link is what is waited for."""
        return self.grant.phase if self.link.phase is Phase.ACTIVE else self.link.phase


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """The host's wish to link its signed-in user, kept under the hash of its one-use code."""

    request_hash: bytes
    subject: str
    challenge: str
    return_to: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class OwnerlessTokens:
    """Tokens whose owner could not be read yet: dropping the newest set kills the working one."""

    ownerless_id: str
    client_id: str
    tokens: Tokens
    created_at: int
    attempts: int
    next_attempt_at: int


class EventStatus(StrEnum):
    """Where a kept event stands."""

    RECEIVED = "received"
    HANDED_ON = "handed_on"
    DEAD = "dead"


class KeptEvent(msgspec.Struct, frozen=True, gc=False):
    """One event in the inbox, or one notice of our own to the host.

    `event_id` is the hex of the delivery digest for Zoom's events (the deduplication key), and
    random for notices. `body` is None once it was deleted; the row stays for deduplication.
    `urgent` events (deauthorizations) are not delayed by any backlog.
    `attempts` counts claims: whoever claims an event counts at once, so that an event that kills
    its worker is counted too. `arrival` is microseconds, finer than `received_at`, and gives the
    order. `trace` is the `traceparent` of the delivery, or empty. `signed_at` is the time that Zoom
    signed with the delivery, on Zoom's clock. `subject_key` is a keyed hash of the subject, for
    notices only; notices of one subject are delivered in order.
    `concerned` are the Zoom users whom one of Zoom's events concerns; None in a row that an older
    version wrote, where the body says so. `event_ts` and `marks` are not stored: they decide
    whether a new event is kept. Each mark is a user id, or "" for the whole account, with the hash
    under which its removal would be noted.
    """

    event_id: str
    name: str
    received_at: int
    body: bytes | None
    account_id: str = ""
    user_id: str = ""
    notice: bool = False
    urgent: bool = False
    status: EventStatus = EventStatus.RECEIVED
    attempts: int = 0
    next_attempt_at: int = 0
    handed_on_at: int | None = None
    failure: str = ""
    arrival: int = 0
    trace: str = ""
    signed_at: int | None = None
    subject_key: str = ""
    concerned: tuple[str, ...] | None = ()
    event_ts: int | None = None
    marks: tuple[tuple[str, bytes], ...] = ()

    @property
    def kind(self) -> str:
        """The name, marked if it is a notice's: Zoom can send an event of any name."""
        return f"{NOTICE_MARK}{self.name}" if self.notice else self.name

    @property
    def shown_name(self) -> str:
        """The name for operators: an event of Zoom's never looks like a notice of paraph's."""
        is_like_notice = self.name.startswith(NOTICE_PREFIX) and not self.notice
        return f"{ZOOM_PREFIX}{self.name}" if is_like_notice else self.name


class NoticeCount(NamedTuple):
    """The counter of one Zoom user's notices. `arrival` orders them, in microseconds."""

    sequence: int
    generation: int
    arrival: int
    last_name: str


class Outcome(Enum):
    """The result of a delivery: kept, known already, or dropped for a reason. All are 200s."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    OTHER_CLIENT = DropReason.OTHER_CLIENT.value
    REMOVED_ACCOUNT = DropReason.REMOVED_ACCOUNT.value
    REMOVED_USER = DropReason.REMOVED_USER.value
    OLDER_THAN_GRANT = DropReason.OLDER_THAN_GRANT.value
    UNDATED = DropReason.UNDATED.value

    @property
    def is_dropped(self) -> bool:
        """True where the event was verified and not kept."""
        return self not in {Outcome.KEPT, Outcome.DUPLICATE}


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits to be handed on, since when, and how much was given up."""

    waiting: int
    urgent: int
    oldest_received_at: int | None
    dead: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """A token that must die at Zoom, sealed until it has."""

    revocation_id: str
    client_id: str
    token: Secret
    created_at: int
    attempts: int
    next_attempt_at: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a removal without personal data: what was asked, when, and what was destroyed."""

    receipt_id: str
    installation_id: str
    reason: str
    requested_at: int
    completed_at: int
    destroyed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One link of the audit chain: `digest` covers this entry and `previous`."""

    sequence: int
    at: int
    action: str
    details: Mapping[str, str]
    previous: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the management API: only the hash of its secret part is kept."""

    key_id: str
    secret_hash: bytes
    label: str
    scopes: frozenset[str]
    subject_prefix: str
    created_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """A database begins a new epoch each time it is restored; the first has number 1."""

    number: int
    began_at: int


@dataclass(frozen=True, slots=True)
class RemovalExport:
    """What of a removal waits to be written outside the database, as the line it will be."""

    export_id: str
    line: str


@dataclass(frozen=True, slots=True)
class KeyTurn:
    """From when on which encryption key seals; `turn` counts from 1."""

    turn: int
    key_id: str
    began_at: int


@dataclass(frozen=True, slots=True)
class Replica:
    """A running service: which keys it can open with, and which one it seals with."""

    replica_id: str
    label: str
    key_ids: tuple[str, ...]
    sealing_key: str
    seen_at: int


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A ciphertext where it stands: "table.column", and what of the row it is bound to.

    `day` is the day whose key seals it, in days since 1970; None: one key serves for all days.
    """

    place: str
    row: tuple[str, ...]
    sealed: bytes
    day: int | None = None


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """The answer to a request with an idempotency key; no status yet: it is under way."""

    request_hash: bytes
    status: int | None
    body: bytes | None


class Concerned(NamedTuple):
    """An active installation that an event is forwarded with, and whose it is at Zoom."""

    link_id: str
    subject: str
    user_id: str
    account_id: str


class LiveRow(NamedTuple):
    """What decides a vend or a proxied call, as it stands at this moment.

    The first five belong to the API key, None where there is none; the rest to the installation.
    The access token is sealed: `Store.open_access_token` opens it.
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
