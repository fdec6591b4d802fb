"""Decides which keys authenticate backups and removal receipts.

Both carry a MAC under a key that is derived from the encryption key that sealed at that time, and
name that key. An encryption key that was rotated away may have leaked. It may still be in
`encryption_keys`, to open old rows, but it no longer authenticates anything, unless an operator
allows it for one restore (`--made-with-key`). Files of paraph 0.1 are authenticated by a key that
no rotation changes. Anyone who ever held an encryption key of that database could have forged
them, so they need an option of their own (`--from-0.1`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from paraph.errors import UnknownEncryptionKey, UsageError
from paraph.sealing.key_ring import KeyRing

BACKUP = "backup"
RECEIPTS = "receipts"
FIRST_VERSION = "0.1"


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys that an operator trusts for one restore.

    Attributes:
        made_with: ids of older keys that are known not to have leaked.
        first_version: True if files written by paraph 0.1 are trusted.
    """

    made_with: frozenset[str] = frozenset()
    first_version: bool = False

    def keys(self, ring: KeyRing) -> frozenset[str]:
        """Return the ids of the keys whose receipts are trusted."""
        return frozenset({ring.newest}) | self.made_with


NO_OLDER_KEY = Trust()


def keys_in_force(ring: KeyRing) -> Collection[str]:
    """Return the key that seals, and newer keys that wait for their rotation."""
    ids = ring.key_ids
    return ids[: ids.index(ring.key_id) + 1]


def demand_trusted(key_id: str, ring: KeyRing, trust: Trust) -> None:
    """Refuse a backup of a key that is not in force; `key_id` is "" for one of paraph 0.1.

    Raises:
        UsageError: the operator has not allowed this key to authenticate the backup.
        UnknownEncryptionKey: the ring does not hold the key.
    """
    if not key_id:
        if not trust.first_version:
            raise UsageError(
                "the backup was written by paraph 0.1: anyone who ever held an encryption key of "
                "this database could have forged it",
                remedy="If no key of it ever leaked, say --from-0.1; then take a new backup.",
            )
        return
    if key_id not in ring.key_ids:
        raise UnknownEncryptionKey(
            f"the backup was made with the key {key_id}, which is not in encryption_keys"
        )
    if key_id not in trust.keys(ring):
        raise UsageError(
            f"the backup was made with the key {key_id}, and {ring.newest} is first in "
            f"encryption_keys: anyone who holds {key_id} could have made it",
            remedy=f"If {key_id} never leaked, say --made-with-key {key_id}.",
        )
