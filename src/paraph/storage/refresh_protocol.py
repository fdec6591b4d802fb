"""What refreshing asks of a store: who may ask Zoom for a grant's next token set."""

from __future__ import annotations

from typing import Protocol

from paraph.storage.records import RefreshAttempt


class RefreshStore(Protocol):
    """Who may ask Zoom for a grant's next token set."""

    async def begin(self, attempt: RefreshAttempt, *, now: int) -> bool:
        """Take the lease: of any number of parallel callers, one gets it.

        False: somebody holds it, or this token set's last attempt failed and is not due again.
        `Conflict` when the grant is gone.
        """

    async def get(self, grant_id: str) -> RefreshAttempt | None:
        """What is noted of a grant."""

    async def end(self, grant_id: str, *, holder: str) -> None:
        """Forget the attempt of this holder: there is a newer token set, or none any more."""

    async def postpone(self, grant_id: str, *, holder: str, next_attempt_at: int) -> None:
        """Give the lease back after a failure, counted, with the time of the next attempt."""
