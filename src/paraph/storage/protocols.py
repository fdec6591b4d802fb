"""What lifecycle, events and api ask of a store, and what every store owes them.

All work happens inside a `Transaction`. A store promises:

- *Serialised writers.* A transaction that read something and then wrote because of it cannot
  be overtaken between the two: it is alone, or within its scopes (`paraph.storage.scope`) alone
  (SQLite: BEGIN IMMEDIATE; PostgreSQL: advisory locks).
- *All or nothing.* Leaving the block normally commits, durable when `transaction()` returns;
  leaving it by an exception undoes everything. After an error of a store it cannot commit.
- *Sealed.* Tokens, profiles, event bodies are sealed on the way in and opened on the way out,
  bound to database, table, column and row.
- *One error.* Whatever the driver raises arrives as `StorageError`; a lost race as `Conflict`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from paraph.oauth.phase import Phase
from paraph.secret import Secret
from paraph.storage.idempotency_protocol import IdempotencyStore
from paraph.storage.operator_protocols import KeyTurnStore, ReplicaStore, SealedStore, TableStore
from paraph.storage.record_protocols import ApiKeyStore, AuditStore, NoticeStore, RemovalStore
from paraph.storage.records import (
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
from paraph.storage.refresh_protocol import RefreshStore
from paraph.storage.scope import Scope


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

    async def of_user(self, client_id: str, user_id: str) -> Sequence[Grant]:
        """All grants of one Zoom user in whichever account, oldest first."""

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

    async def idle_since(self, received_before: int, *, now: int, limit: int) -> Sequence[Grant]:
        """Active grants whose tokens nobody renewed since then, and whose refresh is due."""

    async def in_phase(self, phase: Phase, *, now: int, limit: int) -> Sequence[Grant]:
        """Some grants in a phase whose refresh is due, oldest first."""


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

    async def active(self, link_ids: Sequence[str]) -> Sequence[Installation]:
        """Those of these links that are active, ordered by installation id."""


class UsedStateStore(Protocol):
    """States that were used, by hash: one use, across all replicas.

    What else of a sealed cookie must not count any more before it runs out stands here too: the
    sessions that operators have ended.
    """

    async def use(self, state_hash: bytes, *, expires_at: int) -> bool:
        """True for exactly one caller, ever, until `expires_at`."""

    async def is_used(self, state_hash: bytes) -> bool:
        """Whether somebody did. For what is only looked at: who uses it asks `use` alone."""

    async def delete_expired(self, *, now: int) -> int:
        """Forget what no cookie can present any more."""


class OwnerlessStore(Protocol):
    """Token sets without a known owner."""

    async def add(self, ownerless: OwnerlessTokens) -> None:
        """Keep a set."""

    async def due(self, *, now: int, limit: int) -> Sequence[OwnerlessTokens]:
        """Those to be asked about now."""

    async def claim(self, row_id: str, *, attempts: int, next_attempt_at: int) -> bool:
        """Take and count the next attempt, due again at a time. False: somebody else has it."""

    async def delete(self, row_id: str) -> bool:
        """Drop a set; False: somebody else did."""


class EventStore(Protocol):
    """The inbox and the outbox: what Zoom sent, and what the host must hear."""

    async def add(self, event: KeptEvent) -> bool:
        """Insert once; False: this `event_id` is known."""

    async def get(self, event_id: str) -> KeptEvent | None:
        """One, with its body if it still has one."""

    async def find(self, beginning: str) -> KeptEvent | None:
        """The one event whose id begins so, without its body; None when it is not one."""

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
        """Take what is due, oldest first, for this worker alone until the lease has run out.

        Each claim counts as an attempt. A notice waits for every earlier one of its Zoom user
        and of its subject. With `ordered`, an event waits for every earlier one of its account.
        Events whose `kind` stands in `without` stay where they are.
        """

    async def hand_on(
        self, event_ids: Sequence[str], *, now: int, drop_bodies: bool = False
    ) -> None:
        """Done; with `drop_bodies` nothing of their content stays."""

    async def hand_to_nobody(self, *, now: int, limit: int) -> int:
        """Mark as handed on what is due and not urgent: the host wants none of it."""

    async def postpone(self, claimed: KeptEvent, *, next_attempt_at: int, failure: str) -> None:
        """A failed attempt: again at this time, unless the claim was taken over meanwhile."""

    async def give_up(self, claimed: KeptEvent, *, failure: str) -> None:
        """The last failed attempt: a dead letter, unless the claim was taken over meanwhile."""

    async def drop(self, claimed: KeptEvent, *, now: int, failure: str) -> None:
        """End a claim without delivery: a later notice made this one untrue."""

    async def release(self, claimed: KeptEvent, *, now: int) -> None:
        """Give a claim back undone: the attempt does not count."""

    async def redeliver(self, event_id: str, *, client_id: str, now: int) -> bool:
        """Hand on once more, from the first attempt.

        False: unknown, without a body, or of an account that has no grant of this client any more.
        """

    async def backlog(self) -> Backlog:
        """What waits, and what was given up."""

    async def page(
        self, *, status: EventStatus | None = None, after: str = "", limit: int = 50
    ) -> Sequence[KeptEvent]:
        """For operators: newest first, without bodies."""

    async def purge_account(self, account_id: str) -> int:
        """Delete the bodies of Zoom's events of an account, queued ones and dead letters too.

        They become forwarded, so that nothing of them is sent. Notices stay, and so do urgent
        rows: the removal that purges may be the work of one of them, not finished yet.
        """

    async def purge_user(self, client_id: str, user_id: str, *, account_ids: Sequence[str]) -> int:
        """Delete the bodies of Zoom's events in these accounts that concern a user.

        An event that concerns another user with a grant keeps its body, without this user.
        "" stands for events without an account.
        """

    async def delete_dead_bodies(self, *, given_up_before: int, at_most: int) -> int:
        """Delete the bodies of dead letters that were given up before this time; how many."""

    async def delete_bodies(self, *, handed_on_before: int, at_most: int) -> int:
        """Retention: forget bodies that were handed on before this time; how many."""

    async def delete_rows(self, *, received_before: int, at_most: int) -> int:
        """Forget rows without a body that no replay can reach any more; how many."""


class RevocationStore(Protocol):
    """Tokens that must die at Zoom."""

    async def add(self, revocation: Revocation) -> None:
        """Keep it until it is done."""

    async def due(self, *, now: int, limit: int) -> Sequence[Revocation]:
        """Those to be tried now."""

    async def claim(self, row_id: str, *, attempts: int, next_attempt_at: int) -> bool:
        """Take and count the next attempt, due again at a time. False: somebody else has it."""

    async def delete(self, row_id: str) -> bool:
        """Done."""


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
        """Random, made by the first migration; part of every associated data."""

    @property
    def hash_keys(self) -> Mapping[str, bytes]:
        """Long-lived keys, 32 bytes each, by use: "tombstone", "audit", "identifier"."""

    @property
    def epoch(self) -> Epoch:
        """How often this database was restored, and when it was last."""

    def transaction(self, *scopes: Scope) -> AbstractAsyncContextManager[Transaction]:
        """Begin a write; commit at the end of the block.

        Without a scope nobody else writes meanwhile. With scopes, nobody else of the same ones:
        what the block decides because of a read must lie within them.
        """

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """A consistent view for reading; a write inside raises `StorageError`."""

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """The inbox's one hot statement: keep many new events in one durable transaction.

        Each is inserted once, under its `event_id`. An event that is not urgent is dropped if it
        names an account without a grant of this client, or only users who were removed. The
        outcomes stand in the order given.
        """

    def ask_live(
        self, asked: Sequence[tuple[str, str]]
    ) -> Sequence[LiveRow] | asyncio.Future[Sequence[LiveRow]]:
        """API keys and installations as they stand at this moment, in one cheap read.

        At once where nobody has to be waited for.

        Args:
            asked: the ids of an API key and of a link, for each row in its order.
        """

    async def read_live(self, key_id: str, link_id: str) -> LiveRow:
        """The same for one of each, waited for."""

    async def read_concerned(
        self, event: KeptEvent, *, client_id: str, user_ids: Sequence[str] | None = None
    ) -> Sequence[Concerned] | None:
        """The active installations of a claimed event at this moment, in one cheap read.

        Those of its account; with `user_ids`, only those of these users, in the event's account
        if it names one.

        None when it no longer waits under this claim: it was purged, or another worker has it.
        """

    def open_access_token(self, row: LiveRow) -> Secret:
        """The access token of such a row, which must have an installation."""

    async def read_clock(self) -> float | None:
        """Epoch seconds by the server's clock; None where it is this machine's."""

    async def ping(self) -> None:
        """Raise `StorageError` unless the database answers and can be written."""

    async def close(self) -> None:
        """Close every connection."""
