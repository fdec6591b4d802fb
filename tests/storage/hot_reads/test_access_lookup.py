"""The read behind every vend: what it says is true at this moment, on every kind of store."""

from __future__ import annotations

import asyncio
import os

import pytest

from paraph.errors import StorageError
from paraph.model.management import ApiKey
from paraph.model.phase import Phase
from paraph.storage.database import Database, open_store
from storage import sample

pytestmark = pytest.mark.anyio

KEY = ApiKey("k" * 12, b"h" * 32, "test", frozenset({"vend", "read"}), "tenant:", 1)


async def fill(store: Database) -> None:
    """One key, one installation."""
    async with store.transaction() as tx:
        await tx.api_keys.add(KEY)
        await tx.grants.add(sample.grant())
        await tx.links.add(sample.link(phase=Phase.ACTIVE))


async def test_key_and_installation_in_one_read(store: Database) -> None:
    """Everything that a vend decides by, and the access token, sealed until it is opened."""
    await fill(store)
    grant, link = sample.grant(), sample.link(phase=Phase.ACTIVE)
    row = await store.read_access(KEY.key_id, link.link_id)
    assert (KEY.secret_hash, "read vend", "tenant:", None, None) == (
        bytes(row.key_secret_hash or b""),
        *row[1:5],
    )
    assert (link.client_id, link.subject, "active", grant.grant_id, "active", grant.reason) == (
        row.client_id,
        row.subject,
        row.link_phase,
        row.grant_id,
        row.grant_phase,
        row.reason,
    )
    assert (grant.token_version, grant.tokens.access_expires_at, grant.tokens.api_server) == (
        row.token_version,
        row.access_expires_at,
        row.api_server,
    )
    assert grant.tokens.access_token == store.open_access_token(row)
    assert grant.tokens.access_token.reveal().encode() not in bytes(row.sealed_access_token or b"")


async def test_what_is_not_there_is_none(store: Database) -> None:
    """No key, no installation, or neither: a row all the same, and nothing to open."""
    await fill(store)
    link_id = sample.link().link_id
    assert None is (await store.read_access("", link_id)).key_secret_hash
    nothing = await store.read_access("unknown", "unknown")
    assert {None} == set(nothing)
    with pytest.raises(StorageError):
        store.open_access_token(nothing)


async def test_what_another_process_wrote_counts_at_once(
    store: Database, database_url: str
) -> None:
    """A removal, a phase or a revoked key of another store is seen by the very next read."""
    await fill(store)
    link_id, grant_id = sample.link().link_id, sample.grant().grant_id
    assert "active" == (await store.read_access(KEY.key_id, link_id)).grant_phase
    other = await open_store(database_url, sample.ring(), randomness=os.urandom)
    try:
        for number in range(20):
            phase = Phase.UNDECIDED if number % 2 == 0 else Phase.ACTIVE
            async with other.transaction() as tx:
                await tx.grants.set_phase(grant_id, phase)
            assert phase.value == (await store.read_access(KEY.key_id, link_id)).grant_phase
        async with other.transaction() as tx:
            await tx.api_keys.revoke(KEY.key_id, now=9)
        assert 9 == (await store.read_access(KEY.key_id, link_id)).key_revoked_at
        async with other.transaction() as tx:
            await tx.grants.delete(grant_id)
        assert None is (await store.read_access(KEY.key_id, link_id)).subject
    finally:
        await other.close()


async def test_many_at_once_get_their_own(store: Database) -> None:
    """However many ask together, each gets the answer to its own question."""
    await fill(store)
    link = sample.link(phase=Phase.ACTIVE)
    asked = [link.link_id if number % 3 else f"unknown-{number}" for number in range(700)]
    rows = await asyncio.gather(*(store.read_access(KEY.key_id, one) for one in asked))
    assert [link.subject if number % 3 else None for number in range(700)] == [
        row.subject for row in rows
    ]


async def test_a_closed_store_fails_every_lookup(store: Database) -> None:
    """After close() a read is a `StorageError`, as everywhere."""
    await fill(store)
    await store.close()
    with pytest.raises(StorageError):
        await store.read_access(KEY.key_id, sample.link().link_id)
