"""The table of events that is keyed by time. It stays empty until the step c0001."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Byte for byte, in whatever language the database was made.
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TABLE = "kept_events"


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=nullable, server_default=default)


def _number(name: str, *, nullable: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable, server_default=default)


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column(
            "position",
            # On SQLite only an INTEGER is the key of the rows themselves.
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        _number("event_ts"),
        _text("event_id"),
        _text("name"),
        _number("received_at"),
        sa.Column("body", sa.LargeBinary()),
        _text("account_id"),
        _text("user_id"),
        sa.Column("notice", sa.Boolean(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        _text("status"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _number("next_attempt_at"),
        _number("handed_on_at", nullable=True),
        _text("failure"),
        _number("arrival", default="0"),
        _text("trace", default=""),
        _number("signed_at", nullable=True),
        _text("subject_key", default=""),
        _text("concerned", nullable=True),
        sa.PrimaryKeyConstraint("position", name="pk_kept_events"),
    )
    op.create_index(f"ix_{_TABLE}_delivery", _TABLE, ["event_ts", "event_id"], unique=True)
    op.create_index(f"ix_{_TABLE}_account", _TABLE, ["account_id"])
    waits = "status = 'received'"
    notice = f"{waits} AND subject_key <> ''"
    _partial("waiting", ["urgent", "next_attempt_at", "arrival"], waits)
    _partial("waiting_account", ["account_id", "arrival"], waits)
    _partial("waiting_notices_user", ["account_id", "user_id", "arrival"], notice)
    _partial("waiting_notices_subject", ["subject_key", "arrival"], notice)
    _partial("retained", ["handed_on_at"], "status = 'handed_on' AND body IS NOT NULL")
    _partial("dead", ["received_at"], "status = 'dead'")
    if op.get_bind().dialect.name == "postgresql":
        # Ciphertext does not compress: trying costs a third of the throughput of the inbox.
        op.execute(f"ALTER TABLE {_TABLE} ALTER COLUMN body SET STORAGE EXTERNAL")


def _partial(name: str, columns: list[str], condition: str) -> None:
    op.create_index(
        f"ix_{_TABLE}_{name}",
        _TABLE,
        columns,
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )
