"""What the management API asks of a store for idempotency keys."""

from __future__ import annotations

from typing import Protocol

from paraph.storage.records import GivenAnswer


class IdempotencyStore(Protocol):
    """Answers that were given under an idempotency key."""

    async def begin(
        self,
        answer_id: str,
        *,
        request_hash: bytes,
        now: int,
        expires_at: int,
        abandoned_before: int,
    ) -> GivenAnswer | None:
        """Reserve an answer; of any number of parallel callers, one gets None and does the work.

        What was reserved before `abandoned_before` and never finished is given away again.
        """

    async def read(self, answer_id: str, *, now: int) -> GivenAnswer | None:
        """Read an answer; without a body it is reserved. None: there is no live one."""

    async def finish(
        self, answer_id: str, *, status: int, body: bytes, expires_at: int | None = None
    ) -> None:
        """Keep the answer that was reserved, sealed; `expires_at` changes when it expires."""

    async def drop(self, answer_id: str) -> None:
        """Give a reservation back: nothing was done."""

    async def delete_expired(self, *, now: int) -> int:
        """Forget answers whose time has run out."""
