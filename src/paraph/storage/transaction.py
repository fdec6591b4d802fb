"""A transaction: all stores on one connection.

It promises:

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

from dataclasses import dataclass

from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.event_tables import EventTables
from paraph.storage.stores.api_key import ApiKeyStore
from paraph.storage.stores.audit import AuditStore
from paraph.storage.stores.data_key import DataKeyStore
from paraph.storage.stores.events.event import EventStore
from paraph.storage.stores.forwarding_pause import ForwardingPauseStore
from paraph.storage.stores.grant import GrantStore
from paraph.storage.stores.idempotency import IdempotencyStore
from paraph.storage.stores.installation import InstallationStore
from paraph.storage.stores.key import KeyRotationStore, ReplicaStore
from paraph.storage.stores.link import LinkStore
from paraph.storage.stores.notice import NoticeStore
from paraph.storage.stores.refresh import RefreshStore
from paraph.storage.stores.removal import RemovalStore
from paraph.storage.stores.sealed_columns import SealedStore
from paraph.storage.stores.token_queue import OwnerlessStore, RevocationStore
from paraph.storage.stores.used_state import UsedStateStore
from paraph.storage.stores.whole_tables import TableStore


@dataclass(frozen=True, slots=True)
class Transaction:
    """All stores inside one transaction."""

    grants: GrantStore
    refreshes: RefreshStore
    data_keys: DataKeyStore
    links: LinkStore
    installations: InstallationStore
    used_states: UsedStateStore
    ownerless: OwnerlessStore
    events: EventStore
    forwarding_pause: ForwardingPauseStore
    notices: NoticeStore
    revocations: RevocationStore
    removals: RemovalStore
    audit: AuditStore
    api_keys: ApiKeyStore
    idempotency: IdempotencyStore
    key_rotations: KeyRotationStore
    replicas: ReplicaStore
    sealed: SealedStore
    tables: TableStore

    @classmethod
    def on(cls, connection: Connection, sealing: Sealing, event_tables: EventTables) -> Transaction:
        """Return the stores of a connection whose transaction has begun."""
        return cls(
            grants=GrantStore(connection, sealing),
            refreshes=RefreshStore(connection),
            data_keys=DataKeyStore(connection, sealing),
            links=LinkStore(connection),
            installations=InstallationStore(connection, sealing),
            used_states=UsedStateStore(connection),
            ownerless=OwnerlessStore(connection, sealing),
            events=EventStore(connection, sealing, event_tables),
            forwarding_pause=ForwardingPauseStore(connection),
            notices=NoticeStore(connection, event_tables),
            revocations=RevocationStore(connection, sealing),
            removals=RemovalStore(connection),
            audit=AuditStore(connection),
            api_keys=ApiKeyStore(connection),
            idempotency=IdempotencyStore(connection, sealing),
            key_rotations=KeyRotationStore(connection),
            replicas=ReplicaStore(connection),
            sealed=SealedStore(connection, sealing, event_tables),
            tables=TableStore(connection, event_tables),
        )
