"""The stores that lifecycle, events and api use, and the promises that every store keeps.

All work happens inside a `Transaction`. A store promises:

- *Serialised writers.* A transaction that reads a row and then writes because of it cannot
  be overtaken: it is alone, or alone within its scopes (`paraph.storage.scope`).
  (SQLite: BEGIN IMMEDIATE; PostgreSQL: advisory locks).
- *All or nothing.* Leaving the block normally commits, durably when `transaction()` returns;
  leaving it by an exception rolls everything back. After an error of a store it cannot commit.
- *Sealed.* Tokens, profiles and event bodies are sealed when written and opened when read,
  bound to database, table, column and row.
- *One error.* Every exception of the driver becomes `StorageError`; a lost race, `Conflict`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from paraph.model.phase import Phase
from paraph.model.records import (
    Backlog,
    Concerned,
    Epoch,
    EventStatus,
    Grant,
    Installation,
    KeptEvent,
    Link,
    LinkRequest,
    LiveRow,
    Outcome,
    OwnerlessTokens,
    Revocation,
    Tokens,
    ZoomIdentity,
)
from paraph.secret import Secret
from paraph.storage.idempotency_protocol import IdempotencyStore
from paraph.storage.operator_protocols import KeyTurnStore, ReplicaStore, SealedStore, TableStore
from paraph.storage.record_protocols import ApiKeyStore, AuditStore, NoticeStore, RemovalStore
from paraph.storage.refresh_protocol import RefreshStore
from paraph.storage.scope import Scope


class GrantStore(Protocol):
    """Grants, one row for each (client, account, user)."""

    async def add(self, grant: Grant) -> None:
        """Insert a grant. Raise `Conflict` if its identity or its id exists."""

    async def find(self, identity: ZoomIdentity) -> Grant | None:
        """Return a grant by identity, byte for byte."""

    async def get(self, grant_id: str) -> Grant | None:
        """Return a grant by its id."""

    async def in_account(self, client_id: str, account_id: str) -> Sequence[Grant]:
        """Return all grants of one Zoom account, oldest first."""

    async def of_user(self, client_id: str, user_id: str) -> Sequence[Grant]:
        """Return all grants of one Zoom user in any account, oldest first."""

    async def replace_tokens(
        self,
        grant_id: str,
        tokens: Tokens,
        *,
        expected_version: int,
        phase: Phase,
    ) -> bool:
        """Write a token set and phase if the row exists at this version; increment the version.

        Return False if the row is gone or newer, and nothing was written.
        """

    async def renew_consent(self, grant: Grant) -> None:
        """Write tokens, profile and both times of a new consent; increment the version.

        The row is found by `grant.grant_id`. Raise `Conflict` if it is gone.
        """

    async def set_phase(
        self, grant_id: str, phase: Phase, *, reason: str = "", expected_version: int | None = None
    ) -> bool:
        """Change only the phase, if the row is at this version when one is given."""

    async def delete(self, grant_id: str) -> bool:
        """Delete the row, its tokens and all its links. Return False if there was no row."""

    async def idle_since(self, received_before: int, *, now: int, limit: int) -> Sequence[Grant]:
        """Return active grants without new tokens since then, whose refresh is due."""

    async def in_phase(self, phase: Phase, *, now: int, limit: int) -> Sequence[Grant]:
        """Return some grants in a phase whose refresh is due, oldest first."""


class LinkStore(Protocol):
    """Links, and the link requests that begin them."""

    async def add_request(self, request: LinkRequest) -> None:
        """Store a link request."""

    async def peek_request(self, request_hash: bytes, *, now: int) -> LinkRequest | None:
        """Return a live request without using it up."""

    async def take_request(self, request_hash: bytes, *, now: int) -> LinkRequest | None:
        """Use a request up: of parallel callers, one gets it. None if it was used or expired."""

    async def add(self, link: Link) -> None:
        """Insert a link. Raise `Conflict` for a second active one of its grant or subject."""

    async def get(self, link_id: str) -> Link | None:
        """Return a link by its id."""

    async def active_for_grant(self, grant_id: str) -> Link | None:
        """Return the active link of a grant."""

    async def any_for_grant(self, grant_id: str) -> bool:
        """Return True if any link, pending or active, needs the grant."""

    async def active_for_subject(self, client_id: str, subject: str) -> Link | None:
        """Return the active link of a subject."""

    async def find_handoff(self, handoff_hash: bytes, *, now: int) -> Link | None:
        """Return the pending link of a live handoff, without using the handoff up."""

    async def use_handoff(self, link_id: str, *, claim_hash: bytes) -> bool:
        """Clear the handoff and set the claim. Return False if another caller did so before."""

    async def find_claim(self, claim_hash: bytes, *, now: int) -> Link | None:
        """Return the pending link of a live claim."""

    async def update(self, link: Link) -> None:
        """Write subject, phase, proofs, times and hashes. Raise `Conflict` if the row is gone."""

    async def delete(self, link_id: str) -> bool:
        """Delete a link. Return False if there was no row."""

    async def expired(self, *, now: int, limit: int) -> Sequence[Link]:
        """Return pending links that have expired."""

    async def delete_expired_requests(self, *, now: int) -> int:
        """Delete link requests that have expired."""


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
        """Return installations with an active link after `after`, ordered by installation id."""

    async def get(self, link_id: str) -> Installation | None:
        """Return one installation in any phase of its link."""

    async def active(self, link_ids: Sequence[str]) -> Sequence[Installation]:
        """Return the active ones of these links, ordered by installation id."""


class UsedStateStore(Protocol):
    """Used states, by hash: each can be used once, across all replicas.

    The store also holds the operators' sessions that were ended: their cookies must not count
    any more, although they have not expired.
    """

    async def use(self, state_hash: bytes, *, expires_at: int) -> bool:
        """Return True to exactly one caller, until `expires_at`."""

    async def is_used(self, state_hash: bytes) -> bool:
        """Return True if the state was used. Only for showing it: to use a state, call `use`."""

    async def delete_expired(self, *, now: int) -> int:
        """Delete states whose cookies have expired."""


class OwnerlessStore(Protocol):
    """Token sets without a known owner."""

    async def add(self, ownerless: OwnerlessTokens) -> None:
        """Store a token set."""

    async def due(self, *, now: int, limit: int) -> Sequence[OwnerlessTokens]:
        """Return the sets whose owner is to be asked now."""

    async def claim(self, row_id: str, *, attempts: int, next_attempt_at: int) -> bool:
        """Claim and count the next attempt; set the one after. False: another replica has it."""

    async def delete(self, row_id: str) -> bool:
        """Delete a set. Return False if another caller did so before."""


class EventStore(Protocol):
    """The inbox and the outbox: events from Zoom, and notices to the host."""

    async def add(self, event: KeptEvent) -> bool:
        """Insert an event once. Return False if this `event_id` exists."""

    async def get(self, event_id: str) -> KeptEvent | None:
        """Return an event, with its body unless that was deleted."""

    async def find(self, beginning: str) -> KeptEvent | None:
        """Return the one event whose id begins so, without its body; None if it is not unique."""

    async def claim(
        self,
        *,
        now: int,
        until: int,
        limit: int,
        urgent: bool,
        ordered: bool = False,
        without: Sequence[str] = (),
    ) -> Sequence[KeptEvent]:
        """Claim due events, oldest first, for this worker until the lease ends.

        Each claim counts as an attempt. A notice waits for every earlier one of its Zoom user
        and of its subject. With `ordered`, an event waits for every earlier one of its account.
        Events whose `kind` is in `without` are not claimed.
        """

    async def hand_on(
        self, event_ids: Sequence[str], *, now: int, drop_bodies: bool = False
    ) -> None:
        """Mark an event as delivered; with `drop_bodies` its content is deleted."""

    async def hand_to_nobody(self, *, now: int, limit: int) -> int:
        """Mark due events that are not urgent as delivered: the host wants no events."""

    async def postpone(self, claimed: KeptEvent, *, next_attempt_at: int, failure: str) -> None:
        """Record a failed attempt and the time of the next one, if the claim still holds."""

    async def give_up(self, claimed: KeptEvent, *, failure: str) -> None:
        """Record the last failed attempt: a dead letter, if the claim still holds."""

    async def drop(self, claimed: KeptEvent, *, now: int, failure: str) -> None:
        """End a claim without delivery: a later notice made this one untrue."""

    async def release(self, claimed: KeptEvent, *, now: int) -> None:
        """Release a claim without an attempt: it does not count."""

    async def redeliver(self, event_id: str, *, client_id: str, now: int) -> bool:
        """Make an event due again, counting from its first attempt.

        False if it is unknown, has no body, or its account has no grant of this client any more.
        """

    async def backlog(self) -> Backlog:
        """Return the counts of waiting events and dead letters."""

    async def page(
        self, *, status: EventStatus | None = None, after: str = "", limit: int = 50
    ) -> Sequence[KeptEvent]:
        """Return events for operators: newest first, without bodies."""

    async def purge_account(self, account_id: str) -> int:
        """Delete the bodies of Zoom's events of an account, also of queued ones and dead letters.

        They are marked as forwarded, so they are never sent. Notices stay, and so do urgent
        rows: one of them may have caused this removal and be unfinished.
        """

    async def purge_user(self, client_id: str, user_id: str, *, account_ids: Sequence[str]) -> int:
        """Delete the bodies of Zoom's events in these accounts that concern a user.

        An event that concerns another user with a grant keeps its body, without this user.
        "" stands for events without an account.
        """

    async def delete_dead_bodies(self, *, given_up_before: int, at_most: int) -> int:
        """Delete bodies of dead letters that were given up before this time; return the number."""

    async def delete_bodies(self, *, handed_on_before: int, at_most: int) -> int:
        """Delete bodies of events that were delivered before this time; return the number."""

    async def delete_rows(self, *, received_before: int, at_most: int) -> int:
        """Delete rows without a body that are too old for any replay; return the number."""


class RevocationStore(Protocol):
    """Tokens to revoke at Zoom."""

    async def add(self, revocation: Revocation) -> None:
        """Store a token until it is revoked."""

    async def due(self, *, now: int, limit: int) -> Sequence[Revocation]:
        """Return the tokens to be revoked now."""

    async def claim(self, row_id: str, *, attempts: int, next_attempt_at: int) -> bool:
        """Claim and count the next attempt; set the one after. False: another replica has it."""

    async def delete(self, row_id: str) -> bool:
        """Delete a finished row. Return False if another caller did so before."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """All stores inside one transaction."""

    grants: GrantStore
    refreshes: RefreshStore
    links: LinkStore
    installations: InstallationStore
    used_states: UsedStateStore
    ownerless: OwnerlessStore
    events: EventStore
    notices: NoticeStore
    revocations: RevocationStore
    removals: RemovalStore
    audit: AuditStore
    api_keys: ApiKeyStore
    idempotency: IdempotencyStore
    key_turns: KeyTurnStore
    replicas: ReplicaStore
    sealed: SealedStore
    tables: TableStore


class Store(Protocol):
    """A database. `transaction()` writes, `reading()` only reads and never waits for writers."""

    @property
    def database_id(self) -> str:
        """A random id, created by the first migration; part of all associated data."""

    @property
    def hash_keys(self) -> Mapping[str, bytes]:
        """Long-lived keys, 32 bytes each, by use: "tombstone", "audit", "identifier"."""

    @property
    def epoch(self) -> Epoch:
        """The number of restores of this database, and the time of the last one."""

    def transaction(self, *scopes: Scope) -> AbstractAsyncContextManager[Transaction]:
        """Begin a write; commit at the end of the block.

        Without a scope no other block writes meanwhile; with scopes, no other block of the same
        scopes. Decisions that the block bases on a read must lie within them.
        """

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a consistent, read-only view; a write inside raises `StorageError`."""

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """Store many new events of the inbox in one durable transaction.

        Each is inserted once, under its `event_id`. An event is dropped if it concerns only
        removed users, or a removed account (`intake_rows`). The outcomes have the order of the
        events.
        """

    def ask_live(
        self, asked: Sequence[tuple[str, str]]
    ) -> Sequence[LiveRow] | asyncio.Future[Sequence[LiveRow]]:
        """Read API keys and installations in one statement, as they are at this moment.

        Returns the rows at once if no wait is needed, else a future.

        Args:
            asked: the ids of an API key and of a link, for each row in its order.
        """

    async def read_live(self, key_id: str, link_id: str) -> LiveRow:
        """Read one API key and one installation, and wait for the row."""

    async def read_concerned(
        self, event: KeptEvent, *, client_id: str, user_ids: Sequence[str] | None = None
    ) -> Sequence[Concerned] | None:
        """Return the active installations of a claimed event in one statement, as they are now.

        Those of its account; with `user_ids`, only those of these users, in the event's account
        if it names one.

        None if it no longer waits under this claim: it was purged, or another worker has it.
        """

    def open_access_token(self, row: LiveRow) -> Secret:
        """Open the access token of a row that has an installation."""

    async def read_clock(self) -> float | None:
        """Return epoch seconds of the server's clock; None if it is this machine's clock."""

    async def ping(self) -> None:
        """Raise `StorageError` unless the database responds and accepts writes."""

    async def close(self) -> None:
        """Close every connection."""
