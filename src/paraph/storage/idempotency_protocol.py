"""The store of the management API's responses to requests with an idempotency key."""

from __future__ import annotations

from typing import Protocol

from paraph.model.records import GivenAnswer


class IdempotencyStore(Protocol):
    """Responses to requests with an idempotency key."""

    async def begin(
        self,
        answer_id: str,
        *,
        request_hash: bytes,
        now: int,
        expires_at: int,
        abandoned_before: int,
    ) -> GivenAnswer | None:
        """Reserve a response. Of parallel callers, one gets None and does the work.

        A reservation made before `abandoned_before` and never finished may be taken again.
        """

    async def read(self, answer_id: str, *, now: int) -> GivenAnswer | None:
        """Read a live response; without a body it is only reserved. None if it does not exist."""

    async def finish(
        self,
        answer_id: str,
        *,
        status: int,
        body: bytes,
        expires_at: int | None = None,
        replaces: bool = True,
    ) -> None:
        """Store a reserved response, sealed.

        Args:
            answer_id: the id of the reservation.
            status: the HTTP status code.
            body: the complete response body.
            expires_at: a new time at which it expires, in epoch seconds.
            replaces: replace a response that was stored before.
        """

    async def drop(self, answer_id: str) -> None:
        """Drop a reservation: nothing was done."""

    async def delete_expired(self, *, now: int) -> int:
        """Delete expired responses."""
