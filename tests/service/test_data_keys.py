"""Data keys for grants of older replicas, after the contract step of the schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from databases import expand_schema
from paraph.errors import StorageError
from paraph.lifecycle.context import Context
from paraph.operations.wake_ups import WakeUps
from paraph.service.background import _add_data_keys
from paraph.service.context import open_context
from paraph.storage.contraction import contract_schema
from service_kit import give_back, settings_for, simulated_zoom
from storage import sample

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The database of the context."""
    return f"sqlite:///{tmp_path / 'paraph.db'}"


@pytest.fixture
async def context(tmp_path: Path, url: str) -> AsyncIterator[Context]:
    """A context whose database is as version 0.1 left it, before `paraph migrate`."""
    await expand_schema(url)
    zoom = simulated_zoom()
    async with open_context(settings_for(zoom, tmp_path)) as (opened, _):
        yield opened
    give_back(zoom)


async def grant_as_before(context: Context, *marks: str) -> None:
    """Grants of consents at a replica of version 0.1."""
    async with context.store.transaction() as tx:
        for mark in marks:
            await tx.grants.add(sample.grant(mark))


async def lacking(context: Context) -> int:
    """The number of grants that lack a key."""
    async with context.store.reading() as tx:
        return len(await tx.data_keys.grants_without(limit=99))


async def test_grants_of_an_older_replica_get_keys_after_paraph_migrate(
    context: Context, url: str
) -> None:
    """Consents at it, after this process has looked at all grants, bring no keys."""
    await grant_as_before(context, "1")
    wake_ups = WakeUps(context, "r")
    job = asyncio.create_task(_add_data_keys(context, wake_ups))
    while await lacking(context):  # noqa: ASYNC110 - No signal exists.
        await asyncio.sleep(0.01)

    await grant_as_before(context, "2")
    await contract_schema(url)
    with pytest.raises(StorageError):
        await wake_ups.look()
    await wake_ups.look()

    await job
    assert 0 == await lacking(context)
