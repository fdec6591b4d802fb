"""Whole tables, row by row: for backups, and for the new epoch after a restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    LargeBinary,
    Table,
    column,
    delete,
    func,
    insert,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy import Text as AnyText

from paraph.model.grant import GRANT_TRANSITIONS, GrantEvent, ZoomIdentity
from paraph.model.phase import Phase
from paraph.storage.connection import Connection
from paraph.storage.event_tables import EVENT_TABLES, EventTables
from paraph.storage.tables import (
    database_identity,
    events,
    former_events,
    given_answers,
    grants,
    link_requests,
    links,
    metadata,
)

# Not in a backup: running replicas and refreshes in progress.
_NOT_KEPT = {"replicas", "refresh_attempts"}


class TableStore:
    """Whole tables, for backups, and for the new epoch after a restore."""

    def __init__(self, connection: Connection, tables: EventTables) -> None:
        self._connection = connection
        absent = {str(one.name) for one in EVENT_TABLES} - {one.name for one in tables.all}
        self._left_out = _NOT_KEPT | absent

    def tables(self) -> Mapping[str, Mapping[str, str]]:
        """Return the columns and kinds of every table of a backup, referenced tables first."""
        return {
            # As str: SQLAlchemy's names are a class of their own.
            str(one.name): {str(each.name): _kind(each.type) for each in one.columns}
            for one in metadata.sorted_tables
            if one.name not in self._left_out
        }

    async def revision(self) -> str:
        """Return the schema's newest expanding step."""
        version = column("version_num", AnyText)
        statement = (
            select(version)
            .select_from(table("alembic_version", version))
            .where(~version.startswith("c"))
        )
        return str((await self._connection.execute(statement)).scalar_one())

    async def count(self) -> int:
        """Count the rows of all tables of a backup."""
        total = 0
        for name in self.tables():
            rows = select(func.count()).select_from(metadata.tables[name])
            total += (await self._connection.execute(rows)).scalar_one()
        return total

    async def page(
        self, name: str, *, after: Sequence[Any] | None, limit: int
    ) -> Sequence[tuple[Sequence[Any], Sequence[Any]]]:
        """Return rows of a table with their keys, in the order of the keys, after `after`."""
        one = metadata.tables[name]
        key = tuple(one.primary_key.columns)
        statement = select(one).order_by(*key).limit(limit)
        if after is not None:
            statement = statement.where(_behind(one, after))
        rows = await self._connection.execute(statement)
        places = [list(one.columns).index(each) for each in key]
        return [([row[place] for place in places], tuple(row)) for row in rows]

    async def add(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of a backup, whose schema may be older than this code's."""
        # It has its later name after the step c0001 alone, which follows the last row.
        loaded = events.name if name == former_events.name else name
        target = table(loaded, *(column(each) for each in columns))
        values = [dict(zip(columns, row, strict=True)) for row in rows]
        await self._connection.execute(insert(target), values)

    async def begin_epoch(self, number: int, *, now: int) -> None:
        """Record the beginning of an epoch."""
        await self._connection.execute(
            update(database_identity).values(epoch=number, epoch_began_at=now)
        )

    async def suspend_grants(self, *, reason: str) -> int:
        """Suspend active grants until a refresh has proved them. Return their number."""
        suspended = 0
        for before in GRANT_TRANSITIONS.before(GrantEvent.RESTORED):
            phase = GRANT_TRANSITIONS.after(before, GrantEvent.RESTORED)
            done = await self._connection.execute(
                update(grants)
                .where(grants.c.phase == before.value)
                .values(phase=phase.value, reason=reason)
            )
            suspended += done.rowcount
        return suspended

    async def end_pending(self, *, now: int) -> None:
        """End everything that was begun and not finished: its codes may have been used."""
        await self._connection.execute(delete(link_requests))
        await self._connection.execute(delete(given_answers))
        await self._connection.execute(
            update(links)
            .where(links.c.phase == Phase.PENDING.value)
            .values(expires_at=now, handoff_expires_at=now)
        )

    async def identities(self) -> Mapping[str, ZoomIdentity]:
        """Return the owner of every grant, by grant id."""
        owner = grants.c.client_id, grants.c.account_id, grants.c.user_id
        rows = await self._connection.execute(select(grants.c.grant_id, *owner))
        return {
            row.grant_id: ZoomIdentity(row.client_id, row.account_id, row.user_id) for row in rows
        }


def _behind(one: Table, after: Sequence[Any]) -> Any:
    key = tuple(one.primary_key.columns)
    return key[0] > after[0] if len(key) == 1 else tuple_(*key) > tuple_(*after)


def _kind(kind: object) -> str:
    if isinstance(kind, LargeBinary):
        return "bytes"
    return "bool" if isinstance(kind, Boolean) else "value"
