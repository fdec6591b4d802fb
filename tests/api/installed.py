"""An installed service whose resource server is scripted, or the simulator's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from scripted_zoom import ScriptedZoom, scripted_zoom
from service_kit import ACCOUNT, JANE, Kit, running

SUBJECT = f"zoom:{ACCOUNT}:{JANE}"


@dataclass
class Installed:
    """A running service with Jane's installation, and a key for everything."""

    kit: Kit
    rest: ScriptedZoom
    api: httpx.AsyncClient
    id: str

    @property
    def zoom_path(self) -> str:
        """Where the proxy begins."""
        return f"/v1/installations/{self.id}/zoom"

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call of Zoom's API through the proxy; the path goes out exactly as it stands."""
        url = httpx.URL("http://private").copy_with(
            raw_path=(self.zoom_path + path).encode("latin-1")
        )
        return await self.api.request(method, url, **more)

    async def vend(self, subject: str = SUBJECT) -> httpx.Response:
        """Ask for an access token."""
        return await self.api.post(
            f"/v1/installations/{self.id}/access-token", json={"subject": subject}
        )

    def refreshes(self) -> int:
        """How often Zoom was asked to refresh."""
        wanted = ["grant_type", "refresh_token"]
        return sum(wanted in entry["form"] for entry in self.kit.token_requests())

    async def stored(self) -> Any:
        """The grant as it is kept."""
        async with self.kit.service.context.store.reading() as tx:
            found = await tx.installations.get(self.id)
        assert found is not None
        return found.grant

    async def expire(self, seconds: int = -10) -> None:
        """Let the access token run out in so many seconds."""
        context = self.kit.service.context
        grant = await self.stored()
        tokens = replace(grant.tokens, access_expires_at=context.now() + seconds)
        async with context.store.transaction() as tx:
            assert await tx.grants.replace_tokens(
                grant.grant_id, tokens, expected_version=grant.token_version, phase=grant.phase
            )


ALL = ("link", "read", "vend", "proxy", "remove")


@asynccontextmanager
async def installed(folder: Path, **changes: Any) -> AsyncIterator[Installed]:
    """A service with Jane's installation; REST calls go to a scripted server."""
    with scripted_zoom() as rest:
        async with running(folder, api_servers=(rest.url,), **changes) as kit:
            async with kit.browser() as browser:
                response = await kit.install(browser)
                assert 303 == response.status_code, response.text
            rest.seen.clear()
            async with await kit.api(*ALL) as api:
                page = (await api.get("/v1/installations")).json()
                yield Installed(kit, rest, api, page["installations"][0]["id"])
