"""Databases for tests: the schema is made once in a process, and each test gets a copy.

A copy has all tables and not one row, so that opening it draws a database id and keys of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
import threading
from functools import cache
from pathlib import Path

from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing
from paraph.storage import schema
from paraph.storage.connection import finish
from paraph.storage.database import engine_for, open_store
from tampering import tamper

# Opening a database writes to these; everything else that a migration makes is the schema.
_DRAWN_AT_OPENING = ("database_identity", "key_turns", "stored_keys")


def make_schema(url: str) -> None:
    """Bring a database to the newest schema, and leave every table empty."""
    # In a thread of its own: the caller may be inside an event loop.
    thread = threading.Thread(target=asyncio.run, args=(_make_schema(url),))
    thread.start()
    thread.join()


async def _make_schema(url: str) -> None:
    ring = KeyRing.parse([new_encryption_key()])
    store = await open_store(url, ring, randomness=os.urandom)
    await store.close()
    await tamper(url, *(f"DELETE FROM {table}" for table in _DRAWN_AT_OPENING))


async def expand_schema(url: str) -> None:
    """Bring a database to the schema before `paraph migrate`, which version 0.1 can use as well."""
    engine = engine_for(url)
    async with engine.migrating() as connection:
        await finish(connection.run_sync(schema.expand))
    await engine.dispose()


@cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="paraph-schema-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "paraph.db"
    make_schema(f"sqlite:///{file}")
    return file


def new_sqlite(file: Path) -> str:
    """The URL of a database in a file: with all tables and no row, where there is no file yet."""
    if not file.exists():
        shutil.copy(_sqlite_template(), file)
    return f"sqlite:///{file}"
