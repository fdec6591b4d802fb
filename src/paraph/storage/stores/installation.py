"""Installations: grants joined with their links, for reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select

from paraph.model.installation import Installation, InstallationCount
from paraph.model.phase import Phase
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.stores.grant import grant_of
from paraph.storage.stores.link import link_of
from paraph.storage.tables import grants, links

_AT_ONCE = 500
_PAIR = links.join(grants, grants.c.grant_id == links.c.grant_id)


class InstallationStore:
    """Grants joined with their links, for reading."""

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def page(
        self,
        client_id: str,
        *,
        subject_prefix: str = "",
        subject: str | None = None,
        account_id: str | None = None,
        user_id: str | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[Installation]:
        """Return installations with an active link after `after`, ordered by installation id."""
        where = [links.c.client_id == client_id, links.c.phase == Phase.ACTIVE.value]
        if subject_prefix:
            # Not LIKE: SQLite's ignores case, and a key limited to one tenant would see
            # another.
            start = func.substr(links.c.subject, 1, len(subject_prefix))
            where.append(start == subject_prefix)
        for column, value in (
            (links.c.subject, subject),
            (grants.c.account_id, account_id),
            (grants.c.user_id, user_id),
        ):
            if value is not None:
                where.append(column == value)
        if after:
            where.append(links.c.link_id > after)
        return await self._installations(*where, limit=limit)

    async def get(self, link_id: str) -> Installation | None:
        """Return one installation in any phase of its link."""
        found = await self._installations(links.c.link_id == link_id, limit=1)
        return found[0] if found else None

    async def active(self, link_ids: Sequence[str]) -> Sequence[Installation]:
        """Return the active ones of these links, ordered by installation id."""
        found: list[Installation] = []
        wanted = sorted(link_ids)
        for start in range(0, len(wanted), _AT_ONCE):
            found += await self._installations(
                links.c.link_id.in_(wanted[start : start + _AT_ONCE]),
                links.c.phase == Phase.ACTIVE.value,
            )
        return found

    async def count(self) -> Sequence[InstallationCount]:
        """Count the installations with an active link, by app and by the phase of their grant."""
        counted = (
            select(links.c.client_id, grants.c.phase, func.count())
            .select_from(_PAIR)
            .where(links.c.phase == Phase.ACTIVE.value)
            .group_by(links.c.client_id, grants.c.phase)
            .order_by(links.c.client_id, grants.c.phase)
        )
        rows: Any = await self._connection.execute(counted)
        return [InstallationCount(app, Phase(phase), number) for app, phase, number in rows]

    async def _installations(self, *where: Any, limit: int | None = None) -> list[Installation]:
        chosen: Select[Any] = (
            select(links.c.link_id, links.c.grant_id)
            .select_from(_PAIR)
            .where(*where)
            .order_by(links.c.link_id)
        )
        if limit is not None:
            chosen = chosen.limit(limit)
        rows = (await self._connection.execute(chosen)).all()
        if not rows:
            return []
        link_rows = await self._connection.execute(
            select(links).where(links.c.link_id.in_([row.link_id for row in rows]))
        )
        grant_rows = await self._connection.execute(
            select(grants).where(grants.c.grant_id.in_({row.grant_id for row in rows}))
        )
        by_link = {row.link_id: link_of(row) for row in link_rows}
        by_grant = {row.grant_id: grant_of(row, self._sealing) for row in grant_rows}
        return [Installation(by_grant[row.grant_id], by_link[row.link_id]) for row in rows]
