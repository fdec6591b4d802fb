"""Rotates the encryption keys: the new key seals, then every stored value is sealed again.

A key protects three classes of data, and each stops needing it in its own way:

- *Rows* (tokens, profiles, event bodies, the sealed hash keys) are sealed again, online.
- *Short-lived cookies* (of a pending authorization and of an operator) expire: the old key is
  kept for an hour after the rotation.
- *Long-lived hashes and the audit chain* have keys of their own, which never change. Only the
  sealed form of these keys is a row like any other.

Every step may run twice and may be interrupted anywhere: a value sealed again is not found again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paraph.errors import SealBroken, StorageError, UnknownEncryptionKey, UsageError
from paraph.lifecycle import audit
from paraph.lifecycle.context import Context
from paraph.model.deployment import KeyRotation, Replica, SealedValue
from paraph.operations.replica import ANSWER_SECONDS, ask_replicas, live_replicas
from paraph.storage.scope import NOTHING_READ
from paraph.storage.transaction import Transaction

SHORT_LIVED_SECONDS = 3600
BATCH = 25
# Seconds between two batches for which the write lock is free, at least as long as a batch held
# it. Writers of other processes poll for the lock and must find it free.
PAUSE_SECONDS = 0.02
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key, the data that it still protects, and the obstacles to removing it.

    Attributes:
        key_id: the id of the key.
        held: True if it is in `encryption_keys`.
        seals: True if new values are sealed with it.
        sealing_since: epoch seconds; None for a key that never sealed.
        short_lived_until: epoch seconds at which its cookies expire; None for a key that seals.
        protects: the number of values in each place that only this key opens.
        obstacles: one sentence for each reason not to remove it.
    """

    key_id: str
    held: bool
    seals: bool
    sealing_since: int | None
    short_lived_until: int | None
    protects: Mapping[str, int]
    obstacles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RingStatus:
    """All keys, newest first, the live replicas, and the names of the hash keys.

    `at` is the time of the status, in epoch seconds. A replica that was killed is among the live
    ones until LIVE_SECONDS after its last report.
    """

    at: int
    keys: tuple[KeyStatus, ...]
    replicas: tuple[Replica, ...]
    hash_keys: tuple[str, ...]


async def ring_status(context: Context) -> RingStatus:
    """Count the values that each key protects.

    Raises:
        StorageError: the database failed.
    """
    now = context.now()
    async with context.store.reading() as tx:
        rotations = await tx.key_rotations.all()
        replicas = await live_replicas(tx, now=now)
        known = [*context.ring.key_ids, *(rotation.key_id for rotation in reversed(rotations))]
        protects: dict[str, dict[str, int]] = {key_id: {} for key_id in known}
        for place in tx.sealed.places:
            for key_id, count in (await tx.sealed.counts(place, known)).items():
                protects.setdefault(key_id, {})[place] = count
    keys = [
        _key_status(context, key_id, rotations, replicas, counts)
        for key_id, counts in protects.items()
        # An old key that is neither configured nor needed is left out.
        if counts or key_id in context.ring.key_ids
    ]
    return RingStatus(now, tuple(keys), tuple(replicas), tuple(context.store.hash_keys))


def _key_status(
    context: Context,
    key_id: str,
    rotations: Sequence[KeyRotation],
    replicas: Sequence[Replica],
    protects: Mapping[str, int],
) -> KeyStatus:
    seals = rotations[-1].key_id == key_id
    own = [place for place, rotation in enumerate(rotations) if rotation.key_id == key_id]
    until = None
    if own and not seals:
        until = rotations[own[-1] + 1].began_at + SHORT_LIVED_SECONDS
    obstacles = []
    if seals:
        obstacles.append("it seals")
    elif protects:
        obstacles.append("rows are sealed with it: paraph keys rotate")
    elif not own and key_id == context.ring.newest:
        obstacles.append("it does not seal yet: paraph keys rotate")
    if until is not None and context.now() < until:
        obstacles.append("cookies that it sealed may still come back")
    if any(replica.sealing_key == key_id for replica in replicas) and not seals:
        obstacles.append("a running replica seals with it")
    return KeyStatus(
        key_id=key_id,
        held=key_id in context.ring.key_ids,
        seals=seals,
        sealing_since=rotations[own[-1]].began_at if own else None,
        short_lived_until=until,
        protects=protects,
        obstacles=tuple(obstacles),
    )


async def begin_rotation(context: Context) -> bool:
    """Make the newest key of the ring the sealing key of all replicas.

    Returns:
        False if it already seals.

    Raises:
        UsageError: a live replica does not hold it yet.
        Conflict: another process rotated at the same time.
    """
    newest, now = context.ring.newest, context.now()
    await ask_replicas(context)
    async with context.store.transaction() as tx:
        rotations = await tx.key_rotations.all()
        if rotations[-1].key_id == newest:
            return False
        without = [r.label for r in await live_replicas(tx, now=now) if newest not in r.key_ids]
        if without:
            raise UsageError(
                f"these replicas do not hold the key {newest} yet: {', '.join(without)}",
                remedy="Give it to every replica in encryption_keys, restart them, and try again.",
            )
        await tx.key_rotations.add(KeyRotation(rotations[-1].number + 1, newest, now))
        await audit.record(tx, context, "keys.rotated", key_id=newest)
    context.ring.seal_with(newest)
    return True


async def seal_with_newest(tx: Transaction, context: Context) -> None:
    """Make the newest key the sealing key, in a database that no replica uses yet.

    Raises:
        StorageError: the database failed.
    """
    newest = context.ring.newest
    rotations = await tx.key_rotations.all()
    if rotations[-1].key_id != newest:
        await tx.key_rotations.add(KeyRotation(rotations[-1].number + 1, newest, context.now()))
        await audit.record(tx, context, "keys.rotated", key_id=newest)
    context.ring.seal_with(newest)


async def await_replicas(context: Context, waiting: Callable[[Sequence[str]], None]) -> None:
    """Wait until every live replica seals with the current key, or has stopped reporting.

    Args:
        context: the app's store and clock.
        waiting: called with the labels of the awaited replicas, whenever they change.

    Raises:
        StorageError: a live replica still seals with another key.
    """
    reported: Sequence[str] = ()
    await ask_replicas(context)
    # Twice the time after which a silent replica counts as stopped.
    for _ in range(int(2 * ANSWER_SECONDS / _POLL_SECONDS)):
        async with context.store.reading() as tx:
            replicas = await live_replicas(tx, now=context.now())
        behind = [one.label for one in replicas if one.sealing_key != context.ring.key_id]
        if not behind:
            return
        if behind != reported:
            reported = behind
            waiting(behind)
        await asyncio.sleep(_POLL_SECONDS)
    raise StorageError(
        f"these replicas still seal with another key: {', '.join(reported)}",
        remedy="See why in their logs, or restart them; then run paraph keys rotate again.",
    )


@dataclass(frozen=True, slots=True)
class Resealed:
    """The result of sealing all values again; values that cannot be opened are left unchanged.

    Attributes:
        done: the number of values sealed again.
        unknown: by place, the number of values whose key is not in the ring.
        broken: by place, the number of damaged values.
    """

    done: int
    unknown: Mapping[str, int]
    broken: Mapping[str, int]


async def count_outdated(context: Context) -> int:
    """Return how many values are not sealed with the current key.

    Raises:
        StorageError: the database failed.
    """
    ring = context.ring
    async with context.store.reading() as tx:
        counts = [await tx.sealed.counts(place, ring.key_ids) for place in tx.sealed.places]
    return sum(n for one in counts for key_id, n in one.items() if key_id != ring.key_id)


async def reseal(context: Context, advance: Callable[[int], None]) -> Resealed:
    """Seal every value with the current key, in batches that block no other writer.

    A batch is read without a lock. Each value is written only if it is unchanged. A concurrent
    writer has sealed it with the current key already, or the next pass finds it.

    Args:
        context: the app's store and keys.
        advance: called with the number of values processed since its last call.

    Raises:
        StorageError: the database failed. Values sealed so far stay sealed with the current key.
    """
    done, unknown, broken = 0, dict[str, int](), dict[str, int]()
    async with context.store.reading() as tx:
        places = tx.sealed.places
    for place in places:
        after: str | int = ""
        while batch := await _outdated(context, place, after):
            after = batch[-1].row_key
            began = asyncio.get_running_loop().time()
            async with context.store.transaction(NOTHING_READ) as tx:
                for value in batch:
                    try:
                        done += await tx.sealed.reseal(value)
                    except UnknownEncryptionKey:
                        unknown[place] = unknown.get(place, 0) + 1
                    except SealBroken:
                        broken[place] = broken.get(place, 0) + 1
            advance(len(batch))
            held = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(held, PAUSE_SECONDS))
    return Resealed(done, unknown, broken)


async def _outdated(context: Context, place: str, after: str | int) -> Sequence[SealedValue]:
    async with context.store.reading() as tx:
        return await tx.sealed.outdated(place, after=after, limit=BATCH)
