"""What operators ask of a store: the turning of encryption keys, backup and restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from paraph.storage.records import KeyTurn, Replica, SealedValue, ZoomIdentity


class KeyTurnStore(Protocol):
    """Which encryption key seals, for all replicas alike."""

    async def all(self) -> Sequence[KeyTurn]:
        """Every turn, oldest first; the last one is in force."""

    async def add(self, turn: KeyTurn) -> None:
        """Insert; `Conflict` when somebody else turned at the same time."""


class ReplicaStore(Protocol):
    """The running services, as far as they have said so lately."""

    async def put(self, replica: Replica) -> None:
        """Insert or update."""

    async def seen_since(self, since: int) -> Sequence[Replica]:
        """Those that were seen at or after a time."""

    async def forget(self, replica_id: str) -> None:
        """It ended."""

    async def forget_before(self, seen_before: int) -> None:
        """Those that ended without a word."""


class SealedStore(Protocol):
    """All sealed columns, for re-encryption."""

    @property
    def places(self) -> Sequence[str]:
        """Every sealed column, as "table.column"."""

    async def counts(self, place: str, key_ids: Sequence[str]) -> Mapping[str, int]:
        """How many values of a column name each key; keys that were not asked about, too."""

    async def outdated(self, place: str, *, after: str, limit: int) -> Sequence[SealedValue]:
        """Values that another key than the sealing one has sealed, by row, behind `after`."""

    async def seal_anew(self, value: SealedValue) -> bool:
        """Seal a value with the sealing key, unless its row was written or deleted meanwhile.

        `UnknownEncryptionKey` or `SealBroken` when it cannot be opened; it stays as it is.
        """


class TableStore(Protocol):
    """Whole tables, for backup, and for the epoch that begins with a restore."""

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """Every table that is kept, those that are referred to first: column to kind."""

    async def revision(self) -> str:
        """The schema's."""

    async def count(self) -> int:
        """All rows of all tables that are kept."""

    async def page(
        self, name: str, *, after: Sequence[Any] | None, limit: int
    ) -> Sequence[tuple[Sequence[Any], Sequence[Any]]]:
        """Rows of a table, each with its key, in the order of their keys, behind `after`."""

    async def begin_epoch(self, number: int, *, now: int) -> None:
        """Note the epoch that begins."""

    async def suspend_grants(self, *, reason: str) -> int:
        """Nothing is vended of any grant until a refresh has proved it. How many there were."""

    async def end_pending(self, *, now: int) -> None:
        """What was begun and not finished has to be begun again: its codes may be used up."""

    async def identities(self) -> Mapping[str, ZoomIdentity]:
        """Whose every grant is, by grant id."""
