"""Two replicas on one database: what one removes, the other neither vends nor calls any more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.private_socket import private_url
from installing import install
from paraph.lifecycle.api_key import create_key, revoke_key
from paraph.lifecycle.context import Context
from paraph.service.app import open_service
from scripted_zoom import ScriptedZoom, scripted_zoom
from service_kit import give_back, settings_for, simulated_zoom

pytestmark = pytest.mark.anyio

RACES = [3, pytest.param(int(os.environ.get("RACES", "15")), marks=pytest.mark.slow)]


@dataclass
class Replicas:
    """Two services on one database, as a host's backend sees them behind a balancer."""

    context: Context
    first: httpx.AsyncClient
    second: httpx.AsyncClient
    rest: ScriptedZoom
    key_id: str


@pytest.fixture
async def replicas(tmp_path: Path, database_url: str) -> AsyncIterator[Replicas]:
    """Two replicas, on every kind of store."""
    zoom = simulated_zoom()
    with scripted_zoom() as rest:
        settings = settings_for(zoom, tmp_path, api_servers=(rest.url,), database_url=database_url)
        async with AsyncExitStack() as stack:
            services = [await stack.enter_async_context(open_service(settings)) for _ in range(2)]
            context = services[0].context
            key = await create_key(context, label="t", scopes=["vend", "proxy", "remove"])
            clients = [
                await stack.enter_async_context(
                    httpx.AsyncClient(
                        base_url=await stack.enter_async_context(private_url(service)),
                        headers={"authorization": f"Bearer {key.reveal()}"},
                    )
                )
                for service in services
            ]
            yield Replicas(context, clients[0], clients[1], rest, key.reveal().split("_")[1])
    give_back(zoom)


@asynccontextmanager
async def under_load(client: httpx.AsyncClient, installation_id: str) -> AsyncIterator[None]:
    """Vends and calls without a pause, as long as the block runs."""

    async def ask() -> None:
        while True:
            await vend(client, installation_id)

    tasks = [asyncio.create_task(ask()) for _ in range(3)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def vend(client: httpx.AsyncClient, installation_id: str) -> int:
    """Ask for an access token; gives the status."""
    path = f"/v1/installations/{installation_id}/access-token"
    return (await client.post(path, json={"subject": "s"})).status_code


async def call(client: httpx.AsyncClient, installation_id: str) -> int:
    """Call Zoom through the proxy; gives the status."""
    path = f"/v1/installations/{installation_id}/zoom/v2/users/me"
    return (await client.get(path)).status_code


@pytest.mark.parametrize("races", RACES)
async def test_after_removal_on_one_replica_no_other_vends_or_calls(
    replicas: Replicas, races: int
) -> None:
    """However busy the other is: what is asked after the removal's answer is a 404, every time.

    RACES=1000 runs the whole of it.
    """
    for number in range(races):
        installation_id = await install(replicas.context, number)
        assert 200 == await vend(replicas.second, installation_id)
        assert 200 == await call(replicas.second, installation_id)
        async with under_load(replicas.second, installation_id):
            removed = await replicas.first.delete(f"/v1/installations/{installation_id}")
            assert 200 == removed.status_code
            arrived = len(replicas.rest.seen)
            late = await asyncio.gather(
                *(vend(replicas.second, installation_id) for _ in range(3)),
                *(call(replicas.second, installation_id) for _ in range(3)),
            )
        assert [404] * 6 == late
        assert arrived == len(replicas.rest.seen)


async def test_a_key_revoked_on_one_replica_is_dead_on_the_other(replicas: Replicas) -> None:
    """The next call, on any replica, is a 401."""
    installation_id = await install(replicas.context, 1)
    assert 200 == await vend(replicas.second, installation_id)
    await revoke_key(replicas.context, replicas.key_id)
    assert 401 == await vend(replicas.second, installation_id)
    assert 401 == await call(replicas.second, installation_id)


async def test_an_installation_made_on_one_replica_is_served_by_the_other(
    replicas: Replicas,
) -> None:
    """Nothing is kept in a process that another one needs: no sticky sessions."""
    installation_id = await install(replicas.context, 1)
    for client in (replicas.first, replicas.second, replicas.first):
        assert 200 == await vend(client, installation_id)
        assert 200 == await call(client, installation_id)
