"""The audit chain: what was done, by what right, and in which order.

Each entry's digest is a MAC over the entry and the digest before it, so an entry that is
changed, dropped or moved breaks every later one. The newest digest, the *head*, is written
to the log: whoever keeps the log elsewhere can prove tampering up to the last exported head,
even by somebody who holds database and key and rebuilds the whole chain.

Details hold no personal data and no secret: persons appear as keyed hashes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.storage.protocols import Store, Transaction
from paraph.storage.records import AuditEntry

_BEGINNING = bytes(32)
_PAGE = 500

_log = get_logger("audit")


async def record(tx: Transaction, context: Context, action: str, **details: str) -> AuditEntry:
    """Append to the chain, within the transaction that does what the entry says."""
    head = await tx.audit.head()
    sequence = 1 if head is None else head.sequence + 1
    previous = _BEGINNING if head is None else head.digest
    entry = AuditEntry(sequence, context.now(), action, details, previous, b"")
    entry = replace(entry, digest=_digest(context.store.hash_keys["audit"], entry))
    await tx.audit.append(entry)
    return entry


def _digest(key: bytes, entry: AuditEntry) -> bytes:
    details = sorted(entry.details.items())
    canonical = msgspec.json.encode([entry.sequence, entry.at, entry.action, details])
    return hmac.digest(key, entry.previous + canonical, hashlib.sha256)


class HeadExport:
    """Writes the head to the log whenever it has moved."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = 0

    async def export(self) -> None:
        """Log the newest committed entry's number and digest, if it is a new one."""
        async with self._store.reading() as tx:
            head = await tx.audit.head()
        if head is not None and head.sequence != self._last:
            self._last = head.sequence
            _log.info("audit.head", sequence=head.sequence, digest=head.digest.hex())


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What a walk along the chain found; `broken_at` is the first entry that does not fit."""

    entries: int
    head: str
    broken_at: int | None = None
    why: str = ""


async def walk_chain(
    store: Store, *, exported_heads: Mapping[int, str] | None = None
) -> ChainVerdict:
    """Recompute every digest, and compare with heads that the log kept.

    Args:
        store: whose chain.
        exported_heads: sequence number to hex digest, as they stand in the log.
    """
    heads = dict(exported_heads or {})
    key = store.hash_keys["audit"]
    previous, sequence = _BEGINNING, 0
    async with store.reading() as tx:
        while page := await tx.audit.page(after=sequence, limit=_PAGE):
            for entry in page:
                why = _misfit(key, entry, sequence + 1, previous, heads.pop(entry.sequence, None))
                if why:
                    return ChainVerdict(sequence, previous.hex(), sequence + 1, why)
                previous, sequence = entry.digest, entry.sequence
    if heads:
        missing = min(heads)
        return ChainVerdict(
            sequence, previous.hex(), missing, "the log knows an entry that is gone"
        )
    return ChainVerdict(sequence, previous.hex())


def _misfit(
    key: bytes, entry: AuditEntry, expected: int, previous: bytes, exported: str | None
) -> str:
    if entry.sequence != expected:
        return "an entry is missing"
    if entry.previous != previous:
        return "the entry does not follow the one before it"
    digest = _digest(key, entry)
    if not hmac.compare_digest(digest, entry.digest):
        return "the entry was changed"
    if exported is not None and exported != digest.hex():
        return "the chain was rebuilt: the log kept another digest"
    return ""
