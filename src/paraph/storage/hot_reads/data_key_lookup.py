"""The data keys that seal the events of a batch, read by their owners.

They are remembered, and the transaction that inserts a batch checks whether each of them is the
present key of its owner. If one is not, it reads them again. So a key is never older than the
events. Otherwise, after a removal and a new installation, genuine events would be sealed with the
destroyed key and lost.

A removal may commit after the keys were read again and before the insert. Then the bodies cannot
be opened. That is correct, because those events are older than the removal.

After `paraph migrate`, grants of an earlier version get their keys within seconds. Until then an
owner may have a grant and no key. No data key seals an event of such an owner, not even that of
another owner of the event: its removal would destroy the body for both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from paraph.sealing.data_key import SealedDataKey

# From this number of owners on, all are read again.
REMEMBERED = 10_000

_OF_CLIENT = "EXISTS (SELECT 1 FROM grants g WHERE g.client_id = owned.client_id"
_OF_ACCOUNT, _OF_USER = "g.account_id = owned.account_id", "g.user_id = owned.user_id"
_KEYS = (
    "SELECT k.key_id, owned.client_id, owned.account_id, owned.user_id, k.sealed"  # noqa: S608
    " FROM ({owned}) AS owned LEFT JOIN data_keys k ON k.client_id = owned.client_id"
    " AND k.account_id = owned.account_id AND k.user_id = owned.user_id"
    # An owner without a key is in the result only if a grant stands behind it.
    f" WHERE k.key_id IS NOT NULL OR {_OF_CLIENT} AND {_OF_ACCOUNT} AND {_OF_USER})"
    f" OR owned.user_id = '' AND {_OF_CLIENT} AND {_OF_ACCOUNT})"
    f" OR owned.account_id = '' AND {_OF_CLIENT} AND {_OF_USER})"
)

# By owner. Owners without a grant are missing; None stands for a grant without a key.
Keys = Mapping[tuple[str, str], SealedDataKey | None]
Owners = Sequence[tuple[str, str]]


def keys_statement(owned: str) -> str:
    """Build the statement that `DataKeyLookup` needs.

    Args:
        owned: a statement for the owners, with the columns client_id, account_id and user_id.
    """
    return _KEYS.format(owned=owned)


class DataKeyLookup:
    """Remembers the keys of owners, and which owners lack one.

    Args:
        fetch: reads the rows of the keys of a client's owners. In the row of an owner with a grant
            and without a key, the id and the key are null.
    """

    def __init__(self, fetch: Callable[[str, Owners], Awaitable[Iterable[Sequence[Any]]]]) -> None:
        self._fetch = fetch
        # An owner without a grant has an empty entry.
        self._known: dict[tuple[str, str], Keys] = {}

    async def remembered(self, client_id: str, owners: Owners) -> Keys:
        """Return the keys of these owners as they were known last; read only unknown owners."""
        unknown = [owner for owner in owners if owner not in self._known]
        if len(self._known) + len(unknown) > REMEMBERED:
            self._known.clear()
            unknown = list(owners)
        if unknown:
            self.remember(unknown, await self._fetch(client_id, unknown))
        keys: dict[tuple[str, str], SealedDataKey | None] = {}
        for owner in owners:
            keys.update(self._known[owner])
        return keys

    def remember(self, owners: Collection[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> Keys:
        """Remember the present rows of the keys of these owners, and return the keys."""
        keys: dict[tuple[str, str], SealedDataKey | None] = {
            key.owner: key if key.sealed else None for key in map(SealedDataKey._make, rows)
        }
        for owner in owners:
            self._known[owner] = {owner: keys[owner]} if owner in keys else {}
        return keys
