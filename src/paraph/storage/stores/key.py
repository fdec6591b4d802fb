"""The sealing key since each rotation, and the keys that each replica holds, in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update

from paraph.model.deployment import KeyRotation, Replica
from paraph.storage.connection import Connection
from paraph.storage.tables import key_rotations, replicas


class KeyRotationStore:
    """The encryption key that seals, the same for all replicas."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self) -> Sequence[KeyRotation]:
        """Return every rotation, oldest first; the last one is in force."""
        rows = await self._connection.execute(select(key_rotations).order_by(key_rotations.c.turn))
        return [KeyRotation(row.turn, row.key_id, row.began_at) for row in rows]

    async def add(self, rotation: KeyRotation) -> None:
        """Insert a rotation. Raise `Conflict` if another process rotated at the same time."""
        await self._connection.execute(
            insert(key_rotations).values(
                turn=rotation.number, key_id=rotation.key_id, began_at=rotation.began_at
            )
        )


class ReplicaStore:
    """The running services that reported lately."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, replica: Replica) -> None:
        """Insert or update the row of a replica."""
        values = {
            "label": replica.label,
            "key_ids": " ".join(replica.key_ids),
            "sealing_key": replica.sealing_key,
            "seen_at": replica.seen_at,
        }
        known = replicas.c.replica_id == replica.replica_id
        done = await self._connection.execute(update(replicas).where(known).values(**values))
        if not done.rowcount:
            await self._connection.execute(
                insert(replicas).values(replica_id=replica.replica_id, **values)
            )

    async def age(self, seen_at: int) -> None:
        """Set the time of every later report to this time, so that live replicas report again."""
        later = update(replicas).where(replicas.c.seen_at > seen_at)
        await self._connection.execute(later.values(seen_at=seen_at))

    async def seen_since(self, since: int) -> Sequence[Replica]:
        """Return those that reported at or after a time."""
        rows = await self._connection.execute(
            select(replicas)
            .where(replicas.c.seen_at >= since)
            .order_by(replicas.c.label, replicas.c.replica_id)
        )
        return [
            Replica(
                replica_id=row.replica_id,
                label=row.label,
                key_ids=tuple(row.key_ids.split()),
                sealing_key=row.sealing_key,
                seen_at=row.seen_at,
            )
            for row in rows
        ]

    async def delete(self, replica_id: str) -> None:
        """Delete the row of a replica that has ended."""
        await self._connection.execute(delete(replicas).where(replicas.c.replica_id == replica_id))

    async def delete_before(self, seen_before: int) -> None:
        """Delete those that ended without reporting it."""
        await self._connection.execute(delete(replicas).where(replicas.c.seen_at < seen_before))
