"""The timeline of one installation: proofs, refreshes, events, notices and other audit entries.

Refreshes come from the audit. Of the audit, the newest part of the chain is read
(`audit.ENTRIES_AT_ONCE` entries), so that a page costs the same in a large database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from paraph.admin.page import nothing_here
from paraph.lifecycle.audit import entries_about
from paraph.lifecycle.context import Context
from paraph.model.event import EventFilter, KeptEvent
from paraph.model.installation import Installation
from paraph.model.link import Proof
from paraph.model.management import AuditEntry
from paraph.storage.transaction import Transaction

PAGE = 50
_POSITION = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,4}))?")
_LAST = 253_402_300_799  # The end of the year 9999.


@dataclass(frozen=True, slots=True)
class Position:
    """A position in a timeline: a second, and the number of its entries that were shown."""

    at: int = _LAST
    shown: int = 0

    @classmethod
    def parse(cls, text: str) -> Position:
        """Parse a position of a query; "" is the newest one.

        Raises:
            Refusal: it is not a position.
        """
        if not text:
            return cls()
        match = _POSITION.fullmatch(text)
        if match is None:
            raise nothing_here()
        return cls(int(match[1]), int(match[2] or 0))

    @property
    def is_newest(self) -> bool:
        """True for the first page."""
        return self == Position()

    def __str__(self) -> str:
        return f"{self.at}.{self.shown}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline: a proof, an event or an audit entry.

    Attributes:
        at: epoch seconds.
        kind: the kind of the line; it also orders lines of one second.
        key: orders lines of one second and kind.
    """

    at: int
    kind: str
    key: str
    proof: Proof | None = None
    event: KeptEvent | None = None
    audited: AuditEntry | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of a timeline; `older` is the position of the next page, or ""."""

    entries: list[Entry]
    older: str


async def read_timeline(
    tx: Transaction, context: Context, installation: Installation, position: Position
) -> Timeline:
    """Read a page of the timeline of an installation, newest first.

    Args:
        tx: reads the store.
        context: the app's keys and level.
        installation: the installation.
        position: the position of the page.
    """
    identity, link = installation.grant.identity, installation.link
    entries = [
        Entry(proof.held_at, "proof", f"{number:04}", proof=proof)
        for number, proof in enumerate(link.proofs)
    ]
    about = entries_about(
        tx,
        context,
        account_id=identity.account_id,
        user_id=identity.user_id,
        links=[link],
        newest_batch=True,
    )
    entries += [Entry(one.at, "audit", f"{one.sequence:020}", audited=one) async for one in about]
    # At account level, every event of the account is forwarded for its installation.
    user_id = identity.user_id if context.level == "user" else ""
    limit = PAGE + position.shown + 1
    events = await tx.events.page(
        matching=EventFilter(
            account_id=identity.account_id, user_id=user_id, received_before=position.at + 1
        ),
        limit=limit,
    )
    entries += [Entry(one.received_at, "event", one.event_id, event=one) for one in events]
    return _page(entries, position)


def _page(entries: list[Entry], position: Position) -> Timeline:
    newest_first = sorted(entries, key=lambda one: (one.at, one.kind, one.key), reverse=True)
    rest = [one for one in newest_first if one.at <= position.at][position.shown :]
    page = rest[:PAGE]
    if len(rest) <= PAGE:
        return Timeline(page, "")
    last = page[-1].at
    shown = sum(one.at == last for one in page)
    if last == position.at:
        shown += position.shown
    return Timeline(page, str(Position(last, shown)))
