"""Lists every sealed column, counts their values by key, seals them again, and opens rows.

A sealed column missing here would keep an old key in use for ever, unnoticed. A test compares
this list with the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, LargeBinary, case, func, literal, not_, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.logs import get_logger
from paraph.model.deployment import SealedValue
from paraph.sealing.key_ring import DAY_SECONDS, KeyRing, headers_of
from paraph.sealing.row import Sealing
from paraph.storage.connection import Connection
from paraph.storage.event_tables import EVENT_TABLES, EventTables
from paraph.storage.stores.events.event_columns import BODY
from paraph.storage.tables import (
    data_keys,
    events,
    former_events,
    given_answers,
    grants,
    kept_events,
    ownerless_tokens,
    revocations,
    stored_keys,
)

SealedRow = TypeVar("SealedRow")
Opened = TypeVar("Opened")

_log = get_logger("storage")


def open_rows(rows: Iterable[SealedRow], opened: Callable[[SealedRow], Opened]) -> list[Opened]:
    """Open the rows that can be opened, and log the others so that they do not block the rest."""
    found = []
    for row in rows:
        try:
            found.append(opened(row))
        except (SealBroken, UnknownEncryptionKey) as error:
            _log.error("row.not_opened", error_code=error.code, remedy=error.remedy)
    return found


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One column; `bound_to` are the columns that its values are bound to, the key first.

    `dated_by` holds the epoch seconds of the day whose key seals it, if each day has its own.
    `sealed_as` is the place in the associated data, if a value moves between tables unopened.
    `key` is the primary key, if that is not the first of `bound_to`. Where `unless` is not NULL the
    value is sealed with data keys, so no key of the key ring opens it.
    """

    column: Column[Any]
    bound_to: tuple[Column[Any], ...]
    dated_by: Column[Any] | None = None
    sealed_as: str = ""
    key: Column[Any] | None = None
    unless: Column[Any] | None = None

    @property
    def place(self) -> str:
        """The column's name, in the associated data too unless `sealed_as` says another."""
        return f"{self.column.table.name}.{self.column.name}"

    @property
    def row_key(self) -> Column[Any]:
        """The column by which a row is found."""
        return self.bound_to[0] if self.key is None else self.key

    @property
    def is_ringed(self) -> ColumnElement[bool]:
        """The condition that a row has a value, and a key of the key ring seals it."""
        has_value = self.column.is_not(None)
        return has_value if self.unless is None else has_value & self.unless.is_(None)


SEALED_COLUMNS: Mapping[str, SealedColumn] = {
    one.place: one
    for one in (
        SealedColumn(grants.c.access_token, (grants.c.grant_id,)),
        SealedColumn(grants.c.refresh_token, (grants.c.grant_id,)),
        SealedColumn(
            grants.c.profile,
            (grants.c.grant_id, grants.c.client_id, grants.c.account_id, grants.c.user_id),
        ),
        SealedColumn(ownerless_tokens.c.tokens, (ownerless_tokens.c.ownerless_id,)),
        SealedColumn(revocations.c.token, (revocations.c.revocation_id,)),
        SealedColumn(events.c.body, (events.c.event_id,), events.c.received_at, BODY),
        # Before the table to which its rows move: a rotation takes one column after the other.
        SealedColumn(
            former_events.c.body, (former_events.c.event_id,), former_events.c.received_at, BODY
        ),
        SealedColumn(
            kept_events.c.body,
            (kept_events.c.event_id,),
            kept_events.c.received_at,
            BODY,
            kept_events.c.position,
            kept_events.c.sealed_for,
        ),
        SealedColumn(
            data_keys.c.sealed,
            (
                data_keys.c.key_id,
                data_keys.c.client_id,
                data_keys.c.account_id,
                data_keys.c.user_id,
            ),
        ),
        SealedColumn(given_answers.c.body, (given_answers.c.answer_id,)),
        SealedColumn(stored_keys.c.sealed, (stored_keys.c.name,)),
    )
}


class SealedStore:
    """All sealed columns, for re-encryption."""

    def __init__(self, connection: Connection, sealing: Sealing, tables: EventTables) -> None:
        self._connection = connection
        self._sealing = sealing
        self._absent = {str(one.name) for one in EVENT_TABLES} - {one.name for one in tables.all}

    @property
    def places(self) -> Sequence[str]:
        """Return every sealed column of this database, as "table.column"."""
        return tuple(
            place
            for place, one in SEALED_COLUMNS.items()
            if one.column.table.name not in self._absent
        )

    async def counts(self, place: str, key_ids: Sequence[str]) -> Mapping[str, int]:
        """Count a column's values by the key that they name, including keys not asked about."""
        sealed = SEALED_COLUMNS[place]
        column = sealed.column
        found: dict[str, int] = {}
        wanted = list(dict.fromkeys(key_ids))
        while wanted:
            found |= await self._count(sealed, wanted)
            stranger = (
                await self._connection.execute(
                    select(column)
                    .where(sealed.is_ringed, *(not_(_names(column, key)) for key in found))
                    .limit(1)
                )
            ).scalar()
            # A ring has few keys, so an unknown one is identified by reading one of its values.
            wanted = [] if stranger is None else [KeyRing.key_id_of(bytes(stranger))]
        return {key: count for key, count in found.items() if count}

    async def _count(self, sealed: SealedColumn, key_ids: Sequence[str]) -> dict[str, int]:
        sums = [func.sum(case((_names(sealed.column, key), 1), else_=0)) for key in key_ids]
        row = (await self._connection.execute(select(*sums).where(sealed.is_ringed))).one()
        return {key: int(count or 0) for key, count in zip(key_ids, row, strict=True)}

    async def outdated(self, place: str, *, after: str | int, limit: int) -> Sequence[SealedValue]:
        """Return values not sealed with the sealing key, by row, after `after` ("": all)."""
        sealed = SEALED_COLUMNS[place]
        key = sealed.row_key
        dated_by: Any = literal(0) if sealed.dated_by is None else sealed.dated_by
        rows: Any = await self._connection.execute(
            select(sealed.column, dated_by, key, *sealed.bound_to)
            .where(
                *([key > after] if after else []),
                sealed.is_ringed,
                not_(_names(sealed.column, self._sealing.ring.key_id)),
            )
            .order_by(key)
            .limit(limit)
        )
        return [
            SealedValue(
                place,
                tuple(row[3:]),
                bytes(row[0]),
                None if sealed.dated_by is None else row[1] // DAY_SECONDS,
                None if sealed.key is None else row[2],
            )
            for row in rows
        ]

    async def reseal(self, value: SealedValue) -> bool:
        """Seal a value with the sealing key, unless its row was written or deleted meanwhile.

        Raises:
            UnknownEncryptionKey, SealBroken: it cannot be opened; it stays unchanged.
        """
        sealed = SEALED_COLUMNS[value.place]
        row_id, *bound = value.row
        place = sealed.sealed_as or value.place
        plaintext = self._sealing.open(place, row_id, value.sealed, *bound)
        resealed = self._sealing.seal_on(value.day, place, row_id, plaintext, *bound)
        changed = await self._connection.execute(
            update(sealed.column.table)
            .where(sealed.row_key == value.row_key, sealed.column == value.sealed)
            .values({sealed.column.name: resealed})
        )
        return changed.rowcount == 1


def _names(column: Column[Any], key_id: str) -> ColumnElement[bool]:
    return or_(
        *(
            func.substr(column, 1, len(header)) == literal(header, LargeBinary)
            for header in headers_of(key_id)
        )
    )
