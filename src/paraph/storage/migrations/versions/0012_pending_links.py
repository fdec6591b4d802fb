"""An index of the links that wait for a confirmation, by their expiry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Few links are pending, so the index stays small, and an active link writes no entry.
    pending = sa.text("phase = 'pending'")
    op.create_index(
        "ix_links_pending",
        "links",
        ["expires_at"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
