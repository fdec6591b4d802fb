"""The stores of lasting records: removals, counters of notices, audit chain, API keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from paraph.model.records import (
    ApiKey,
    AuditEntry,
    NoticeCount,
    Receipt,
    RemovalExport,
    TombstoneTimes,
)


class RemovalStore(Protocol):
    """The lasting records of removals: tombstones (keyed hashes) and receipts."""

    async def add_tombstone(self, identity_hash: bytes, *, zoom_time: int | None, now: int) -> None:
        """Insert a tombstone, or raise the time of an existing one, and queue its export.

        None is an unknown time. It stays unknown.
        """

    async def find_tombstone(self, identity_hash: bytes) -> TombstoneTimes | None:
        """Return the times of a deauthorization; None if there is no tombstone."""

    async def add_receipt(self, receipt: Receipt, *, identity_hash: bytes) -> None:
        """Store a receipt and queue its export, which names its identity by the hash."""

    async def knows_receipt(self, receipt_id: str) -> bool:
        """Return True if a receipt of this id exists."""

    async def receipts(self, *, limit: int) -> Sequence[Receipt]:
        """Return receipts, newest first."""

    async def unexported(self, *, limit: int) -> Sequence[RemovalExport]:
        """Return some lines that wait to be written to the receipt book."""

    async def exported(self, export_ids: Sequence[str]) -> None:
        """Remove lines that were written durably to the receipt book."""


class NoticeStore(Protocol):
    """Counters of notices: one for each (client, account, user), under its keyed hash."""

    async def last(self, identity_hash: bytes) -> NoticeCount | None:
        """Return the counter after the last notice; None before the first one."""

    async def count(
        self, identity_hash: bytes, name: str, *, subject_key: str, ends: bool, now: int
    ) -> NoticeCount:
        """Count one more notice, in the transaction of the change that it reports.

        `sequence` rises by one, `generation` only if the notice `ends` an installation. `arrival`
        is later than that of every earlier notice of this identity, and of every waiting one of
        this subject, whatever the clock says.
        """

    async def raise_to(self, identity_hash: bytes, count: NoticeCount) -> None:
        """Raise a counter to another identity's count, if that is higher."""

    async def hasten(self, *, account_id: str, user_id: str, name: str, at: int) -> None:
        """Make waiting notices of one name and user due at `at`, unless they are due earlier."""


class AuditStore(Protocol):
    """The rows of the audit chain; `lifecycle.audit` defines their meaning."""

    async def head(self) -> AuditEntry | None:
        """Return the newest entry."""

    def append(self, make: Callable[[AuditEntry | None], AuditEntry]) -> None:
        """Add an entry, to be written as the last statement of the transaction.

        `make` receives the newest entry and builds the next one. Only then is the end of the
        chain locked, so that writers with audit entries do not wait for each other's work.
        """

    async def page(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        """Return entries after a sequence number, in order."""


class ApiKeyStore(Protocol):
    """Keys of the management API."""

    async def add(self, key: ApiKey) -> None:
        """Insert a key."""

    async def get(self, key_id: str) -> ApiKey | None:
        """Return a key by its public id."""

    async def all(self) -> Sequence[ApiKey]:
        """Return every key, including revoked ones, oldest first."""

    async def touch(self, key_id: str, *, now: int) -> None:
        """Record the last use."""

    async def revoke(self, key_id: str, *, now: int) -> bool:
        """Revoke a key. Return False if it is unknown or was revoked before."""
