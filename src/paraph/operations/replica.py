"""Records which replicas run and which keys they hold, and tells them which key seals.

Each replica writes down which keys it can open values with. A new key may seal only when every live
replica holds it, so no replica ever meets a ciphertext that it cannot open. There are two phases:
first all replicas can open with the new key, then it seals.

A replica reports every REST_SECONDS, and within seconds when it is asked. `ask_replicas` makes all
reports look old. A live replica notices that and reports again. One that was killed does not, and
counts as stopped ANSWER_SECONDS later.
"""

from __future__ import annotations

from paraph.errors import UnknownEncryptionKey
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.model.deployment import Replica
from paraph.storage.hot_reads.due_times import DueTimes
from paraph.storage.scope import NOTHING_READ
from paraph.storage.transaction import Transaction

BEAT_SECONDS = 3.0
# Each report is a write, which wakes all replicas.
REST_SECONDS = 100
# Well above the interval: a replica that is slow for a moment must not count as stopped.
LIVE_SECONDS = 300
# More than twice the time after which a replica reads its due times if it hears nothing.
ANSWER_SECONDS = 75
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
        self.replica_id = context.new_id()
        self._reported_at = 0

    def due(self, times: DueTimes) -> int:
        """Return when the next report is due, in epoch seconds."""
        if (
            # Only a successful write shows that an outage is over.
            self._context.store.is_failing
            or times.seen_at is None
            or times.seen_at < self._reported_at
            or times.sealing_key != self._context.ring.key_id
        ):
            return 0
        return self._reported_at + REST_SECONDS

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
                Replica(self.replica_id, self._label, ring.key_ids, ring.key_id, now)
            )
            await tx.replicas.delete_before(now - _ROW_SECONDS)
        self._reported_at = now

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
            await tx.replicas.delete(self.replica_id)


async def ask_replicas(context: Context) -> None:
    """Let every live replica report again within ANSWER_SECONDS.

    Raises:
        StorageError: the database failed; no replica was asked.
    """
    async with context.store.transaction(NOTHING_READ) as tx:
        await tx.replicas.age(context.now() - LIVE_SECONDS + ANSWER_SECONDS)


async def live_replicas(tx: Transaction, *, now: int) -> list[Replica]:
    """Return the replicas that reported in the last LIVE_SECONDS; `now` is in epoch seconds."""
    return list(await tx.replicas.seen_since(now - LIVE_SECONDS))
