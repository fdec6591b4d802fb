"""The records of the store, as immutable values.

A secret is a `Secret` in memory and sealed in the table; there is no form in between.
All times are epoch seconds on paraph's clock unless the name says `zoom`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

import msgspec

from paraph.model.phase import Phase, Rung
from paraph.secret import Secret
from paraph.zoom.concerned_users import DropReason

# A tombstone's time on Zoom's clock if the event had no readable time.
UNKNOWN_TIME = -1
# Precedes a notice's name where it could be mistaken for the name of a Zoom event.
NOTICE_MARK = "!"
# Every notice's name begins with the first; the second precedes Zoom's names where both occur.
NOTICE_PREFIX, ZOOM_PREFIX = "installation.", "zoom."


@dataclass(frozen=True, slots=True)
class ZoomIdentity:
    """The owner of a grant: compared byte for byte, never an e-mail (RFC 9700 2.1; ASVS 10.5.2)."""

    client_id: str
    account_id: str
    user_id: str


class TombstoneTimes(NamedTuple):
    """The time of a deauthorization, and the time of its last report.

    Attributes:
        zoom_time: on Zoom's clock, from the event; `UNKNOWN_TIME` if it is not there.
        told_at: when it was last reported, on paraph's clock.
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
class Link:
    """The binding of a grant to a local account. `phase` is PENDING or ACTIVE.

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
    """A grant with its link: the unit of the management API, the pages and the documents."""

    grant: Grant
    link: Link

    @property
    def phase(self) -> Phase:
        """The grant's phase once the link is active; until then the link's."""
        return self.grant.phase if self.link.phase is Phase.ACTIVE else self.link.phase


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """The host's request to link its signed-in user, stored under the hash of its one-use code."""

    request_hash: bytes
    subject: str
    challenge: str
    return_to: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class OwnerlessTokens:
    """Tokens of a still unknown owner. Dropping the newest set could lose a working grant."""

    ownerless_id: str
    client_id: str
    tokens: Tokens
    created_at: int
    attempts: int
    next_attempt_at: int


class EventStatus(StrEnum):
    """The state of a kept event."""

    RECEIVED = "received"
    HANDED_ON = "handed_on"
    DEAD = "dead"


class KeptEvent(msgspec.Struct, frozen=True, gc=False):
    """One event in the inbox, or one of paraph's own notices to the host.

    `event_id` is the hex of the delivery digest for Zoom's events (the deduplication key), and
    random for notices. `body` is missing once it was deleted; the row stays for deduplication.
    `urgent` events (deauthorizations) are not delayed by any backlog.
    `attempts` counts claims. A claim counts at once, so that an event that kills its worker is
    counted too. `arrival` is in microseconds, finer than `received_at`, and gives the
    order. `trace` is the `traceparent` of the delivery, or empty. `signed_at` is the time that Zoom
    signed with the delivery, on Zoom's clock. `subject_key` is a keyed hash of the subject, for
    notices only; notices of one subject are delivered in order.
    `concerned` are the Zoom users whom a Zoom event concerns. It is missing in a row of an older
    version, whose body names them. `event_ts` and `marks` are not stored: they decide
    whether a new event is kept. Each mark is a user id, or "" for the whole account, with the hash
    under which its removal is recorded.
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
        """The name, with a prefix for a notice: Zoom can send an event of any name."""
        return f"{NOTICE_MARK}{self.name}" if self.notice else self.name

    @property
    def shown_name(self) -> str:
        """The name for operators: a Zoom event never looks like one of paraph's notices."""
        is_like_notice = self.name.startswith(NOTICE_PREFIX) and not self.notice
        return f"{ZOOM_PREFIX}{self.name}" if is_like_notice else self.name


class NoticeCount(NamedTuple):
    """The counter of one Zoom user's notices. `arrival` orders them, in microseconds."""

    sequence: int
    generation: int
    arrival: int
    last_name: str


class Outcome(Enum):
    """The result of a delivery: kept, a duplicate, or dropped for a reason. All get a 200."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    OTHER_CLIENT = DropReason.OTHER_CLIENT.value
    REMOVED_ACCOUNT = DropReason.REMOVED_ACCOUNT.value
    REMOVED_USER = DropReason.REMOVED_USER.value
    OLDER_THAN_GRANT = DropReason.OLDER_THAN_GRANT.value
    UNDATED = DropReason.UNDATED.value

    @property
    def is_dropped(self) -> bool:
        """True if the event was verified and not kept."""
        return self not in {Outcome.KEPT, Outcome.DUPLICATE}


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of waiting events, the age of the oldest, and the number of dead letters."""

    waiting: int
    urgent: int
    oldest_received_at: int | None
    dead: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """A token to revoke at Zoom, sealed until it is revoked."""

    revocation_id: str
    client_id: str
    token: Secret
    created_at: int
    attempts: int
    next_attempt_at: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a removal without personal data: the reason, the time, and what was deleted."""

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
    """A key of the management API: only the hash of its secret part is stored."""

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
    """A database begins a new epoch each time it is restored; the first one has number 1."""

    number: int
    began_at: int


@dataclass(frozen=True, slots=True)
class RemovalExport:
    """The line of a removal that waits to be written to the receipt book."""

    export_id: str
    line: str


@dataclass(frozen=True, slots=True)
class KeyTurn:
    """The time from which an encryption key seals; `turn` counts rotations from 1."""

    turn: int
    key_id: str
    began_at: int


@dataclass(frozen=True, slots=True)
class Replica:
    """A running service, the keys that it holds, and the key that it seals with."""

    replica_id: str
    label: str
    key_ids: tuple[str, ...]
    sealing_key: str
    seen_at: int


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A ciphertext, its place ("table.column"), and the parts of the row that it is bound to.

    `day` is the day whose key seals it, in days since 1970; None if one key serves for all days.
    """

    place: str
    row: tuple[str, ...]
    sealed: bytes
    day: int | None = None


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """The response to a request with an idempotency key; without a status it is in progress."""

    request_hash: bytes
    status: int | None
    body: bytes | None


class Concerned(NamedTuple):
    """An active installation that an event is forwarded with, and its Zoom user and account."""

    link_id: str
    subject: str
    user_id: str
    account_id: str


class LiveRow(NamedTuple):
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
