"""Sealed columns: a ciphertext opens only in its own database, column and row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from paraph.encoding import with_lengths
from paraph.sealing.data_key import BodySealing
from paraph.sealing.key_ring import DAY_SECONDS, KeyRing
from paraph.secret import Secret


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seals and opens values of one database.

    Attributes:
        ring: the encryption keys.
        database_id: is bound to every value.
        bodies: seals event bodies with data keys.
    """

    ring: KeyRing
    database_id: str
    bodies: BodySealing = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the part that seals bodies: it has opened keys of this database alone."""
        object.__setattr__(self, "bodies", BodySealing(self))

    def seal(self, place: str, row_id: str, value: bytes, *bound: str) -> bytes:
        """Seal a value for `table.column`, a row, and further values bound to it."""
        return self.seal_on(None, place, row_id, value, *bound)

    def seal_body(self, place: str, row_id: str, value: bytes, *, at: int) -> bytes:
        """Seal a value with the key of the day of `at`, epoch seconds. `open` opens it."""
        return self.seal_on(at // DAY_SECONDS, place, row_id, value)

    def seal_on(self, day: int | None, place: str, row_id: str, value: bytes, *bound: str) -> bytes:
        """Seal a value with the key of a day by number; None: the key that serves for all days."""
        associated_data = self.associated_data(place, row_id, *bound)
        return self.ring.seal("row", value, associated_data=associated_data, day=day)

    def open(self, place: str, row_id: str, sealed: bytes, *bound: str) -> bytes:
        """Open a value. Raise `SealBroken` if it was sealed for another place."""
        associated_data = self.associated_data(place, row_id, *bound)
        return self.ring.open("row", bytes(sealed), associated_data=associated_data)

    def seal_secret(self, place: str, row_id: str, secret: Secret | None) -> bytes | None:
        """Seal a secret; None stays None."""
        return None if secret is None else self.seal(place, row_id, secret.reveal().encode())

    def open_secret(self, place: str, row_id: str, sealed: bytes) -> Secret:
        """Open a secret."""
        return Secret(self.open(place, row_id, sealed).decode())

    def associated_data(self, place: str, *row: str) -> bytes:
        """Return the bytes that bind a ciphertext to this database, a place and a row."""
        return _column(self.database_id, place) + _joined(row)


@lru_cache(maxsize=1024)
def _column(database_id: str, place: str) -> bytes:
    return _joined((database_id, place))


def _joined(parts: tuple[str, ...]) -> bytes:
    # Strict: half a surrogate pair cannot be stored.
    return with_lengths(map(str.encode, parts), length_bytes=2)
