"""What remains of what was done: removals, counters of notices, the audit chain, API keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from paraph.storage.records import (
    ApiKey,
    AuditEntry,
    NoticeCount,
    Receipt,
    RemovalExport,
    TombstoneTimes,
)


class RemovalStore(Protocol):
    """What remains of a removal: tombstones (keyed hashes) and receipts."""

    async def add_tombstone(self, identity_hash: bytes, *, zoom_time: int | None, now: int) -> None:
        """Insert, or raise the time of an existing one (None counts as unknown and is kept).

        It is exported, too.
        """

    async def find_tombstone(self, identity_hash: bytes) -> TombstoneTimes | None:
        """The times of a deauthorization; None: no tombstone."""

    async def add_receipt(self, receipt: Receipt, *, identity_hash: bytes) -> None:
        """Keep a receipt, and export it; the hash says outside whose removal it was."""

    async def knows_receipt(self, receipt_id: str) -> bool:
        """Whether there is a receipt of this id."""

    async def receipts(self, *, limit: int) -> Sequence[Receipt]:
        """Newest first."""

    async def unexported(self, *, limit: int) -> Sequence[RemovalExport]:
        """Some of what waits to be written outside the database."""

    async def exported(self, export_ids: Sequence[str]) -> None:
        """These are written outside, durably."""


class NoticeStore(Protocol):
    """Counters of notices: one for each (client, account, user), under its keyed hash."""

    async def last(self, identity_hash: bytes) -> NoticeCount | None:
        """The counter as the last notice left it; None before the first one."""

    async def count(
        self, identity_hash: bytes, name: str, *, subject_key: str, ends: bool, now: int
    ) -> NoticeCount:
        """Count one more notice, in the transaction of the fact that it reports.

        `sequence` rises by one, `generation` only if the notice `ends` an installation. `arrival`
        is later than that of every earlier notice of this identity, and of every waiting one of
        this subject, whatever the clock says.
        """

    async def raise_to(self, identity_hash: bytes, count: NoticeCount) -> None:
        """Have a counter continue from another identity's count, if that is further."""

    async def hasten(self, *, account_id: str, user_id: str, name: str, at: int) -> None:
        """Have waiting notices of one name and user claimed at this time at the latest."""


class AuditStore(Protocol):
    """The rows of the audit chain; what they mean is decided in `lifecycle.audit`."""

    async def head(self) -> AuditEntry | None:
        """The newest entry."""

    def append(self, make: Callable[[AuditEntry | None], AuditEntry]) -> None:
        """Have an entry written as the last thing of the transaction.

        `make` is given the newest entry and builds the next one. Only then is the end of the
        chain held, so that writers with audit entries do not wait for each other's work.
        """

    async def page(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        """In order, behind a sequence number."""


class ApiKeyStore(Protocol):
    """Keys of the management API."""

    async def add(self, key: ApiKey) -> None:
        """Insert."""

    async def get(self, key_id: str) -> ApiKey | None:
        """By its public id."""

    async def all(self) -> Sequence[ApiKey]:
        """Every key, revoked ones too, oldest first."""

    async def touch(self, key_id: str, *, now: int) -> None:
        """Remember the last use."""

    async def revoke(self, key_id: str, *, now: int) -> bool:
        """Revoke; False: unknown, or revoked before."""
