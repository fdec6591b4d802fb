"""Responses to requests with an idempotency key, so that a repeated request gets the same one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update

from paraph.model.management import KeptResponse
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.tables import given_answers

_BODY = "given_answers.body"


class IdempotencyStore:
    """Responses to requests with an idempotency key."""

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def begin(
        self,
        response_id: str,
        *,
        request_hash: bytes,
        now: int,
        expires_at: int,
        abandoned_before: int,
    ) -> KeptResponse | None:
        """Reserve a response. Of parallel callers, one gets None and does the work.

        The others get the existing response, finished or in progress.

        Args:
            response_id: the id of the reservation.
            request_hash: the hash of the request, which a repetition must match.
            now: epoch seconds.
            expires_at: when the reservation expires, in epoch seconds.
            abandoned_before: a reservation made before this time and never finished may be
                taken again.
        """
        this = given_answers.c.answer_id == response_id
        row = (await self._connection.execute(select(given_answers).where(this))).first()
        if row is not None and row.expires_at > now:
            body = None
            if row.body is not None:
                body = self._sealing.open(_BODY, response_id, row.body)
            if body is not None or row.begun_at > abandoned_before:
                return KeptResponse(bytes(row.request_hash), row.status, body)
        await self._connection.execute(delete(given_answers).where(this))
        await self._connection.execute(
            insert(given_answers).values(
                answer_id=response_id,
                request_hash=request_hash,
                begun_at=now,
                expires_at=expires_at,
            )
        )
        return None

    async def read(self, response_id: str, *, now: int) -> KeptResponse | None:
        """Read a live response; without a body it is only reserved. None if it does not exist."""
        this = given_answers.c.answer_id == response_id, given_answers.c.expires_at > now
        row = (await self._connection.execute(select(given_answers).where(*this))).first()
        if row is None:
            return None
        body = None if row.body is None else self._sealing.open(_BODY, response_id, row.body)
        return KeptResponse(bytes(row.request_hash), row.status, body)

    async def finish(
        self,
        response_id: str,
        *,
        status: int,
        body: bytes,
        expires_at: int | None = None,
        replaces: bool = True,
    ) -> None:
        """Store a reserved response, sealed.

        Args:
            response_id: the id of the reservation.
            status: the HTTP status code.
            body: the complete response body.
            expires_at: a new time at which it expires, in epoch seconds.
            replaces: replace a response that was stored before.
        """
        values: dict[str, Any] = {
            "status": status,
            "body": self._sealing.seal(_BODY, response_id, body),
        }
        if expires_at is not None:
            values["expires_at"] = expires_at
        change = update(given_answers).where(given_answers.c.answer_id == response_id)
        if not replaces:
            change = change.where(given_answers.c.body.is_(None))
        await self._connection.execute(change.values(**values))

    async def drop(self, response_id: str) -> None:
        """Drop a reservation: nothing was done."""
        await self._connection.execute(
            delete(given_answers).where(given_answers.c.answer_id == response_id)
        )

    async def delete_expired(self, *, now: int) -> int:
        """Delete expired responses."""
        done = await self._connection.execute(
            delete(given_answers).where(given_answers.c.expires_at <= now)
        )
        return done.rowcount
