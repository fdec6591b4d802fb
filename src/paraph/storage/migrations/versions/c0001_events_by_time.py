"""From now on events are stored in `kept_events`.

The former table is renamed. So a process that still uses it fails, and stores nothing that no other
process would find. Its waiting events and its dead letters move afterwards, some at a
time (`paraph.storage.stores.events.event_move`): moved here, they would delay all deliveries.
"""

from __future__ import annotations

from alembic import op

revision = "c0001"
down_revision = None
branch_labels = None
# Of steps that depend on each other the database would name the last alone. Every caller of
# `paraph.storage.schema.contract` has applied the expanding ones.
depends_on = None

# While it waits for its lock, every statement on events waits behind it.
_LOCK_SECONDS = 3


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
    op.execute("ALTER TABLE events RENAME TO former_events")
    if not op.get_bind().exec_driver_sql("SELECT 1 FROM former_events LIMIT 1").first():
        op.execute("DROP TABLE former_events")
