"""Epochs of a restored database, and lines that wait to be written to the receipt book."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column(
        "database_identity", sa.Column("epoch", sa.Integer(), nullable=False, server_default="1")
    )
    op.add_column(
        "database_identity",
        sa.Column("epoch_began_at", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "removal_exports",
        sa.Column("export_id", _TEXT, nullable=False),
        sa.Column("line", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("export_id", name="pk_removal_exports"),
    )
