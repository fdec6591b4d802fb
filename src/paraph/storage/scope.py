"""Scopes: which accounts a writing block touches, so that only overlapping blocks wait.

A block without a scope is alone: no other writes while it runs, on any replica. That is correct
for every block, so it is the default. A block with scopes runs beside all blocks of other scopes.
The rows that it reads and writes must lie within its scopes. So must every row on which it
bases a decision.

SQLite has one writer at a time in any case. PostgreSQL takes advisory locks for the scopes
before the first statement. Their order is always the same, so two blocks never wait for each
other in a cycle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from paraph.encoding import with_lengths


@dataclass(frozen=True, slots=True)
class Scope:
    """One lock. A `shared` one may overlap with other shared ones, not with an exclusive one."""

    parts: tuple[str, ...]
    shared: bool = False

    @property
    def key(self) -> int:
        """The lock's name for PostgreSQL's advisory locks: 64 bits, signed."""
        return _key_of(self.parts)


@lru_cache(maxsize=4096)
def _key_of(parts: tuple[str, ...]) -> int:
    whole = with_lengths(("paraph", *parts))
    return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "big", signed=True)


NOTHING_READ = Scope(("nothing",), shared=True)
"""The scope of a block in which each statement decides by itself: it depends on no read."""


def account(client_id: str, account_id: str, *, shared: bool = False) -> Scope:
    """Return the scope of one Zoom account: its grants, links, tombstones and kept events.

    "" stands for the events without an account: a removal locks them exclusively too.

    It is shared by blocks that only add rows, and that no removal may overtake meanwhile.
    """
    return Scope(("account", client_id, account_id), shared)


def in_order(scopes: Iterable[Scope]) -> list[Scope]:
    """Return each lock once, in the locking order of all blocks; exclusive beats shared."""
    by_key: dict[int, Scope] = {}
    for scope in scopes:
        known = by_key.get(scope.key)
        if known is None or known.shared:
            by_key[scope.key] = scope
    return [by_key[key] for key in sorted(by_key)]
