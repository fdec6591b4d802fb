"""Counters of notices, columns that order them, and the signed time of a removal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Byte for byte, in whatever language the database was made.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_WAITING_NOTICE = "status = 'received' AND subject_key <> ''"


def upgrade() -> None:
    op.create_table(
        "notice_counters",
        sa.Column("identity_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("arrival", sa.BigInteger(), nullable=False),
        sa.Column("last_name", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("identity_hash", name="pk_notice_counters"),
    )
    op.add_column("events", sa.Column("signed_at", sa.BigInteger()))
    op.add_column("events", sa.Column("subject_key", _TEXT, nullable=False, server_default=""))
    _partial("ix_events_waiting_notices_user", ["account_id", "user_id", "arrival"])
    _partial("ix_events_waiting_notices_subject", ["subject_key", "arrival"])


def _partial(name: str, columns: list[str]) -> None:
    op.create_index(
        name,
        "events",
        columns,
        sqlite_where=sa.text(_WAITING_NOTICE),
        postgresql_where=sa.text(_WAITING_NOTICE),
    )
