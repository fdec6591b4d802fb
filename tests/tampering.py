"""SQL behind paraph's back, on either kind of database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import asyncpg


async def tamper(url: str, *statements: str) -> Sequence[Sequence[Any]]:
    """Run SQL as somebody who has the database and not the key; the rows of the last one."""
    if url.startswith("sqlite"):
        # In a thread: the loop must go on, or what holds the write lock there never lets go of it.
        return await asyncio.to_thread(_on_sqlite, url.removeprefix("sqlite:///"), statements)
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            rows = [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()
    return rows


def _on_sqlite(path: str, statements: Sequence[str]) -> Sequence[Sequence[Any]]:
    with closing(sqlite3.connect(path)) as plain, plain:
        for statement in statements:
            rows: Sequence[Sequence[Any]] = plain.execute(statement).fetchall()
    return rows
