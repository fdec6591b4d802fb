"""Used states in the database: each state of an authorization request is used once."""

from __future__ import annotations

from sqlalchemy import delete, select

from paraph.storage.connection import Connection
from paraph.storage.tables import used_states


class UsedStateStore:
    """Used states, by hash: each can be used once, across all replicas.

    The store also holds the operators' sessions that were ended: their cookies must not count
    any more, although they have not expired.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def use(self, state_hash: bytes, *, expires_at: int) -> bool:
        """Return True to exactly one caller, until `expires_at`.

        The primary key decides, not an earlier read.
        """
        once = self._connection.insert(used_states).on_conflict_do_nothing(
            index_elements=[used_states.c.state_hash]
        )
        done = await self._connection.execute(
            once, {"state_hash": state_hash, "expires_at": expires_at}
        )
        return done.rowcount == 1

    async def is_used(self, state_hash: bytes) -> bool:
        """Return True if the state was used. Only for showing it: to use a state, call `use`."""
        known = select(used_states.c.state_hash).where(used_states.c.state_hash == state_hash)
        return (await self._connection.execute(known)).first() is not None

    async def delete_expired(self, *, now: int) -> int:
        """Delete states whose cookies have expired."""
        done = await self._connection.execute(
            delete(used_states).where(used_states.c.expires_at <= now)
        )
        return done.rowcount
