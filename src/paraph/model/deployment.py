"""The state of a deployment: epochs, key rotations, running replicas, and sealed values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """A database begins a new epoch each time it is restored; the first one has number 1."""

    number: int
    began_at: int


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """The time from which an encryption key seals; `number` counts rotations from 1."""

    number: int
    key_id: str
    began_at: int


@dataclass(frozen=True, slots=True)
class Replica:
    """A running service, the keys that it holds, and the key that it seals with."""

    replica_id: str
    label: str
    key_ids: tuple[str, ...]
    sealing_key: str
    seen_at: int


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A ciphertext, its place ("table.column"), and the parts of the row that it is bound to.

    `day` is the day whose key seals it, in days since 1970; None if one key serves for all days.
    `key` is the primary key of the row, where that is not the first of these parts.
    """

    place: str
    row: tuple[str, ...]
    sealed: bytes
    day: int | None = None
    key: int | None = None

    @property
    def row_key(self) -> str | int:
        """The primary key of the row."""
        return self.row[0] if self.key is None else self.key
