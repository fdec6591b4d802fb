"""Grants without data keys get them at the next start, and keys without a grant go."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from events.inbox_kit import open_context
from paraph.lifecycle.context import Context
from paraph.operations import data_keys
from paraph.operations.data_keys import add_data_keys, destroy_unowned_data_keys
from storage import sample
from tampering import tamper

pytestmark = pytest.mark.anyio


@pytest.fixture
async def context(database_url: str) -> AsyncIterator[Context]:
    """A store with three grants that an earlier version added."""
    async with open_context(database_url, installed=False) as context:
        async with context.store.transaction() as tx:
            for mark in "123":
                await tx.grants.add(sample.grant(mark))
        yield context


async def owners(url: str) -> set[tuple[str, ...]]:
    """The owners of all data keys: account and user."""
    rows = await tamper(url, "SELECT account_id, user_id FROM data_keys")
    assert len(rows) == len(set(rows))
    return {tuple(row) for row in rows}


def behind(*marks: str) -> set[tuple[str, ...]]:
    """The owners that these grants stand behind."""
    users = {f"user-{mark}" for mark in marks}
    of_each = {(account, user) for account in ("", sample.ACCOUNT) for user in users}
    return {*of_each, (sample.ACCOUNT, "")}


async def test_every_grant_gets_its_keys_in_batches(
    context: Context, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch by batch, until no grant lacks one. A key that is there stays."""
    monkeypatch.setattr(data_keys, "BATCH", 2)
    assert [True, False] == [await add_data_keys(context) for _ in range(2)]
    assert behind(*"123") == await owners(database_url)
    before = await tamper(database_url, "SELECT sealed FROM data_keys ORDER BY key_id")

    assert not await add_data_keys(context)

    assert before == await tamper(database_url, "SELECT sealed FROM data_keys ORDER BY key_id")


async def test_a_grant_that_is_removed_meanwhile_gets_no_key(
    context: Context, database_url: str
) -> None:
    """Read as one without keys, then removed: a key would stay for ever."""
    async with context.store.transaction() as tx:
        await tx.grants.delete("grant-1")
        assert not await tx.data_keys.has_grant(sample.grant("1").identity)
        assert await tx.data_keys.has_grant(sample.grant("2").identity)
    await add_data_keys(context)
    assert behind(*"23") == await owners(database_url)


async def test_keys_without_a_grant_are_destroyed(context: Context, database_url: str) -> None:
    """A version that knows no data keys has deleted grants; the others keep their keys."""
    await add_data_keys(context)
    await tamper(database_url, "DELETE FROM grants WHERE grant_id = 'grant-1' RETURNING 1")

    assert 2 == await destroy_unowned_data_keys(context)
    assert behind(*"23") == await owners(database_url)

    await tamper(database_url, "DELETE FROM grants WHERE true RETURNING 1")
    assert 5 == await destroy_unowned_data_keys(context)
    assert 0 == await destroy_unowned_data_keys(context)
