"""Waiting token sets: those of a still unknown owner, and those to revoke at Zoom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Table, delete, insert, select, update

from paraph.model.grant import OwnerlessTokens, Revocation, Tokens
from paraph.sealing.row import Sealing
from paraph.secret import Secret
from paraph.storage.connection import Connection
from paraph.storage.stores.sealed_columns import open_rows
from paraph.storage.tables import ownerless_tokens, revocations

_TOKENS, _TOKEN = "ownerless_tokens.tokens", "revocations.token"


class _Queue:
    """The common part of both queues: due rows, counted attempts, deletion."""

    _table: Table
    _row_id: str

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def _due_rows(self, *, now: int, limit: int) -> Sequence[Any]:
        rows = await self._connection.execute(
            select(self._table)
            .where(self._table.c.next_attempt_at <= now)
            .order_by(self._table.c.next_attempt_at)
            .limit(limit)
        )
        return rows.all()

    async def claim(self, row_id: str, *, attempts: int, next_attempt_at: int) -> bool:
        """Claim and count the next attempt; set the one after. False: another replica has it."""
        done = await self._connection.execute(
            update(self._table)
            .where(self._table.c[self._row_id] == row_id, self._table.c.attempts == attempts)
            .values(attempts=attempts + 1, next_attempt_at=next_attempt_at)
        )
        return done.rowcount == 1

    async def delete(self, row_id: str) -> bool:
        """Delete a finished row. Return False if another caller did so before."""
        done = await self._connection.execute(
            delete(self._table).where(self._table.c[self._row_id] == row_id)
        )
        return done.rowcount == 1


class OwnerlessStore(_Queue):
    """Token sets without a known owner."""

    _table, _row_id = ownerless_tokens, "ownerless_id"

    async def add(self, ownerless: OwnerlessTokens) -> None:
        """Store a token set."""
        await self._connection.execute(
            insert(ownerless_tokens).values(
                ownerless_id=ownerless.ownerless_id,
                client_id=ownerless.client_id,
                tokens=self._sealing.seal(
                    _TOKENS, ownerless.ownerless_id, _encode(ownerless.tokens)
                ),
                created_at=ownerless.created_at,
                attempts=ownerless.attempts,
                next_attempt_at=ownerless.next_attempt_at,
            )
        )

    async def due(self, *, now: int, limit: int) -> Sequence[OwnerlessTokens]:
        """Return the sets whose owner is to be asked now."""
        return open_rows(await self._due_rows(now=now, limit=limit), self._ownerless)

    def _ownerless(self, row: Row[Any]) -> OwnerlessTokens:
        return OwnerlessTokens(
            ownerless_id=row.ownerless_id,
            client_id=row.client_id,
            tokens=_decode(self._sealing.open(_TOKENS, row.ownerless_id, row.tokens)),
            created_at=row.created_at,
            attempts=row.attempts,
            next_attempt_at=row.next_attempt_at,
        )


class RevocationStore(_Queue):
    """Tokens to revoke at Zoom."""

    _table, _row_id = revocations, "revocation_id"

    async def add(self, revocation: Revocation) -> None:
        """Store a token until it is revoked."""
        await self._connection.execute(
            insert(revocations).values(
                revocation_id=revocation.revocation_id,
                client_id=revocation.client_id,
                token=self._sealing.seal_secret(_TOKEN, revocation.revocation_id, revocation.token),
                created_at=revocation.created_at,
                attempts=revocation.attempts,
                next_attempt_at=revocation.next_attempt_at,
            )
        )

    async def due(self, *, now: int, limit: int) -> Sequence[Revocation]:
        """Return the tokens to be revoked now."""
        return open_rows(await self._due_rows(now=now, limit=limit), self._revocation)

    def _revocation(self, row: Row[Any]) -> Revocation:
        return Revocation(
            revocation_id=row.revocation_id,
            client_id=row.client_id,
            token=self._sealing.open_secret(_TOKEN, row.revocation_id, row.token),
            created_at=row.created_at,
            attempts=row.attempts,
            next_attempt_at=row.next_attempt_at,
        )


class _KeptTokens(msgspec.Struct, array_like=True):
    access_token: str
    refresh_token: str | None
    access_expires_at: int
    scopes: list[str]
    api_server: str
    received_at: int
    zoom_time: int | None


def _encode(tokens: Tokens) -> bytes:
    refresh_token = tokens.refresh_token
    return msgspec.json.encode(
        _KeptTokens(
            tokens.access_token.reveal(),
            None if refresh_token is None else refresh_token.reveal(),
            tokens.access_expires_at,
            sorted(tokens.scopes),
            tokens.api_server,
            tokens.received_at,
            tokens.zoom_time,
        )
    )


def _decode(content: bytes) -> Tokens:
    kept = msgspec.json.decode(content, type=_KeptTokens)
    return Tokens(
        Secret(kept.access_token),
        None if kept.refresh_token is None else Secret(kept.refresh_token),
        kept.access_expires_at,
        frozenset(kept.scopes),
        kept.api_server,
        kept.received_at,
        kept.zoom_time,
    )
