"""Sealed columns: a ciphertext opens only in its own database, column and row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.logs import get_logger
from paraph.sealing.key_ring import DAY_SECONDS, KeyRing
from paraph.secret import Secret

Row = TypeVar("Row")
Opened = TypeVar("Opened")

_log = get_logger("storage")


def those_that_open(rows: Iterable[Row], opened: Callable[[Row], Opened]) -> list[Opened]:
    """Open the rows that can be opened, and log the others so that they do not block the rest."""
    found = []
    for row in rows:
        try:
            found.append(opened(row))
        except (SealBroken, UnknownEncryptionKey) as error:
            _log.error("row.not_opened", error_code=error.code, remedy=error.remedy)
    return found


@dataclass(frozen=True, slots=True)
class Sealing:
    """Seals and opens values of one database."""

    ring: KeyRing
    database_id: str

    def seal(self, place: str, row_id: str, value: bytes, *bound: str) -> bytes:
        """Seal a value for `table.column`, a row, and further values bound to it."""
        return self.seal_on(None, place, row_id, value, *bound)

    def seal_body(self, place: str, row_id: str, value: bytes, *, at: int) -> bytes:
        """Seal a value with the key of the day of `at`, epoch seconds. `open` opens it."""
        return self.seal_on(at // DAY_SECONDS, place, row_id, value)

    def seal_on(self, day: int | None, place: str, row_id: str, value: bytes, *bound: str) -> bytes:
        """Seal a value with the key of a day by number; None: the key that serves for all days."""
        associated_data = self._place(place, row_id, *bound)
        return self.ring.seal("row", value, associated_data=associated_data, day=day)

    def open(self, place: str, row_id: str, sealed: bytes, *bound: str) -> bytes:
        """Open a value. Raise `SealBroken` if it was sealed for another place."""
        associated_data = self._place(place, row_id, *bound)
        return self.ring.open("row", bytes(sealed), associated_data=associated_data)

    def seal_secret(self, place: str, row_id: str, secret: Secret | None) -> bytes | None:
        """Seal a secret; None stays None."""
        return None if secret is None else self.seal(place, row_id, secret.reveal().encode())

    def open_secret(self, place: str, row_id: str, sealed: bytes) -> Secret:
        """Open a secret."""
        return Secret(self.open(place, row_id, sealed).decode())

    def _place(self, place: str, *row: str) -> bytes:
        return b"".join((_column(self.database_id, place), *map(_measured, row)))


@lru_cache(maxsize=1024)
def _column(database_id: str, place: str) -> bytes:
    return _measured(database_id) + _measured(place)


def _measured(part: str) -> bytes:
    # The length prefix keeps ("a", "bc") and ("ab", "c") apart.
    encoded = part.encode()
    return len(encoded).to_bytes(2, "big") + encoded
