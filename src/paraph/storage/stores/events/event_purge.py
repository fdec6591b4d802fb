"""Deletes event bodies when a user or an account is removed.

Bodies under data keys are not among them: the removal destroys their keys. So the index by account
of `kept_events` holds only rows without data keys. Deletion by user has no index of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select, update

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.event_tables import key_of
from paraph.storage.stores.events.event_columns import (
    BODY,
    as_purged,
    column_of,
    users_of_body,
)
from paraph.storage.tables import grants, kept_events

PAGE = 200


class EventPurge:
    """Deletes the bodies of Zoom's events of an account or of one of its users.

    This includes queued events and dead letters. They are marked as forwarded, so they are never
    sent. Notices stay, and so do deauthorizations: one of them may have caused the removal.

    Args:
        connection: in the transaction of the removal.
        sealing: opens the bodies of an earlier version, which alone name the users.
        events: one of the tables of events.
    """

    def __init__(self, connection: Connection, sealing: Sealing, events: Table) -> None:
        self._connection = connection
        self._sealing = sealing
        self._events = events
        self._key = key_of(events)

    async def account(self, account_id: str) -> int:
        """Delete the bodies of all events of an account. Return their number."""
        done = await self._connection.execute(
            update(self._events)
            .where(*self._with_body([account_id]))
            .values(as_purged(self._events))
        )
        return done.rowcount

    async def user(self, client_id: str, user_id: str, *, account_ids: Sequence[str]) -> int:
        """Delete the bodies of these accounts' events that concern this user. Return their number.

        If an event concerns another user who still has a grant, its body stays. This user is
        taken out of the row, so that their later installation does not receive it.
        """
        events, key = self._events, self._key
        await self._read_users(account_ids)
        one = f" {user_id} "
        named = [
            *self._with_body(account_ids),
            func.replace(events.c.concerned, one, "") != events.c.concerned,
        ]
        done = await self._connection.execute(
            update(events).where(*named, events.c.concerned == one).values(as_purged(events))
        )
        shared = (
            await self._connection.execute(
                select(key.label("key"), events.c.account_id, events.c.concerned).where(*named)
            )
        ).all()
        others = sorted({other for row in shared for other in row.concerned.split()} - {user_id})
        installed = await self._installed(client_id, others)
        alone = [
            row.key
            for row in shared
            if not any(
                other != user_id and row.account_id in ("", account_id)
                for other in row.concerned.split()
                for account_id in installed.get(other, ())
            )
        ]
        return done.rowcount + await self._finish(named, one, alone)

    async def _finish(self, named: list[ColumnElement[bool]], one: str, alone: list[Any]) -> int:
        events = self._events
        purged = 0
        for start in range(0, len(alone), PAGE):
            done = await self._connection.execute(
                update(events)
                .where(self._key.in_(alone[start : start + PAGE]))
                .values(as_purged(events))
            )
            purged += done.rowcount
        without = func.replace(events.c.concerned, one, " ")
        await self._connection.execute(update(events).where(*named).values(concerned=without))
        return purged

    async def _installed(self, client_id: str, user_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the accounts in which each of these users has a grant."""
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
        """Fill in the users of rows of an earlier version: their bodies name them."""
        events = self._events
        while True:
            rows = (
                await self._connection.execute(
                    select(events)
                    .where(*self._with_body(account_ids), events.c.concerned.is_(None))
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
            # The guess of the version that wrote the row is the best there is.
            return (row.user_id,) if row.user_id else ()
        return users_of_body(body)

    def _with_body(self, account_ids: Sequence[str]) -> list[ColumnElement[bool]]:
        events = self._events
        # A body under data keys is gone with them: the row is not touched.
        ringed = [events.c.sealed_for.is_(None)] if events is kept_events else []
        return [
            *ringed,
            events.c.account_id.in_(account_ids),
            events.c.notice.is_(False),
            events.c.urgent.is_(False),
            events.c.body.is_not(None),
        ]
