"""Records which replicas run and which keys they hold, and tells them which key seals.

Every few seconds each replica writes down which keys it can open values with. A new key may seal
only when every live replica holds it, so no replica ever meets a ciphertext that it cannot
open. There are two phases: first all replicas can open with the new key, then it seals.
"""

from __future__ import annotations

from paraph.errors import UnknownEncryptionKey
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.model.deployment import Replica
from paraph.storage.scope import NOTHING_READ
from paraph.storage.transaction import Transaction

BEAT_SECONDS = 3.0
# Well above the interval: a replica that is slow for a moment must not count as stopped.
LIVE_SECONDS = 30
_ROW_SECONDS = 86400

_log = get_logger("replica")


class Presence:
    """Keeps the row of this replica up to date.

    Args:
        context: the app's store, keys and clock.
        label: shows an operator which process this is, such as "host:4711".
    """

    def __init__(self, context: Context, label: str) -> None:
        self._context = context
        self._label = label
        self._replica_id = context.new_id()

    async def beat(self) -> None:
        """Record that this replica runs, and seal with the key that the database names.

        Raises:
            StorageError: the database failed; the replica seals with its previous key.
        """
        ring, now = self._context.ring, self._context.now()
        async with self._context.store.transaction(NOTHING_READ) as tx:
            rotations = await tx.key_rotations.all()
            if rotations and rotations[-1].key_id != ring.key_id:
                self._seal_with(rotations[-1].key_id)
            await tx.replicas.put(
                Replica(self._replica_id, self._label, ring.key_ids, ring.key_id, now)
            )
            await tx.replicas.delete_before(now - _ROW_SECONDS)

    def _seal_with(self, key_id: str) -> None:
        try:
            self._context.ring.seal_with(key_id)
        except UnknownEncryptionKey as error:
            # Only if the keys were rotated while this replica could not report. The next
            # re-encryption finds the values that it sealed with the old key.
            _log.error("keys.cannot_seal", why=error.detail, remedy=error.remedy)
        else:
            _log.info("keys.rotated", key_id=key_id)

    async def end(self) -> None:
        """Record that this replica has ended.

        Raises:
            StorageError: the database failed; the row expires by itself.
        """
        async with self._context.store.transaction(NOTHING_READ) as tx:
            await tx.replicas.delete(self._replica_id)


async def live_replicas(tx: Transaction, *, now: int) -> list[Replica]:
    """Return the replicas that reported in the last LIVE_SECONDS; `now` is in epoch seconds."""
    return list(await tx.replicas.seen_since(now - LIVE_SECONDS))
