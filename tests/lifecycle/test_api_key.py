"""API keys: how they read, and recognising one whose secret part is known by its hash alone."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from databases import new_sqlite
from events.inbox_kit import open_context
from paraph.errors import ApiKeyMissing
from paraph.lifecycle.api_key import (
    ApiKeys,
    Presented,
    create_key,
    parse_key,
    present,
    revoke_key,
)
from paraph.lifecycle.context import Context

pytestmark = pytest.mark.anyio

ID, SECRET = "a1b2c3d4e5f6", "s" * 43


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    """An empty store."""
    async with open_context(new_sqlite(tmp_path / "paraph.db"), installed=False) as found:
        yield found


async def test_a_typed_key_reads_as_a_presented_one() -> None:
    """In a form as in the header."""
    key = f"paraph_{ID}_{SECRET}"
    assert Presented(ID, SECRET.encode()) == parse_key(key)
    assert parse_key(key) == present([(b"authorization", f"Bearer {key}".encode())])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "paraph_",
        f"paraph_{ID}_{SECRET}x",
        f"paraph_{ID}_{SECRET}\n",
        f" paraph_{ID}_{SECRET}",
        f"Bearer paraph_{ID}_{SECRET}",
        f"paraph_{ID}_{'é' * 43}",
        "\ud800",
        "\0",
    ],
)
async def test_what_is_no_key_is_missing(text: str) -> None:
    """Whatever somebody pastes."""
    with pytest.raises(ApiKeyMissing):
        parse_key(text)


async def test_the_hash_proves_it_as_long_as_it_is_live(context: Context) -> None:
    """Another hash does not, nor the right one once the key is revoked."""
    presented = parse_key((await create_key(context, label="a", scopes=["read"])).reveal())
    keys, right = ApiKeys(context), hashlib.sha256(presented.secret).digest()
    row = await context.store.read_access(presented.key_id, "")
    assert keys.recognise(presented, row) == keys.recognise_hash(presented.key_id, right, row)
    with pytest.raises(ApiKeyMissing):
        keys.recognise_hash(presented.key_id, bytes(32), row)
    await revoke_key(context, presented.key_id)
    row = await context.store.read_access(presented.key_id, "")
    with pytest.raises(ApiKeyMissing):
        keys.recognise_hash(presented.key_id, right, row)
    row = await context.store.read_access("0" * 12, "")
    with pytest.raises(ApiKeyMissing):
        keys.recognise_hash("0" * 12, bytes(32), row)
