"""Links and link requests in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, literal_column, select, update

from paraph.errors import Conflict
from paraph.model.link import Link, LinkRequest, Proof
from paraph.model.phase import Phase
from paraph.storage.connection import Connection
from paraph.storage.tables import link_requests, links

# A literal: a partial index is not used with a bound parameter.
_PENDING: Any = literal_column(f"'{Phase.PENDING.value}'")


class LinkStore:
    """Links, and the link requests that begin them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add_request(self, request: LinkRequest) -> None:
        """Store a link request."""
        await self._connection.execute(insert(link_requests).values(**asdict(request)))

    async def peek_request(self, request_hash: bytes, *, now: int) -> LinkRequest | None:
        """Return a live request without using it up."""
        row = (
            await self._connection.execute(
                select(link_requests).where(*_live_request(request_hash, now))
            )
        ).first()
        return None if row is None else LinkRequest(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name.

    async def take_request(self, request_hash: bytes, *, now: int) -> LinkRequest | None:
        """Use a request up: of parallel callers, one gets it. None if it was used or expired."""
        row = (
            await self._connection.execute(
                delete(link_requests)
                .where(*_live_request(request_hash, now))
                .returning(*link_requests.c)
            )
        ).first()
        return None if row is None else LinkRequest(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name.

    async def add(self, link: Link) -> None:
        """Insert a link. Raise `Conflict` for a second active one of its grant or subject."""
        await self._connection.execute(insert(links).values(**_columns(link)))

    async def get(self, link_id: str) -> Link | None:
        """Return a link by its id."""
        return await self._one(links.c.link_id == link_id)

    async def active_for_grant(self, grant_id: str) -> Link | None:
        """Return the active link of a grant."""
        return await self._one(links.c.grant_id == grant_id, links.c.phase == Phase.ACTIVE.value)

    async def any_for_grant(self, grant_id: str) -> bool:
        """Return True if any link, pending or active, needs the grant."""
        found = await self._connection.execute(
            select(links.c.link_id).where(links.c.grant_id == grant_id).limit(1)
        )
        return found.first() is not None

    async def for_grant(self, grant_id: str) -> Sequence[Link]:
        """Return all links of a grant, pending and active, oldest first."""
        rows = await self._connection.execute(
            select(links)
            .where(links.c.grant_id == grant_id)
            .order_by(links.c.created_at, links.c.link_id)
        )
        return [link_of(row) for row in rows]

    async def requests_of(self, subjects: Sequence[str]) -> Sequence[LinkRequest]:
        """Return the link requests of some subjects, soonest expiry first."""
        rows = await self._connection.execute(
            select(link_requests)
            .where(link_requests.c.subject.in_(subjects))
            .order_by(link_requests.c.expires_at)
        )
        return [LinkRequest(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name.

    async def active_for_subject(self, client_id: str, subject: str) -> Link | None:
        """Return the active link of a subject."""
        return await self._one(
            links.c.client_id == client_id,
            links.c.subject == subject,
            links.c.phase == Phase.ACTIVE.value,
        )

    async def find_handoff(self, handoff_hash: bytes, *, now: int) -> Link | None:
        """Return the pending link of a live handoff, without using the handoff up."""
        return await self._one(
            links.c.handoff_hash == handoff_hash,
            links.c.handoff_expires_at > now,
            links.c.phase == Phase.PENDING.value,
        )

    async def use_handoff(self, link_id: str, *, claim_hash: bytes) -> bool:
        """Clear the handoff and set the claim. Return False if another caller did so before."""
        done = await self._connection.execute(
            update(links)
            .where(links.c.link_id == link_id, links.c.handoff_hash.is_not(None))
            .values(handoff_hash=None, handoff_expires_at=None, claim_hash=claim_hash)
        )
        return done.rowcount == 1

    async def find_claim(self, claim_hash: bytes, *, now: int) -> Link | None:
        """Return the pending link of a live claim."""
        return await self._one(
            links.c.claim_hash == claim_hash,
            links.c.expires_at > now,
            links.c.phase == Phase.PENDING.value,
        )

    async def update(self, link: Link) -> None:
        """Write subject, phase, proofs, times and hashes. Raise `Conflict` if the row is gone."""
        done = await self._connection.execute(
            update(links).where(links.c.link_id == link.link_id).values(**_columns(link))
        )
        if done.rowcount != 1:
            raise Conflict("the link was removed meanwhile")

    async def delete(self, link_id: str) -> bool:
        """Delete a link. Return False if there was no row."""
        done = await self._connection.execute(delete(links).where(links.c.link_id == link_id))
        return done.rowcount == 1

    async def expired(self, *, now: int, limit: int) -> Sequence[Link]:
        """Return pending links that have expired."""
        rows = await self._connection.execute(
            select(links)
            .where(links.c.phase == _PENDING, links.c.expires_at <= now)
            .order_by(links.c.expires_at)
            .limit(limit)
        )
        return [link_of(row) for row in rows]

    async def delete_expired_requests(self, *, now: int) -> int:
        """Delete link requests that have expired."""
        done = await self._connection.execute(
            delete(link_requests).where(link_requests.c.expires_at <= now)
        )
        return done.rowcount

    async def _one(self, *where: Any) -> Link | None:
        row = (await self._connection.execute(select(links).where(*where))).first()
        return None if row is None else link_of(row)


def _live_request(request_hash: bytes, now: int) -> tuple[Any, Any]:
    return link_requests.c.request_hash == request_hash, link_requests.c.expires_at > now


def _columns(link: Link) -> dict[str, Any]:
    columns = asdict(link)
    del columns["proofs"]
    proofs = msgspec.json.encode([(one.name, one.held_at, one.word) for one in link.proofs])
    return {**columns, "phase": link.phase.value, "rungs": proofs.decode()}


def link_of(row: Row[Any]) -> Link:
    """Build a link from a row that holds the columns of `links`."""
    values = {column.name: getattr(row, column.name) for column in links.columns}
    proofs = msgspec.json.decode(values.pop("rungs"))
    values |= {"phase": Phase(row.phase), "proofs": tuple(Proof(*proof) for proof in proofs)}
    return Link(**values)
