"""A fresh database for each test, of each kind that there is."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from paraph.storage.database import Database, open_store
from storage.sample import ring

# Every test that takes `database_url` or `store` runs once for each of these kinds.
KINDS = ["sqlite"]


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that does not exist yet."""
    assert request.param == "sqlite"
    return f"sqlite:///{tmp_path / 'paraph.db'}"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    """An open, empty store."""
    opened = await open_store(database_url, ring(), randomness=os.urandom, now=1_000)
    yield opened
    await opened.close()
