"""Two consents of one person at once: the stored tokens are those that Zoom issued last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from paraph.model.phase import Phase
from paraph.remote.resource_server import RemoteResourceServer
from paraph.secret import Secret
from paraph.zoom.user import ZoomUser
from service_kit import Kit, public_side, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """A service without a host, on every kind of store."""
    async with running(tmp_path, database_url=database_url) as kit:
        yield kit


class HeldOwner:
    """A resource server whose first response arrives when the test lets it."""

    def __init__(self, inner: RemoteResourceServer) -> None:
        self._inner = inner
        self.has_answered, self.go_on = asyncio.Event(), asyncio.Event()
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def read_user(self, api_server: str, *, access_token: Secret) -> ZoomUser:
        """Ask Zoom, and hold its first response."""
        self.reads += 1
        is_first = self.reads == 1
        user = await self._inner.read_user(api_server, access_token=access_token)
        if is_first:
            self.has_answered.set()
            await self.go_on.wait()
        return user


def _browser(kit: Kit, held: HeldOwner, **changes: Any) -> httpx.AsyncClient:
    """A browser at a replica whose responses of Zoom are held."""
    context = replace(kit.service.context, resource_server=held, **changes)  # type: ignore[arg-type]
    side: Any = public_side(kit, context)
    transport = httpx.ASGITransport(side, client=("192.0.2.1", 40000))
    return httpx.AsyncClient(transport=transport, base_url=kit.settings.public_url)


def _live(kit: Kit) -> Any:
    (grant,) = kit.zoom.simulator.ledger.grants.values()
    return grant


async def test_a_consent_that_is_stored_late_does_not_replace_a_newer_one(kit: Kit) -> None:
    """The earlier of two consents, stored last, leaves the tokens that still work."""
    held = HeldOwner(kit.service.context.resource_server)
    async with _browser(kit, held) as first, kit.browser() as second:
        late = asyncio.create_task(kit.install(first))
        await held.has_answered.wait()
        assert 303 == (await kit.install(second)).status_code
        held.go_on.set()
        assert 303 == (await late).status_code
    (one,) = await kit.installations()
    assert _live(kit).access_token == one.grant.tokens.access_token.reveal()
    assert Phase.ACTIVE is one.phase
    assert 2 == held.reads


async def test_a_consent_that_is_still_the_newest_is_stored(kit: Kit) -> None:
    """Where other tokens were stored meanwhile but these still work, these are stored."""
    async with kit.browser() as before:
        assert 303 == (await kit.install(before)).status_code
    held = HeldOwner(kit.service.context.resource_server)
    held.go_on.set()
    async with _browser(kit, held) as browser:
        assert 303 == (await kit.install(browser)).status_code
    (one,) = await kit.installations()
    assert _live(kit).access_token == one.grant.tokens.access_token.reveal()
    assert 2 == held.reads


async def test_an_overtaken_consent_without_its_scopes_changes_nothing(
    tmp_path: Path, database_url: str
) -> None:
    """A consent that lacks a scope, and was overtaken, leaves the newer tokens as they are."""
    async with running(tmp_path, database_url=database_url) as kit:
        held = HeldOwner(kit.service.context.resource_server)
        strict = _browser(kit, held, required_scopes=frozenset({"never:granted"}))
        async with strict as first, kit.browser() as second:
            late = asyncio.create_task(kit.install(first))
            await held.has_answered.wait()
            assert 303 == (await kit.install(second)).status_code
            held.go_on.set()
            assert 303 != (await late).status_code
        (one,) = await kit.installations()
        assert _live(kit).access_token == one.grant.tokens.access_token.reveal()


async def test_a_cancelled_request_stores_the_newest_tokens(kit: Kit) -> None:
    """If a server's timeout cancels the request, the tokens that Zoom issued are stored anyway."""
    async with kit.browser() as before:
        assert 303 == (await kit.install(before)).status_code
    held = HeldOwner(kit.service.context.resource_server)
    async with _browser(kit, held) as browser:
        request = asyncio.create_task(kit.install(browser))
        await held.has_answered.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        (work,) = (one for one in asyncio.all_tasks() if one.get_name() == "install")
        held.go_on.set()
        await work
    (one,) = await kit.installations()
    assert _live(kit).access_token == one.grant.tokens.access_token.reveal()
