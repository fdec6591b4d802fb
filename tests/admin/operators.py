"""An operator's browser before the private side, over ASGI, and events in every state."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from paraph.lifecycle.api_key import create_key
from paraph.model.event import EventStatus, KeptEvent
from service_kit import ACCOUNT, Kit, running

# Over TLS, as behind a tunnel that ends it: the client keeps no Secure cookie of plain http.
ORIGIN = "https://localhost:8001"
COOKIE = "__Host-paraph-operator"


def browser(kit: Kit, origin: str = ORIGIN) -> httpx.AsyncClient:
    """A browser without a session; it sends its origin as browsers do with forms."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(kit.service.private),
        base_url=origin,
        headers={"origin": origin, "sec-fetch-site": "same-origin"},
    )


async def new_key(kit: Kit, *scopes: str, subject_prefix: str = "") -> str:
    """An API key; an operator's by default."""
    made = await create_key(
        kit.service.context,
        label="operator",
        scopes=scopes or ("read",),
        subject_prefix=subject_prefix,
    )
    return made.reveal()


async def sign_in(client: httpx.AsyncClient, key: str, **fields: str) -> httpx.Response:
    """Send the form."""
    return await client.post("/admin/sign-in", data={"key": key, **fields})


@dataclass
class Desk:
    """A service, and the browser of its signed-in operator."""

    kit: Kit
    client: httpx.AsyncClient
    key: str

    @cached_property
    def began(self) -> int:
        """When its first event was kept. The others lie before it, however long keeping takes."""
        return self.kit.service.context.now()

    async def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return await self.client.get(path)

    async def csrf_token(self) -> str:
        """The CSRF token of this session's forms."""
        page = await self.client.get("/admin/events")
        found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page.text)
        assert found, page.text
        return found[1]

    async def press(self, path: str, **more: Any) -> httpx.Response:
        """Send a form of our own."""
        return await self.client.post(path, data={"csrf_token": await self.csrf_token(), **more})

    async def event(self, event_id: str) -> KeptEvent:
        """As it is kept."""
        async with self.kit.service.context.store.reading() as tx:
            found = await tx.events.get(event_id)
        assert found is not None
        return found

    async def keep(self, number: int, **changes: Any) -> str:
        """Put an event into the store, older the higher its number; a dead letter by default."""
        values: dict[str, Any] = {
            "event_id": f"{number:064x}",
            "name": "meeting.ended",
            "received_at": self.began - 100 - number,
            "body": b'{"topic":"canary-topic"}',
            "account_id": ACCOUNT,
            "user_id": "canary-user",
            "status": EventStatus.DEAD,
            "attempts": 12,
            "failure": "raised: CanaryCause",
            **changes,
        }
        event = KeptEvent(**values)
        async with self.kit.service.context.store.transaction() as tx:
            assert await tx.events.add(event)
        return event.event_id

    async def audited(self) -> list[tuple[str, dict[str, str]]]:
        """The audit entries of operators and of their actions, oldest first."""
        async with self.kit.service.context.store.reading() as tx:
            entries = await tx.audit.page(after=0, limit=500)
        wanted = ("operator.", "event.", "forwarding.", "user.")
        return [(e.action, dict(e.details)) for e in entries if e.action.startswith(wanted)]


@asynccontextmanager
async def desk(folder: Path, **changes: Any) -> AsyncIterator[Desk]:
    """An installed service and an operator before it."""
    async with running(folder, **changes) as kit, kit.browser() as visitor:
        await kit.install(visitor)
        key = await new_key(kit)
        async with browser(kit) as client:
            response = await sign_in(client, key)
            assert 303 == response.status_code, response.text
            yield Desk(kit, client, key)
