"""An open store of each kind."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from databases import new_sqlite
from paraph.storage.database import Database, open_store
from storage.sample import ring


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    """An open, empty store, of each kind."""
    opened = await open_store(database_url, ring(), randomness=os.urandom, now=1_000)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[Database]:
    """An open, empty store in a file."""
    url = new_sqlite(tmp_path / "paraph.db")
    opened = await open_store(url, ring(), randomness=os.urandom, now=1_000)
    yield opened
    await opened.close()
