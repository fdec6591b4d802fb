"""The state of a database is read without changing it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paraph.sealing.encryption_key import new_encryption_key
from paraph.sealing.key_ring import KeyRing
from paraph.storage import schema
from paraph.storage.database import open_store
from paraph.storage.inspection import inspect_database

pytestmark = pytest.mark.anyio


async def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    """Looking at a database that does not exist yet leaves the folder empty."""
    state = await inspect_database(f"sqlite:///{tmp_path / 'paraph.db'}")

    assert not state.exists
    assert [] == os.listdir(tmp_path)  # noqa: PTH208 - A path would be called blocking.


async def test_an_opened_database_lacks_only_contracting_steps(tmp_path: Path) -> None:
    """A start applies all expanding steps, and the key that seals is named."""
    url = f"sqlite:///{tmp_path / 'paraph.db'}"
    key = new_encryption_key()
    await (await open_store(url, KeyRing.parse([key]), randomness=os.urandom)).close()
    state = await inspect_database(url)

    assert state.exists
    assert key.partition(":")[0] == state.sealing_key
    assert ((), ()) == (state.missing, state.unknown)
    assert all(map(schema.is_contracting, state.removable))


def test_steps_are_compared() -> None:
    """An empty database lacks every step, and unknown contracting steps are named."""
    empty = schema.compare_steps([])
    newer = schema.compare_steps(["9999", "c9999"])

    assert len(empty["missing"]) > 5
    assert ("c9999",) == newer["unknown"]
    assert () == newer["missing"]
