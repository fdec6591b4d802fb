"""Sealed columns: a ciphertext opens only in the database, column and row it was made for."""

from __future__ import annotations

from dataclasses import dataclass

from paraph.secret import Secret
from paraph.storage.encryption import KeyRing


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seals and opens values of one database."""

    ring: KeyRing
    database_id: str

    def seal(self, place: str, row_id: str, value: bytes) -> bytes:
        """Seal a value for `table.column` and a row."""
        return self.ring.seal("row", value, associated_data=self._place(place, row_id))

    def open(self, place: str, row_id: str, sealed: bytes) -> bytes:
        """Open a value. `SealBroken` when it was made for another place."""
        return self.ring.open("row", bytes(sealed), associated_data=self._place(place, row_id))

    def seal_secret(self, place: str, row_id: str, secret: Secret | None) -> bytes | None:
        """Seal a secret; nothing stays nothing."""
        return None if secret is None else self.seal(place, row_id, secret.reveal().encode())

    def open_secret(self, place: str, row_id: str, sealed: bytes) -> Secret:
        """Open a secret."""
        return Secret(self.open(place, row_id, sealed).decode())

    def _place(self, place: str, row_id: str) -> bytes:
        # The lengths in front keep ("a", "bc") and ("ab", "c") apart.
        parts = [part.encode() for part in (self.database_id, place, row_id)]
        return b"".join(len(part).to_bytes(2, "big") + part for part in parts)
