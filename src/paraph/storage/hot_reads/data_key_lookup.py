"""The data keys that seal the events of a batch, read by their owners.

They are remembered, and the transaction that inserts a batch checks whether each of them is the
present key of its owner. If one is not, it reads them again. So a key is never older than the
events. Otherwise, after a removal and a new installation, genuine events would be sealed with the
destroyed key and lost.

A removal may commit after the keys were read again and before the insert. Then the bodies cannot
be opened. That is correct, because those events are older than the removal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from paraph.sealing.data_key import SealedDataKey

# From this number of owners on, all are read again.
REMEMBERED = 10_000
COLUMNS = ", ".join(f"k.{name}" for name in SealedDataKey._fields)

Keys = Mapping[tuple[str, str], SealedDataKey]
Owners = Sequence[tuple[str, str]]


class DataKeyLookup:
    """Remembers the keys of owners, and which owners lack one.

    Args:
        fetch: reads the rows of the keys of a client's owners.
    """

    def __init__(self, fetch: Callable[[str, Owners], Awaitable[Iterable[Sequence[Any]]]]) -> None:
        self._fetch = fetch
        self._known: dict[tuple[str, str], SealedDataKey | None] = {}

    async def remembered(self, client_id: str, owners: Owners) -> Keys:
        """Return the keys of these owners as they were known last; read only unknown owners."""
        unknown = [owner for owner in owners if owner not in self._known]
        if len(self._known) + len(unknown) > REMEMBERED:
            self._known.clear()
            unknown = list(owners)
        if unknown:
            self.remember(unknown, await self._fetch(client_id, unknown))
        known = self._known
        return {owner: key for owner in owners if (key := known[owner]) is not None}

    def remember(self, owners: Collection[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> Keys:
        """Remember the present rows of the keys of these owners, and return the keys."""
        keys: dict[tuple[str, str], SealedDataKey] = {
            key.owner: key for key in map(SealedDataKey._make, rows)
        }
        self._known.update({owner: keys.get(owner) for owner in owners})
        return keys
