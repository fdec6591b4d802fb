"""From now on events are stored in `kept_events`; what waits and dead letters move there.

The former table is renamed first. So a process that still uses it fails, and stores nothing that
no other process would find. Forwarded events stay in it until they are deleted as old.
"""

from __future__ import annotations

from alembic import op

revision = "c0001"
down_revision = None
branch_labels = None
# Of steps that depend on each other the database would name the last alone. Every caller of
# `paraph.storage.schema.contract` has applied the expanding ones.
depends_on = None

_COLUMNS = (
    "event_id, name, received_at, body, account_id, user_id, notice, urgent, status, attempts,"
    " next_attempt_at, handed_on_at, failure, arrival, trace, signed_at, subject_key, concerned"
)
_MOVING = "status = 'received' OR (status = 'dead' AND body IS NOT NULL)"


def upgrade() -> None:
    op.execute("ALTER TABLE events RENAME TO former_events")
    # A position is unique, and in the order of arrival. Retries are recognised in the former table,
    # so the time of the event, which only its sealed body names, is not needed.
    op.execute(
        f"INSERT INTO kept_events (position, event_ts, {_COLUMNS})"  # noqa: S608 - Constants alone.
        " SELECT received_at * 1024000000 + row_number() OVER (ORDER BY received_at, event_id),"
        f" 0, {_COLUMNS} FROM former_events WHERE {_MOVING}"
    )
    op.execute(
        "UPDATE former_events SET status = 'handed_on', body = NULL, failure = 'moved',"  # noqa: S608
        f" handed_on_at = coalesce(handed_on_at, received_at) WHERE {_MOVING}"
    )
    if not op.get_bind().exec_driver_sql("SELECT 1 FROM former_events LIMIT 1").first():
        op.execute("DROP TABLE former_events")
