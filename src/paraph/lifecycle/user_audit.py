"""The audit entries about one Zoom user, and about no other.

An entry names a person by a keyed hash, an installation by its id, and a subject by a keyed hash.
An installation can change from one Zoom user to another, and a subject can have another Zoom user
later. So an entry that names a person belongs to that person alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from paraph.lifecycle.context import Context
from paraph.model.link import Link
from paraph.model.management import AuditEntry
from paraph.storage.transaction import Transaction

# The number of entries that one statement reads.
BATCH = 20_000
_PERSONS = ("person", "former")
_OF_THE_PERSON = frozenset({"installation", "subject"})


async def entries_about(
    tx: Transaction,
    context: Context,
    *,
    account_id: str,
    user_id: str,
    links: Sequence[Link],
    newest_batch: bool = False,
) -> AsyncIterator[AuditEntry]:
    """Yield the audit entries about a user, oldest first.

    Args:
        tx: reads the chain.
        context: the app's keys.
        account_id: of Zoom.
        user_id: of Zoom.
        links: the links of the user's grant.
        newest_batch: read only the newest BATCH entries of the chain.
    """
    person = context.identifier(account_id, user_id)
    others = {link.link_id for link in links} | {context.identifier(one.subject) for one in links}
    head = await tx.audit.head()
    newest = 0 if head is None else head.sequence
    for after in range(max(0, newest - BATCH) if newest_batch else 0, newest, BATCH):
        until = min(after + BATCH, newest)
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
