"""The tables. Secrets stand in them sealed, one-use codes as hashes.

Every text compares byte for byte: Zoom's ids differ in case alone.
"""

from __future__ import annotations

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
    Text,
    text,
)

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
)

stored_keys = Table(
    "stored_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
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

events = Table(
    "events",
    metadata,
    Column("event_id", Text, primary_key=True),
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
    Index("ix_events_due", "status", "urgent", "next_attempt_at"),
    Index("ix_events_account", "account_id"),
    Index("ix_events_received", "received_at"),
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
