"""The first tables.

This step is never changed: later steps add to its tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# Byte for byte, in whatever language the database was made.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=nullable)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def upgrade() -> None:
    _identity()
    _grants()
    _links()
    _queues()
    _events()
    _books()


def _identity() -> None:
    op.create_table(
        "database_identity",
        _text("database_id"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("database_id", name="pk_database_identity"),
    )
    op.create_table(
        "stored_keys",
        _text("name"),
        _bytes("sealed"),
        sa.PrimaryKeyConstraint("name", name="pk_stored_keys"),
    )


def _grants() -> None:
    op.create_table(
        "grants",
        _text("grant_id"),
        _text("client_id"),
        _text("account_id"),
        _text("user_id"),
        _text("phase"),
        _text("reason"),
        _bytes("access_token"),
        _bytes("refresh_token", nullable=True),
        _time("access_expires_at"),
        _text("scopes"),
        _text("api_server"),
        _time("received_at"),
        _time("zoom_time", nullable=True),
        _count("token_version"),
        _bytes("profile"),
        _time("granted_at"),
        _time("granted_zoom_time", nullable=True),
        sa.PrimaryKeyConstraint("grant_id", name="pk_grants"),
    )
    op.create_index(
        "ix_grants_identity", "grants", ["client_id", "account_id", "user_id"], unique=True
    )


def _links() -> None:
    op.create_table(
        "links",
        _text("link_id"),
        _text("grant_id"),
        _text("client_id"),
        _text("subject"),
        _text("phase"),
        _text("rungs"),
        _time("created_at"),
        _time("confirmed_at", nullable=True),
        _time("expires_at", nullable=True),
        _text("challenge"),
        _text("return_to"),
        _bytes("handoff_hash", nullable=True),
        _time("handoff_expires_at", nullable=True),
        _bytes("claim_hash", nullable=True),
        sa.PrimaryKeyConstraint("link_id", name="pk_links"),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grants.grant_id"], ondelete="CASCADE", name="fk_links_grant_id"
        ),
        sa.UniqueConstraint("handoff_hash", name="uq_links_handoff_hash"),
        sa.UniqueConstraint("claim_hash", name="uq_links_claim_hash"),
    )
    active = sa.text("phase = 'active'")
    op.create_index("ix_links_grant", "links", ["grant_id"])
    op.create_index(
        "ix_links_active_grant",
        "links",
        ["grant_id"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )
    op.create_index(
        "ix_links_active_subject",
        "links",
        ["client_id", "subject"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )
    op.create_table(
        "link_requests",
        _bytes("request_hash"),
        _text("subject"),
        _text("challenge"),
        _text("return_to"),
        _time("expires_at"),
        sa.PrimaryKeyConstraint("request_hash", name="pk_link_requests"),
    )
    op.create_table(
        "used_states",
        _bytes("state_hash"),
        _time("expires_at"),
        sa.PrimaryKeyConstraint("state_hash", name="pk_used_states"),
    )
    op.create_index("ix_used_states_expires_at", "used_states", ["expires_at"])


def _queues() -> None:
    op.create_table(
        "ownerless_tokens",
        _text("ownerless_id"),
        _text("client_id"),
        _bytes("tokens"),
        _time("created_at"),
        _count("attempts"),
        _time("next_attempt_at"),
        sa.PrimaryKeyConstraint("ownerless_id", name="pk_ownerless_tokens"),
    )
    op.create_table(
        "revocations",
        _text("revocation_id"),
        _text("client_id"),
        _bytes("token"),
        _time("created_at"),
        _count("attempts"),
        _time("next_attempt_at"),
        sa.PrimaryKeyConstraint("revocation_id", name="pk_revocations"),
    )


def _events() -> None:
    op.create_table(
        "events",
        _text("event_id"),
        _text("name"),
        _time("received_at"),
        _bytes("body", nullable=True),
        _text("account_id"),
        _text("user_id"),
        sa.Column("notice", sa.Boolean(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        _text("status"),
        _count("attempts"),
        _time("next_attempt_at"),
        _time("handed_on_at", nullable=True),
        _text("failure"),
        sa.PrimaryKeyConstraint("event_id", name="pk_events"),
    )
    op.create_index("ix_events_due", "events", ["status", "urgent", "next_attempt_at"])
    op.create_index("ix_events_account", "events", ["account_id"])
    op.create_index("ix_events_received", "events", ["received_at"])


def _books() -> None:
    op.create_table(
        "tombstones",
        _bytes("identity_hash"),
        _time("zoom_time"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("identity_hash", name="pk_tombstones"),
    )
    op.create_table(
        "receipts",
        _text("receipt_id"),
        _text("installation_id"),
        _text("reason"),
        _time("requested_at"),
        _time("completed_at"),
        _text("destroyed"),
        sa.PrimaryKeyConstraint("receipt_id", name="pk_receipts"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        _time("at"),
        _text("action"),
        _text("details"),
        _bytes("previous"),
        _bytes("digest"),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_entries"),
    )
    op.create_table(
        "api_keys",
        _text("key_id"),
        _bytes("secret_hash"),
        _text("label"),
        _text("scopes"),
        _text("subject_prefix"),
        _time("created_at"),
        _time("revoked_at", nullable=True),
        _time("last_used_at", nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
    )
