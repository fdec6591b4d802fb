"""Deletion of event bodies with the removal of a user or an account.

Deleting by user needs no index of its own: removals are rare, and reading the events of one
account then is cheaper than an index entry for every event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.storage.connection import Connection
from paraph.storage.event_columns import BODY, column_of, users_of_body
from paraph.storage.records import EventStatus
from paraph.storage.sealing import Sealing
from paraph.storage.tables import events, grants

PAGE = 200
_PURGED = {"body": None, "status": EventStatus.HANDED_ON.value, "failure": "purged"}


class EventPurge:
    """Deletes the bodies of Zoom's events with an account or with one of its users.

    Queued events and dead letters are among them. They become forwarded, so that nothing of them
    is sent. Notices stay, and deauthorizations too: the removal may be the work of one of them.
    """

    def __init__(self, connection: Connection, sealing: Sealing) -> None:
        self._connection = connection
        self._sealing = sealing

    async def account(self, account_id: str) -> int:
        """Delete the bodies of all events of an account; the number of them."""
        done = await self._connection.execute(
            update(events).where(*_with_body([account_id])).values(**_PURGED)
        )
        return done.rowcount

    async def user(self, client_id: str, user_id: str, *, account_ids: Sequence[str]) -> int:
        """Delete the bodies of these accounts' events that concern this user; the number of them.

        Where an event concerns another user who still has a grant its body stays. This user is
        taken out of the row, so that a later installation of theirs does not receive it.
        """
        await self._read_users(account_ids)
        one = f" {user_id} "
        named = [
            *_with_body(account_ids),
            func.replace(events.c.concerned, one, "") != events.c.concerned,
        ]
        done = await self._connection.execute(
            update(events).where(*named, events.c.concerned == one).values(**_PURGED)
        )
        shared = (
            await self._connection.execute(
                select(events.c.event_id, events.c.account_id, events.c.concerned).where(*named)
            )
        ).all()
        others = sorted({other for row in shared for other in row.concerned.split()} - {user_id})
        installed = await self._installed(client_id, others)
        alone = [
            row.event_id
            for row in shared
            if not any(
                other != user_id and row.account_id in ("", account_id)
                for other in row.concerned.split()
                for account_id in installed.get(other, ())
            )
        ]
        return done.rowcount + await self._finish(named, one, alone)

    async def _finish(self, named: list[ColumnElement[bool]], one: str, alone: list[str]) -> int:
        purged = 0
        for start in range(0, len(alone), PAGE):
            done = await self._connection.execute(
                update(events)
                .where(events.c.event_id.in_(alone[start : start + PAGE]))
                .values(**_PURGED)
            )
            purged += done.rowcount
        without = func.replace(events.c.concerned, one, " ")
        await self._connection.execute(update(events).where(*named).values(concerned=without))
        return purged

    async def _installed(self, client_id: str, user_ids: Sequence[str]) -> dict[str, list[str]]:
        """The accounts in which each of these users has a grant."""
        found: dict[str, list[str]] = {}
        for start in range(0, len(user_ids), PAGE):
            rows = await self._connection.execute(
                select(grants.c.user_id, grants.c.account_id).where(
                    grants.c.client_id == client_id,
                    grants.c.user_id.in_(user_ids[start : start + PAGE]),
                )
            )
            for row in rows:
                found.setdefault(row.user_id, []).append(row.account_id)
        return found

    async def _read_users(self, account_ids: Sequence[str]) -> None:
        """Note the users of rows that an earlier version wrote: their bodies name them."""
        while True:
            rows = (
                await self._connection.execute(
                    select(events)
                    .where(*_with_body(account_ids), events.c.concerned.is_(None))
                    .limit(PAGE)
                )
            ).all()
            for row in rows:
                await self._connection.execute(
                    update(events)
                    .where(events.c.event_id == row.event_id)
                    .values(concerned=column_of(self._users_of(row)))
                )
            if len(rows) < PAGE:
                return

    def _users_of(self, row: Any) -> tuple[str, ...]:
        try:
            body = self._sealing.open(BODY, row.event_id, row.body)
        except (SealBroken, UnknownEncryptionKey):
            # The guess of the version that wrote it is better than nothing.
            return (row.user_id,) if row.user_id else ()
        return users_of_body(body)


def _with_body(account_ids: Sequence[str]) -> list[ColumnElement[bool]]:
    return [
        events.c.account_id.in_(account_ids),
        events.c.notice.is_(False),
        events.c.urgent.is_(False),
        events.c.body.is_not(None),
    ]
