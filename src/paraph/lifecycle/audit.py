"""The audit chain: records each action, its reason, and the order of all actions.

Each entry's digest is a MAC over the entry and the previous digest. So an entry that is changed,
deleted or moved breaks every later one. The newest digest, the *head*, is written to the log. If
the log is stored elsewhere, it proves tampering up to the last exported head. That holds even
against an attacker who has the database and the key and rebuilds the whole chain.

Details hold no personal data and no secret: an entry names a person or a subject by a keyed hash,
and an installation by its id.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.model.link import Link
from paraph.model.management import AuditEntry
from paraph.storage.database import Database
from paraph.storage.transaction import Transaction

_BEGINNING = bytes(32)
_PAGE = 500
# The number of entries that one statement reads for `entries_about`.
ENTRIES_AT_ONCE = 20_000
_PERSONS = ("person", "former")
_OF_THE_PERSON = frozenset({"installation", "subject"})

_log = get_logger("audit")


async def record(tx: Transaction, context: Context, action: str, **details: str) -> None:
    """Append an entry to the chain, in the transaction of the action that it records."""
    at, key = context.now(), context.store.hash_keys["audit"]

    def following(head: AuditEntry | None) -> AuditEntry:
        sequence = 1 if head is None else head.sequence + 1
        previous = _BEGINNING if head is None else head.digest
        entry = AuditEntry(sequence, at, action, details, previous, b"")
        return replace(entry, digest=_digest(key, entry))

    tx.audit.append(following)


def by_operator(key_id: str) -> dict[str, str]:
    """Return the detail of an action that names its operator; none for the command line."""
    return {"operator": key_id} if key_id else {}


def _digest(key: bytes, entry: AuditEntry) -> bytes:
    details = sorted(entry.details.items())
    canonical = msgspec.json.encode([entry.sequence, entry.at, entry.action, details])
    return hmac.digest(key, entry.previous + canonical, hashlib.sha256)


class HeadExport:
    """Logs the head of the chain whenever it has changed."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._last = 0

    def is_behind(self, sequence: int | None) -> bool:
        """Return True if this entry of the chain is newer than the head that was logged."""
        return sequence is not None and sequence != self._last

    async def export(self) -> None:
        """Log the number and digest of the newest committed entry, if it is new."""
        async with self._store.reading() as tx:
            head = await tx.audit.head()
        if head is not None and head.sequence != self._last:
            self._last = head.sequence
            _log.info(
                "audit.head",
                epoch=self._store.epoch.number,
                sequence=head.sequence,
                digest=head.digest.hex(),
            )


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """The result of checking the chain; `broken_at` is the first entry that does not fit.

    `restores` counts the epochs that began in it. `given_up` counts the exported heads whose
    entries a restore left behind: this is not tampering if you ran that restore.
    """

    entries: int
    head: str
    broken_at: int | None = None
    why: str = ""
    restores: int = 0
    given_up: int = 0


RESTORED = "database.restored"


async def walk_chain(
    store: Database, *, exported_heads: Mapping[tuple[int, int], str] | None = None
) -> ChainVerdict:
    """Recompute every digest, and compare the chain with exported heads.

    Args:
        store: the store that holds the chain.
        exported_heads: (epoch, sequence number) to hex digest, from the log or the receipt book.
    """
    heads = exported_heads or {}
    wanted = {sequence for _, sequence in heads}
    walk = _Walk(store.hash_keys["audit"], wanted)
    async with store.reading() as tx:
        while page := await tx.audit.page(after=walk.sequence, limit=_PAGE):
            for entry in page:
                why = walk.step(entry)
                if why:
                    return ChainVerdict(
                        walk.sequence, walk.previous.hex(), walk.sequence + 1, why, len(walk.began)
                    )
    return _compared(walk, heads)


class _Walk:
    """The position of a check in the chain, and the values needed to compare the heads."""

    def __init__(self, key: bytes, wanted: Collection[int]) -> None:
        self._key = key
        self._wanted = wanted
        self.previous, self.sequence = _BEGINNING, 0
        self.digests: dict[int, str] = {}
        # From each epoch to its first entry.
        self.began: dict[int, int] = {}

    def step(self, entry: AuditEntry) -> str:
        """Check the next entry. Return the reason why it does not fit, or ""."""
        if entry.sequence != self.sequence + 1:
            return "an entry is missing"
        if entry.previous != self.previous:
            return "the entry does not follow the one before it"
        digest = _digest(self._key, entry)
        if not hmac.compare_digest(digest, entry.digest):
            return "the entry was changed"
        if entry.action == RESTORED:
            self.began[int(entry.details["epoch"])] = entry.sequence
        if entry.sequence in self._wanted:
            self.digests[entry.sequence] = digest.hex()
        self.previous, self.sequence = entry.digest, entry.sequence
        return ""


def _compared(walk: _Walk, heads: Mapping[tuple[int, int], str]) -> ChainVerdict:
    broken: list[tuple[int, str]] = []
    given_up = 0
    for (epoch, sequence), digest in heads.items():
        if any(later > epoch and walk.began[later] <= sequence for later in walk.began):
            given_up += 1
        elif sequence not in walk.digests:
            broken.append((sequence, "an exported head names an entry that is gone"))
        elif walk.digests[sequence] != digest:
            broken.append((sequence, "the chain was rebuilt: another digest was exported"))
    broken_at, why = min(broken, default=(None, ""))
    return ChainVerdict(
        walk.sequence, walk.previous.hex(), broken_at, why, len(walk.began), given_up
    )


async def entries_about(
    tx: Transaction,
    context: Context,
    *,
    account_id: str,
    user_id: str,
    links: Sequence[Link],
    newest_batch: bool = False,
) -> AsyncIterator[AuditEntry]:
    """Yield the audit entries about one Zoom user and about no other, oldest first.

    An installation can change from one Zoom user to another, and a subject can have another Zoom
    user later. So an entry that names a person belongs to that person alone.

    Args:
        tx: reads the chain.
        context: the app's keys.
        account_id: of Zoom.
        user_id: of Zoom.
        links: the links of the user's grant.
        newest_batch: read only the newest ENTRIES_AT_ONCE entries of the chain.
    """
    person = context.identifier(account_id, user_id)
    others = {link.link_id for link in links} | {context.identifier(one.subject) for one in links}
    head = await tx.audit.head()
    newest = 0 if head is None else head.sequence
    start = max(0, newest - ENTRIES_AT_ONCE) if newest_batch else 0
    for after in range(start, newest, ENTRIES_AT_ONCE):
        until = min(after + ENTRIES_AT_ONCE, newest)
        for entry in await tx.audit.mentioning([person, *others], after=after, until=until):
            named = [entry.details[name] for name in _PERSONS if name in entry.details]
            if person in named or not named:
                yield _without_others(entry, person)


def _without_others(entry: AuditEntry, person: str) -> AuditEntry:
    """Return an entry without the hashes of other people, and without what is theirs.

    Where another person took an installation over, it and its subject are that person's.
    """
    is_former = entry.details.get("person", person) != person
    left_out = {name for name in _PERSONS if entry.details.get(name) != person}
    left_out |= _OF_THE_PERSON if is_former else set()
    details = {name: value for name, value in entry.details.items() if name not in left_out}
    return replace(entry, details=details)
