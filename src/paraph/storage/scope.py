"""Scopes: how far a writing block reaches, so that only blocks that touch wait for each other.

A block without a scope is alone: no other writes while it runs, on any replica. That is right
for every block, and so it is what nobody has to ask for. A block that says how far it reaches
runs beside all blocks that reach elsewhere. What it reads and writes must lie within what it
said: the decision that it takes because of a row must be about a row of its scope.

SQLite has one writer at a time in any case. PostgreSQL takes advisory locks for the scopes
before the first statement, always in the same order, so that two blocks never wait for each
other in a circle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """One lock. `shared`: may overlap with blocks that share it, not with those that own it."""

    parts: tuple[str, ...]
    shared: bool = False

    @property
    def key(self) -> int:
        """64 bits, signed, as PostgreSQL's advisory locks are named."""
        encoded = [part.encode("utf-8", "surrogatepass") for part in ("paraph", *self.parts)]
        whole = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest(), "big", signed=True)


NOTHING_READ = Scope(("nothing",), shared=True)
"""For a block whose every statement decides by itself: it writes nothing because of a read."""


def account(client_id: str, account_id: str, *, shared: bool = False) -> Scope:
    """All grants of one Zoom account with their links, tombstones and kept events.

    "" stands for the events without an account: a removal owns them too.

    Shared by blocks that only add, and must not be overtaken by a removal while they do.
    """
    return Scope(("account", client_id, account_id), shared)


def in_order(scopes: Iterable[Scope]) -> list[Scope]:
    """Each lock once, in the one order in which everybody takes them; owning beats sharing."""
    by_key: dict[int, Scope] = {}
    for scope in scopes:
        known = by_key.get(scope.key)
        if known is None or known.shared:
            by_key[scope.key] = scope
    return [by_key[key] for key in sorted(by_key)]
