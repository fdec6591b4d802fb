"""The encryption key that seals, and the keys that each replica holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Byte for byte, in whatever language the database was made.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "key_turns",
        sa.Column("turn", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("turn", name="pk_key_turns"),
    )
    op.create_table(
        "replicas",
        sa.Column("replica_id", _TEXT, nullable=False),
        sa.Column("label", _TEXT, nullable=False),
        sa.Column("key_ids", _TEXT, nullable=False),
        sa.Column("sealing_key", _TEXT, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("replica_id", name="pk_replicas"),
    )
