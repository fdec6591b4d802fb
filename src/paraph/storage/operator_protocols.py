"""The stores that operators need: rotation of encryption keys, backup and restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from paraph.model.records import KeyTurn, Replica, SealedValue, ZoomIdentity


class KeyTurnStore(Protocol):
    """The encryption key that seals, the same for all replicas."""

    async def all(self) -> Sequence[KeyTurn]:
        """Return every rotation, oldest first; the last one is in force."""

    async def add(self, turn: KeyTurn) -> None:
        """Insert a rotation. Raise `Conflict` if another process rotated at the same time."""


class ReplicaStore(Protocol):
    """The running services that reported lately."""

    async def put(self, replica: Replica) -> None:
        """Insert or update the row of a replica."""

    async def seen_since(self, since: int) -> Sequence[Replica]:
        """Return those that reported at or after a time."""

    async def forget(self, replica_id: str) -> None:
        """Delete the row of a replica that has ended."""

    async def forget_before(self, seen_before: int) -> None:
        """Delete those that ended without reporting it."""


class SealedStore(Protocol):
    """All sealed columns, for re-encryption."""

    @property
    def places(self) -> Sequence[str]:
        """Return every sealed column, as "table.column"."""

    async def counts(self, place: str, key_ids: Sequence[str]) -> Mapping[str, int]:
        """Count a column's values by the key that they name, including keys not asked about."""

    async def outdated(self, place: str, *, after: str, limit: int) -> Sequence[SealedValue]:
        """Return values not sealed with the sealing key, by row, after `after`."""

    async def seal_anew(self, value: SealedValue) -> bool:
        """Seal a value with the sealing key, unless its row was written or deleted meanwhile.

        Raise `UnknownEncryptionKey` or `SealBroken` if it cannot be opened; it stays unchanged.
        """


class TableStore(Protocol):
    """Whole tables, for backups, and for the new epoch after a restore."""

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """Return the columns and kinds of every table of a backup, referenced tables first."""

    async def revision(self) -> str:
        """Return the schema's newest expanding step."""

    async def count(self) -> int:
        """Count the rows of all tables of a backup."""

    async def page(
        self, name: str, *, after: Sequence[Any] | None, limit: int
    ) -> Sequence[tuple[Sequence[Any], Sequence[Any]]]:
        """Return rows of a table with their keys, in the order of the keys, after `after`."""

    async def begin_epoch(self, number: int, *, now: int) -> None:
        """Record the beginning of an epoch."""

    async def suspend_grants(self, *, reason: str) -> int:
        """Suspend every grant until a refresh has proved it. Return their number."""

    async def end_pending(self, *, now: int) -> None:
        """End everything that was begun and not finished: its codes may have been used."""

    async def identities(self) -> Mapping[str, ZoomIdentity]:
        """Return the owner of every grant, by grant id."""
