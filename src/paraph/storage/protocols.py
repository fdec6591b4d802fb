"""What lifecycle, events and api ask of a store, and what every store owes them.

All work happens inside a `Transaction`. A store promises:

- *Serialised writers.* A transaction that read something and then wrote because of it cannot
  be overtaken between the two (SQLite: BEGIN IMMEDIATE; PostgreSQL: explicit isolation).
- *All or nothing.* Leaving the block normally commits, durable when `transaction()` returns;
  leaving it by an exception undoes everything.
- *Sealed.* Tokens, profiles, event bodies are sealed on the way in and opened on the way out,
  bound to database, table, column and row.
- *One error.* Whatever the driver raises arrives as `StorageError`; a lost race as `Conflict`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from paraph.oauth.phase import Phase
from paraph.storage.records import (
    ApiKey,
    AuditEntry,
    EventStatus,
    Grant,
    Installation,
    KeptEvent,
    Link,
    LinkRequest,
    OwnerlessTokens,
    Receipt,
    Revocation,
    Tokens,
    ZoomIdentity,
)


class GrantStore(Protocol):
    """Grants, one row for each (client, account, user)."""

    async def add(self, grant: Grant) -> None:
        """Insert; `Conflict` when the identity or the id has a row."""

    async def find(self, identity: ZoomIdentity) -> Grant | None:
        """By identity, byte for byte."""

    async def get(self, grant_id: str) -> Grant | None:
        """By id."""

    async def in_account(self, client_id: str, account_id: str) -> Sequence[Grant]:
        """All grants of one Zoom account, oldest first."""

    async def any_in_account(self, client_id: str, account_id: str) -> bool:
        """Whether an account has a grant; opens nothing, for the hot path."""

    async def replace_tokens(
        self,
        grant_id: str,
        tokens: Tokens,
        *,
        expected_version: int,
        phase: Phase,
    ) -> bool:
        """Write a token set and phase if the row exists at this version; version + 1.

        False: the row is gone or newer, and nothing was written.
        """

    async def renew_consent(self, grant: Grant) -> None:
        """Write tokens, profile, granted_at and granted_zoom_time of a new consent; version + 1.

        Found by `grant.grant_id`; `Conflict` when the row is gone.
        """

    async def set_phase(
        self, grant_id: str, phase: Phase, *, reason: str = "", expected_version: int | None = None
    ) -> bool:
        """Change the phase alone (if at this version, when one is given)."""

    async def delete(self, grant_id: str) -> bool:
        """Delete the row, its tokens and all its links. False: there was none."""

    async def in_phase(self, phase: Phase, *, limit: int) -> Sequence[Grant]:
        """Some grants in a phase, oldest first."""

    async def without_link(self, *, limit: int) -> Sequence[Grant]:
        """Grants that no link, pending or active, needs."""


class LinkStore(Protocol):
    """Links, and the link requests that begin them."""

    async def add_request(self, request: LinkRequest) -> None:
        """Keep a link request."""

    async def peek_request(self, request_hash: bytes, *, now: int) -> LinkRequest | None:
        """Look at a live request without using it."""

    async def take_request(self, request_hash: bytes, *, now: int) -> LinkRequest | None:
        """Use it: of any number of parallel callers, one gets it. None when used or expired."""

    async def add(self, link: Link) -> None:
        """Insert; `Conflict` when it would be a second active link either way."""

    async def get(self, link_id: str) -> Link | None:
        """By id."""

    async def active_for_grant(self, grant_id: str) -> Link | None:
        """The active link of a grant."""

    async def any_for_grant(self, grant_id: str) -> bool:
        """Whether any link, pending or active, needs the grant."""

    async def active_for_subject(self, client_id: str, subject: str) -> Link | None:
        """The active link of a subject."""

    async def find_handoff(self, handoff_hash: bytes, *, now: int) -> Link | None:
        """The pending link of a live handoff, without using it."""

    async def use_handoff(self, link_id: str, *, claim_hash: bytes) -> bool:
        """Clear the handoff and set the claim. False: somebody else did."""

    async def find_claim(self, claim_hash: bytes, *, now: int) -> Link | None:
        """The pending link of a live claim."""

    async def update(self, link: Link) -> None:
        """Write subject, phase, rungs, times and hashes of an existing row; `Conflict` if gone."""

    async def delete(self, link_id: str) -> bool:
        """Delete the row."""

    async def expired(self, *, now: int, limit: int) -> Sequence[Link]:
        """Pending links whose time has run out."""

    async def delete_expired_requests(self, *, now: int) -> int:
        """Delete link requests whose time has run out."""


class InstallationStore(Protocol):
    """Grants joined with their links, for reading."""

    async def page(
        self,
        client_id: str,
        *,
        subject_prefix: str = "",
        subject: str | None = None,
        account_id: str | None = None,
        user_id: str | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[Installation]:
        """Installations with an active link, ordered by installation id, behind `after`."""

    async def get(self, link_id: str) -> Installation | None:
        """One, whatever its link's phase."""

    async def in_account(self, client_id: str, account_id: str) -> Sequence[Installation]:
        """All with an active link in one Zoom account."""


class UsedStateStore(Protocol):
    """States that were used, by hash: one use, across all replicas."""

    async def use(self, state_hash: bytes, *, expires_at: int) -> bool:
        """True for exactly one caller, ever, until `expires_at`."""

    async def delete_expired(self, *, now: int) -> int:
        """Forget what no cookie can present any more."""


class OwnerlessStore(Protocol):
    """Token sets without a known owner."""

    async def add(self, ownerless: OwnerlessTokens) -> None:
        """Keep a set."""

    async def due(self, *, now: int, limit: int) -> Sequence[OwnerlessTokens]:
        """Those to be asked about now."""

    async def postpone(self, row_id: str, *, next_attempt_at: int) -> None:
        """Count an attempt."""

    async def delete(self, row_id: str) -> bool:
        """Drop a set; False: somebody else did."""


class EventStore(Protocol):
    """The inbox and the outbox: what Zoom sent, and what the host must hear."""

    async def add(self, event: KeptEvent) -> bool:
        """Insert once; False: this `event_id` is known."""

    async def get(self, event_id: str) -> KeptEvent | None:
        """One, with its body if it still has one."""

    async def due(self, *, now: int, limit: int, urgent: bool | None = None) -> Sequence[KeptEvent]:
        """Received ones whose time has come: urgent first, then oldest first."""

    async def settle(
        self,
        event_id: str,
        *,
        status: EventStatus,
        now: int,
        failure: str = "",
        drop_body: bool = False,
    ) -> None:
        """Handed on, or dead; with `drop_body` nothing of its content stays."""

    async def postpone(self, event_id: str, *, next_attempt_at: int, failure: str) -> None:
        """Count a failed attempt."""

    async def page(
        self, *, status: EventStatus | None = None, after: str = "", limit: int = 50
    ) -> Sequence[KeptEvent]:
        """For operators: newest first, without bodies."""

    async def purge(self, *, account_id: str, user_id: str | None) -> int:
        """Delete the bodies of Zoom's events of an account (or of one user in it), queued ones too.

        Queued rows become handed on, so that nothing of them is sent. Notices stay, and so do
        urgent rows: the removal that purges may be the work of one of them, not finished yet.
        """

    async def delete_bodies(self, *, handed_on_before: int) -> int:
        """Retention: forget bodies that were handed on before this time."""

    async def delete_rows(self, *, received_before: int) -> int:
        """Forget rows without a body that no replay can reach any more."""


class RevocationStore(Protocol):
    """Tokens that must die at Zoom."""

    async def add(self, revocation: Revocation) -> None:
        """Keep it until it is done."""

    async def due(self, *, now: int, limit: int) -> Sequence[Revocation]:
        """Those to be tried now."""

    async def postpone(self, row_id: str, *, next_attempt_at: int) -> None:
        """Count an attempt."""

    async def delete(self, row_id: str) -> bool:
        """Done."""


class RemovalStore(Protocol):
    """What remains of a removal: tombstones (keyed hashes) and receipts."""

    async def add_tombstone(self, identity_hash: bytes, *, zoom_time: int | None, now: int) -> None:
        """Insert, or raise the time of an existing one (None counts as unknown and is kept)."""

    async def find_tombstone(self, identity_hash: bytes) -> int | None:
        """The deauthorization time on Zoom's clock; -1 when it is unknown; None: no tombstone."""

    async def add_receipt(self, receipt: Receipt) -> None:
        """Keep a receipt."""

    async def receipts(self, *, limit: int) -> Sequence[Receipt]:
        """Newest first."""


class AuditStore(Protocol):
    """The rows of the audit chain; what they mean is decided in `lifecycle.audit`."""

    async def head(self) -> AuditEntry | None:
        """The newest entry."""

    async def append(self, entry: AuditEntry) -> None:
        """Insert; `Conflict` when its sequence number has a row."""

    async def page(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        """In order, behind a sequence number."""


class ApiKeyStore(Protocol):
    """Keys of the management API."""

    async def add(self, key: ApiKey) -> None:
        """Insert."""

    async def get(self, key_id: str) -> ApiKey | None:
        """By its public id."""

    async def all(self) -> Sequence[ApiKey]:
        """Every key, revoked ones too, oldest first."""

    async def touch(self, key_id: str, *, now: int) -> None:
        """Remember the last use."""

    async def revoke(self, key_id: str, *, now: int) -> bool:
        """Revoke; False: unknown, or revoked before."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """All stores inside one transaction."""

    grants: GrantStore
    links: LinkStore
    installations: InstallationStore
    used_states: UsedStateStore
    ownerless: OwnerlessStore
    events: EventStore
    revocations: RevocationStore
    removals: RemovalStore
    audit: AuditStore
    api_keys: ApiKeyStore


class Store(Protocol):
    """A database. `transaction()` writes, `reading()` only reads and never waits for writers."""

    @property
    def database_id(self) -> str:
        """Random, made by the first migration; part of every associated data."""

    @property
    def hash_keys(self) -> Mapping[str, bytes]:
        """Long-lived keys, 32 bytes each, by use: "tombstone", "audit", "identifier"."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin a write; commit at the end of the block."""

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A consistent view for reading; a write inside raises `StorageError`."""

    async def ping(self) -> None:
        """Raise `StorageError` unless the database answers and can be written."""

    async def close(self) -> None:
        """Let go of every connection."""
