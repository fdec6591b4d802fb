"""The tables. Secrets are stored sealed, one-use codes as hashes.

Every text column compares byte for byte: Zoom's ids can differ in case alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    text,
)
from sqlalchemy import Text as AnyText

# SQLite compares so by default; PostgreSQL would use the language in which the database was made.
Text = AnyText().with_variant(AnyText(collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

database_identity = Table(
    "database_identity",
    metadata,
    Column("database_id", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    # Counts restores: a restored database begins a new epoch.
    Column("epoch", Integer, nullable=False, server_default="1"),
    Column("epoch_began_at", BigInteger, nullable=False, server_default="0"),
)

stored_keys = Table(
    "stored_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

key_rotations = Table(
    "key_turns",
    metadata,
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("key_id", Text, nullable=False),
    Column("began_at", BigInteger, nullable=False),
)

replicas = Table(
    "replicas",
    metadata,
    Column("replica_id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("key_ids", Text, nullable=False),
    Column("sealing_key", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

grants = Table(
    "grants",
    metadata,
    Column("grant_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("access_token", LargeBinary, nullable=False),
    Column("refresh_token", LargeBinary),
    Column("access_expires_at", BigInteger, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("api_server", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("zoom_time", BigInteger),
    Column("token_version", Integer, nullable=False),
    Column("profile", LargeBinary, nullable=False),
    Column("granted_at", BigInteger, nullable=False),
    Column("granted_zoom_time", BigInteger),
    Index("ix_grants_identity", "client_id", "account_id", "user_id", unique=True),
    # Events without an account are matched by their users alone.
    Index("ix_grants_user", "client_id", "user_id"),
    Index("ix_grants_received", "received_at"),
)

refresh_attempts = Table(
    "refresh_attempts",
    metadata,
    Column("grant_id", Text, ForeignKey("grants.grant_id", ondelete="CASCADE"), primary_key=True),
    Column("token_version", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("link_id", Text, primary_key=True),
    Column("grant_id", Text, ForeignKey("grants.grant_id", ondelete="CASCADE"), nullable=False),
    Column("client_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("rungs", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("challenge", Text, nullable=False),
    Column("return_to", Text, nullable=False),
    Column("handoff_hash", LargeBinary, unique=True),
    Column("handoff_expires_at", BigInteger),
    Column("claim_hash", LargeBinary, unique=True),
    Index("ix_links_grant", "grant_id"),
    Index(
        "ix_links_active_grant",
        "grant_id",
        unique=True,
        sqlite_where=text("phase = 'active'"),
        postgresql_where=text("phase = 'active'"),
    ),
    Index(
        "ix_links_active_subject",
        "client_id",
        "subject",
        unique=True,
        sqlite_where=text("phase = 'active'"),
        postgresql_where=text("phase = 'active'"),
    ),
    Index(
        "ix_links_pending",
        "expires_at",
        sqlite_where=text("phase = 'pending'"),
        postgresql_where=text("phase = 'pending'"),
    ),
)

link_requests = Table(
    "link_requests",
    metadata,
    Column("request_hash", LargeBinary, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("challenge", Text, nullable=False),
    Column("return_to", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

used_states = Table(
    "used_states",
    metadata,
    Column("state_hash", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

ownerless_tokens = Table(
    "ownerless_tokens",
    metadata,
    Column("ownerless_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("tokens", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),
)


def _event_columns(*, key: bool) -> list[Column[Any]]:
    """Build the columns that every event table has, with or without its key on `event_id`."""
    return [
        Column("event_id", Text, primary_key=key, nullable=False),
        Column("name", Text, nullable=False),
        Column("received_at", BigInteger, nullable=False),
        Column("body", LargeBinary),
        Column("account_id", Text, nullable=False),
        Column("user_id", Text, nullable=False),
        Column("notice", Boolean, nullable=False),
        Column("urgent", Boolean, nullable=False),
        Column("status", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("next_attempt_at", BigInteger, nullable=False),
        Column("handed_on_at", BigInteger),
        Column("failure", Text, nullable=False),
        Column("arrival", BigInteger, nullable=False, server_default="0"),
        Column("trace", Text, nullable=False, server_default=""),
        Column("signed_at", BigInteger),
        Column("subject_key", Text, nullable=False, server_default=""),
        # " id id ", so that one id is found as " id "; NULL in rows of code that did not know it.
        Column("concerned", Text),
    ]


def _event_indexes(table: str) -> list[Index]:
    """Build the indexes that every event table has, except the one by account.

    Delivered events leave the partial ones, so they stay small and claims stay fast.
    """

    def partial(name: str, *columns: str, where: str) -> Index:
        condition = text(where)
        return Index(
            f"ix_{table}_{name}", *columns, sqlite_where=condition, postgresql_where=condition
        )

    waits = "status = 'received'"
    notice = f"{waits} AND subject_key <> ''"
    return [
        partial("waiting", "urgent", "next_attempt_at", "arrival", where=waits),
        partial("waiting_account", "account_id", "arrival", where=waits),
        partial("waiting_notices_user", "account_id", "user_id", "arrival", where=notice),
        partial("waiting_notices_subject", "subject_key", "arrival", where=notice),
        partial("retained", "handed_on_at", where="status = 'handed_on' AND body IS NOT NULL"),
        partial("dead", "received_at", where="status = 'dead'"),
    ]


# Of version 0.1, in use until `paraph migrate`; see `paraph.storage.event_tables`.
events = Table(
    "events",
    metadata,
    *_event_columns(key=True),
    *_event_indexes("events"),
    Index("ix_events_account", "account_id"),
    Index("ix_events_received", "received_at"),
)

# `events` after `paraph migrate`, with its indexes: what was forwarded before.
former_events = Table("former_events", metadata, *_event_columns(key=True))

# Keyed by time, so that rows are appended. A retry of Zoom carries the same body, so its `event_ts`
# is the same, and the index by which it is recognised grows at its end too.
kept_events = Table(
    "kept_events",
    metadata,
    Column(
        "position",
        BigInteger().with_variant(Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("event_ts", BigInteger, nullable=False),
    *_event_columns(key=False),
    # The data keys that open the body, as a JSON list; NULL: it is sealed with the key ring.
    Column("sealed_for", Text),
    Index("ix_kept_events_delivery", "event_ts", "event_id", unique=True),
    *_event_indexes("kept_events"),
    # Only for what a removal deletes: a body under data keys needs no index by account.
    Index(
        "ix_kept_events_account",
        "account_id",
        sqlite_where=text("sealed_for IS NULL"),
        postgresql_where=text("sealed_for IS NULL"),
    ),
)

# Seal the bodies of `kept_events`; each is deleted with the last grant of its owner.
data_keys = Table(
    "data_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_data_keys_owner", "client_id", "account_id", "user_id", unique=True),
)

# One row while forwarding is paused; none otherwise.
forwarding_pause = Table(
    "forwarding_pause",
    metadata,
    Column("pause_id", Integer, primary_key=True, autoincrement=False),
    Column("paused_at", BigInteger, nullable=False),
    Column("paused_by", Text, nullable=False),
)

notice_counters = Table(
    "notice_counters",
    metadata,
    Column("identity_hash", LargeBinary, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("arrival", BigInteger, nullable=False),
    Column("last_name", Text, nullable=False),
)

revocations = Table(
    "revocations",
    metadata,
    Column("revocation_id", Text, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("identity_hash", LargeBinary, primary_key=True),
    Column("zoom_time", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

receipts = Table(
    "receipts",
    metadata,
    Column("receipt_id", Text, primary_key=True),
    Column("installation_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger, nullable=False),
    Column("destroyed", Text, nullable=False),
)

removal_exports = Table(
    "removal_exports",
    metadata,
    Column("export_id", Text, primary_key=True),
    Column("line", Text, nullable=False),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)

given_answers = Table(
    "given_answers",
    metadata,
    Column("answer_id", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("begun_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("subject_prefix", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)
