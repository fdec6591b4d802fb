"""The pause of forwarding: one row, which the claims of every replica respect.

The row is part of the claim's own statement (`event_order.claimable`), so no replica has to learn
of it, and a restart does not end it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, exists, literal, select

from paraph.model.event import ForwardingPause
from paraph.storage.connection import Connection
from paraph.storage.tables import forwarding_pause

_ID = 1


def is_not_paused() -> Any:
    """Build the condition under which events may be forwarded."""
    return ~exists(select(literal(1)).select_from(forwarding_pause))


class ForwardingPauseStore:
    """The pause of forwarding."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self) -> ForwardingPause | None:
        """Return the pause; None while events are forwarded."""
        row = (await self._connection.execute(select(forwarding_pause))).first()
        return None if row is None else ForwardingPause(row.paused_at, row.paused_by)

    async def begin(self, pause: ForwardingPause) -> bool:
        """Begin a pause. Return False if there is one already, which stays as it is."""
        once = self._connection.insert(forwarding_pause).on_conflict_do_nothing(
            index_elements=[forwarding_pause.c.pause_id]
        )
        done = await self._connection.execute(once, {"pause_id": _ID, **pause._asdict()})
        return done.rowcount == 1

    async def end(self) -> bool:
        """End the pause. Return False if forwarding was not paused."""
        return (await self._connection.execute(delete(forwarding_pause))).rowcount > 0
