"""The target of `make attack` on PostgreSQL: each folder of an environment has its own database.

python postgresql_target.py FOLDER start | stored | cells TABLE COLUMN CELLS
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import runpy
import secrets
import sys
from pathlib import Path
from typing import Any

import asyncpg

# The environment variable with the server's URL.
SERVER = "POSTGRESQL_FOR_ATTACKS"
# The key column of each table.
KEYS = {"grants": "grant_id"}


def url_of(folder: str) -> str:
    """Return the URL of a folder's database; an emptied folder gets another one."""
    note = Path(folder) / "database"
    if not note.exists():
        name = f"check_{secrets.token_hex(8)}"
        asyncio.run(_make(name))
        note.write_text(name)
    return f"{os.environ[SERVER]}/{note.read_text()}"


async def _make(name: str) -> None:
    connection = await asyncpg.connect(f"{os.environ[SERVER]}/postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


async def _stored(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    tables = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    rows = [row for (one,) in tables for row in await connection.fetch(f"SELECT * FROM {one}")]
    await connection.close()
    return [_text(value) for row in rows for value in row]


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


async def _cells(url: str, table: str, column: str, cells: str) -> list[tuple[str, str]]:
    connection = await asyncpg.connect(url)
    key = KEYS[table]
    for row, value in json.loads(cells or "[]"):
        await connection.execute(
            f"UPDATE {table} SET {column} = $1 WHERE {key} = $2", base64.b64decode(value), row
        )
    rows = await connection.fetch(f"SELECT {key}, {column} FROM {table} ORDER BY {key}")
    await connection.close()
    return [(row[0], base64.b64encode(row[1]).decode()) for row in rows]


def main(folder: str, act: str, *words: str) -> None:
    """Start the target with its own database, or read from that."""
    url = url_of(folder)
    if act == "start":
        os.environ["TARGET_DATABASE_URL"] = url
        sys.argv[1:] = []
        runpy.run_module("end_to_end.target.host", run_name="__main__", alter_sys=True)
        return
    found: Any = asyncio.run(_stored(url) if act == "stored" else _cells(url, *words))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
