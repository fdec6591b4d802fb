"""Keys of the management API in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from paraph.model.management import ApiKey
from paraph.storage.connection import Connection
from paraph.storage.tables import api_keys


class ApiKeyStore:
    """Keys of the management API."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, key: ApiKey) -> None:
        """Insert a key."""
        await self._connection.execute(
            insert(api_keys).values(
                key_id=key.key_id,
                secret_hash=key.secret_hash,
                label=key.label,
                scopes=" ".join(sorted(key.scopes)),
                subject_prefix=key.subject_prefix,
                created_at=key.created_at,
                revoked_at=key.revoked_at,
                last_used_at=key.last_used_at,
            )
        )

    async def get(self, key_id: str) -> ApiKey | None:
        """Return a key by its public id."""
        row = (
            await self._connection.execute(select(api_keys).where(api_keys.c.key_id == key_id))
        ).first()
        return None if row is None else _key(row)

    async def all(self) -> Sequence[ApiKey]:
        """Return every key, including revoked ones, oldest first."""
        rows = await self._connection.execute(
            select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id)
        )
        return [_key(row) for row in rows]

    async def touch(self, key_id: str, *, now: int) -> None:
        """Record the last use."""
        await self._connection.execute(
            update(api_keys).where(api_keys.c.key_id == key_id).values(last_used_at=now)
        )

    async def revoke(self, key_id: str, *, now: int) -> bool:
        """Revoke a key. Return False if it is unknown or was revoked before."""
        done = await self._connection.execute(
            update(api_keys)
            .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        return done.rowcount == 1


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        secret_hash=bytes(row.secret_hash),
        label=row.label,
        scopes=frozenset(row.scopes.split()),
        subject_prefix=row.subject_prefix,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
