"""The data keys of event bodies: which rows name them, and which bodies can still be opened.

`kept_events.sealed_for` is a JSON list with the id of one data key for each owner of the event, or
null for an owner without a key at its arrival. NULL is a row whose body the key ring seals: that of
a notice or a deauthorization, and of an event of an account or a user without a grant.

A removal deletes data keys and changes no row. So a row whose keys are all gone counts as one
without a body, wherever rows are counted, listed, claimed or opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, Table, select, true

from paraph.errors import SealBroken
from paraph.sealing.data_key import SealedDataKey
from paraph.storage.connection import Connection
from paraph.storage.tables import data_keys, kept_events

DATA_KEY_COLUMNS = tuple(data_keys.c[name] for name in SealedDataKey._fields)
_decoder = msgspec.json.Decoder(tuple[str | None, ...])


def sealed_for_column(key_ids: Iterable[str | None]) -> str | None:
    """Return the value of `sealed_for` for the keys of an event's owners."""
    ids = list(key_ids)
    return msgspec.json.encode(ids).decode() if any(ids) else None


def sealed_for_in(column: str | None) -> tuple[str | None, ...] | None:
    """Return the keys of a value of `sealed_for`.

    Raises:
        SealBroken: the value is damaged.
    """
    try:
        return None if column is None else _decoder.decode(column)
    except msgspec.MsgspecError:
        raise SealBroken("the column sealed_for is damaged") from None


def present(sealed_for: Sequence[str | None] | None) -> tuple[str, ...]:
    """Return the ids of the keys that seal a body."""
    return tuple(one for one in sealed_for or () if one is not None)


def is_readable(connection: Connection, events: Table) -> ColumnElement[bool]:
    """Build the condition that a body, if the row has one, was not destroyed with its keys.

    A row with a damaged `sealed_for` meets it, and its body cannot be opened.
    """
    if events is not kept_events:
        return true()
    column = events.c.sealed_for
    return column.is_(None) | connection.has_one_of(column, data_keys.c.key_id)


async def living_keys(
    connection: Connection, key_ids: Sequence[str]
) -> Mapping[str, SealedDataKey]:
    """Return those of these data keys that exist."""
    rows = await connection.execute(
        select(*DATA_KEY_COLUMNS).where(connection.any_of(data_keys.c.key_id, key_ids))
    )
    return {row.key_id: SealedDataKey._make(row) for row in rows}
