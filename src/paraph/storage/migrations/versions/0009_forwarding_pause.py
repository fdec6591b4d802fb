"""The row that pauses the forwarding of events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Byte for byte, in whatever language the database was made.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "forwarding_pause",
        sa.Column("pause_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=False),
        sa.Column("paused_by", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("pause_id", name="pk_forwarding_pause"),
    )
