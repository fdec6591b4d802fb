"""Leases for the refresh of a grant, and an index of idle grants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Byte for byte, in whatever language the database was made.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "refresh_attempts",
        sa.Column("grant_id", _TEXT, nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("holder", _TEXT, nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", name="pk_refresh_attempts"),
        sa.ForeignKeyConstraint(
            ["grant_id"],
            ["grants.grant_id"],
            ondelete="CASCADE",
            name="fk_refresh_attempts_grant_id",
        ),
    )
    op.create_index("ix_grants_received", "grants", ["received_at"])
