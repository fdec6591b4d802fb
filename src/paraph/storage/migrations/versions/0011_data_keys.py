"""The keys that seal event bodies until a removal destroys them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Byte for byte, in whatever language the database was made.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OWNER = ("client_id", "account_id", "user_id")


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("key_id", _TEXT, nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in _OWNER),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name="pk_data_keys"),
    )
    op.create_index("ix_data_keys_owner", "data_keys", list(_OWNER), unique=True)
    op.add_column("kept_events", sa.Column("sealed_for", _TEXT))
    # A removal looks for bodies without a data key alone. So events with one, which are almost all,
    # write no entry at a random place of an index.
    op.drop_index("ix_kept_events_account", "kept_events")
    without_key = sa.text("sealed_for IS NULL")
    op.create_index(
        "ix_kept_events_account",
        "kept_events",
        ["account_id"],
        sqlite_where=without_key,
        postgresql_where=without_key,
    )
