"""What is kept of what was done: used states, tombstones, receipts, audit chain, API keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, case, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from paraph.storage.connection import Connection
from paraph.storage.records import UNKNOWN_TIME, ApiKey, AuditEntry, Receipt
from paraph.storage.tables import api_keys, audit_entries, receipts, tombstones, used_states

_USE = insert(used_states).on_conflict_do_nothing(index_elements=[used_states.c.state_hash])


class _SqlStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection


class SqlUsedStateStore(_SqlStore):
    """`UsedStateStore` inside one transaction."""

    async def use(self, state_hash: bytes, *, expires_at: int) -> bool:
        """True for exactly one caller: the primary key decides, not a look before."""
        done = await self._connection.execute(
            _USE, {"state_hash": state_hash, "expires_at": expires_at}
        )
        return done.rowcount == 1

    async def delete_expired(self, *, now: int) -> int:
        """Forget what no cookie can present any more."""
        done = await self._connection.execute(
            delete(used_states).where(used_states.c.expires_at <= now)
        )
        return done.rowcount


class SqlRemovalStore(_SqlStore):
    """`RemovalStore` inside one transaction."""

    async def add_tombstone(self, identity_hash: bytes, *, zoom_time: int | None, now: int) -> None:
        """Insert, or raise the time of an existing one; an unknown time stays unknown."""
        added = insert(tombstones).values(
            identity_hash=identity_hash,
            zoom_time=UNKNOWN_TIME if zoom_time is None else zoom_time,
            created_at=now,
        )
        await self._connection.execute(
            added.on_conflict_do_update(
                index_elements=[tombstones.c.identity_hash],
                set_={
                    # UNKNOWN_TIME is below every time: where the smaller is unknown, so is the
                    # outcome, and each later consent has to prove itself.
                    "zoom_time": case(
                        (tombstones.c.zoom_time == UNKNOWN_TIME, UNKNOWN_TIME),
                        (added.excluded.zoom_time == UNKNOWN_TIME, UNKNOWN_TIME),
                        (
                            tombstones.c.zoom_time > added.excluded.zoom_time,
                            tombstones.c.zoom_time,
                        ),
                        else_=added.excluded.zoom_time,
                    ),
                    "created_at": added.excluded.created_at,
                },
            )
        )

    async def find_tombstone(self, identity_hash: bytes) -> int | None:
        """The deauthorization time on Zoom's clock; -1 when it is unknown; None: no tombstone."""
        row = (
            await self._connection.execute(
                select(tombstones.c.zoom_time).where(tombstones.c.identity_hash == identity_hash)
            )
        ).first()
        return None if row is None else int(row.zoom_time)

    async def add_receipt(self, receipt: Receipt) -> None:
        """Keep a receipt."""
        await self._connection.execute(
            insert(receipts).values(
                receipt_id=receipt.receipt_id,
                installation_id=receipt.installation_id,
                reason=receipt.reason,
                requested_at=receipt.requested_at,
                completed_at=receipt.completed_at,
                destroyed=msgspec.json.encode(receipt.destroyed).decode(),
            )
        )

    async def receipts(self, *, limit: int) -> Sequence[Receipt]:
        """Newest first."""
        rows = await self._connection.execute(
            select(receipts)
            .order_by(receipts.c.completed_at.desc(), receipts.c.receipt_id)
            .limit(limit)
        )
        return [
            Receipt(
                receipt_id=row.receipt_id,
                installation_id=row.installation_id,
                reason=row.reason,
                requested_at=row.requested_at,
                completed_at=row.completed_at,
                destroyed=msgspec.json.decode(row.destroyed, type=dict[str, int]),
            )
            for row in rows
        ]


class SqlAuditStore(_SqlStore):
    """`AuditStore` inside one transaction."""

    async def head(self) -> AuditEntry | None:
        """The newest entry."""
        row = (
            await self._connection.execute(
                select(audit_entries).order_by(audit_entries.c.sequence.desc()).limit(1)
            )
        ).first()
        return None if row is None else _entry(row)

    async def append(self, entry: AuditEntry) -> None:
        """Insert; `Conflict` when its sequence number has a row."""
        await self._connection.execute(
            insert(audit_entries).values(
                sequence=entry.sequence,
                at=entry.at,
                action=entry.action,
                details=msgspec.json.encode(entry.details).decode(),
                previous=entry.previous,
                digest=entry.digest,
            )
        )

    async def page(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        """In order, behind a sequence number."""
        rows = await self._connection.execute(
            select(audit_entries)
            .where(audit_entries.c.sequence > after)
            .order_by(audit_entries.c.sequence)
            .limit(limit)
        )
        return [_entry(row) for row in rows]


class SqlApiKeyStore(_SqlStore):
    """`ApiKeyStore` inside one transaction."""

    async def add(self, key: ApiKey) -> None:
        """Insert."""
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
        """By its public id."""
        row = (
            await self._connection.execute(select(api_keys).where(api_keys.c.key_id == key_id))
        ).first()
        return None if row is None else _key(row)

    async def all(self) -> Sequence[ApiKey]:
        """Every key, revoked ones too, oldest first."""
        rows = await self._connection.execute(
            select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id)
        )
        return [_key(row) for row in rows]

    async def touch(self, key_id: str, *, now: int) -> None:
        """Remember the last use."""
        await self._connection.execute(
            update(api_keys).where(api_keys.c.key_id == key_id).values(last_used_at=now)
        )

    async def revoke(self, key_id: str, *, now: int) -> bool:
        """Revoke; False: unknown, or revoked before."""
        done = await self._connection.execute(
            update(api_keys)
            .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        return done.rowcount == 1


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        action=row.action,
        details=msgspec.json.decode(row.details, type=dict[str, str]),
        previous=bytes(row.previous),
        digest=bytes(row.digest),
    )


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
