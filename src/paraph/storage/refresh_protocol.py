"""The store of refresh leases: they allow one caller to ask Zoom for the next token set."""

from __future__ import annotations

from typing import Protocol

from paraph.model.records import RefreshAttempt


class RefreshStore(Protocol):
    """Leases to ask Zoom for a grant's next token set."""

    async def begin(self, attempt: RefreshAttempt, *, now: int) -> bool:
        """Take the lease: of any number of parallel callers, one gets it.

        Return False if another holds it, or if this token set's last attempt failed and the
        next is not due. Raise `Conflict` if the grant is gone.
        """

    async def get(self, grant_id: str) -> RefreshAttempt | None:
        """Return the recorded refresh attempt of a grant."""

    async def end(self, grant_id: str, *, holder: str) -> None:
        """Delete the attempt of this holder, after a new token set or the end of the grant."""

    async def postpone(self, grant_id: str, *, holder: str, next_attempt_at: int) -> None:
        """Release the lease after a failure, which is counted; set the next attempt's time."""
