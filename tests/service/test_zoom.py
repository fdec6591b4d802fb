"""The service inside a Python app: the same guarantees, no server beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from paraph.errors import UsageError
from paraph.events.handlers import HandedEvent
from paraph.service.zoom import Zoom
from service.app_with_zoom import SUBJECT, running_app
from service_kit import ACCOUNT, JANE

pytestmark = pytest.mark.anyio


async def test_the_apps_own_urls_stay_its_own(tmp_path: Path) -> None:
    """Only the service's public URLs are taken; a forged redirect ends there, as ever."""
    async with running_app(tmp_path) as app, app.browser() as browser:
        assert 404 == (await browser.get("/healthz")).status_code
        assert 404 == (await browser.get("/v1/installations")).status_code
        assert 400 == (await browser.get("/oauth/redirect?code=x&state=y")).status_code
        assert 401 == (await browser.post("/webhook", content=b"{}")).status_code


async def test_handlers_receive_events_with_their_client(tmp_path: Path) -> None:
    """`@zoom.on("meeting.*")`: the event, its installation, and a client to call Zoom."""
    seen: list[tuple[str, str, int]] = []
    arrived = asyncio.Event()

    def register(zoom: Zoom) -> None:
        @zoom.on("meeting.*")
        async def meeting(event: Any, installation: Any, client: Any) -> None:
            response = await client.get("/users/me")
            seen.append((event.name, installation.subject, response.status))
            arrived.set()

    async with running_app(tmp_path, register=register) as app:
        await app.link()
        payload = {"account_id": ACCOUNT, "object": {"host_id": JANE}}
        assert 200 == (await app.kit.post_webhook("meeting.ended", payload)).status_code
        async with asyncio.timeout(30):
            await arrived.wait()
    assert [("meeting.ended", SUBJECT, 200)] == seen


async def test_notices_reach_their_handlers_in_order_and_nothing_else_does(tmp_path: Path) -> None:
    """Activated, then removed; an event signed under a notice's name is one of Zoom's events."""
    notices: list[tuple[str, int]] = []
    everything: list[tuple[str, bool]] = []
    ended = asyncio.Event()

    def register(zoom: Zoom) -> None:
        @zoom.on("installation.*")
        async def notice(event: HandedEvent) -> None:
            notices.append((event.name, event.payload["installation"]["sequence"]))

        @zoom.on("*")
        async def anything(event: HandedEvent) -> None:
            everything.append((event.name, event.is_notice))
            if event.name == "installation.removed" and event.is_notice:
                ended.set()

    async with running_app(tmp_path, register=register) as app:
        await app.link()
        payload = {"account_id": ACCOUNT, "object": {"host_id": JANE}}
        assert 200 == (await app.kit.post_webhook("installation.removed", payload)).status_code
        async with asyncio.timeout(30):
            while ("installation.removed", False) not in everything:  # noqa: ASYNC110 - No signal.
                await asyncio.sleep(0.01)
            await app.kit.post_webhook("app_deauthorized", app.kit.deauthorization())
            await ended.wait()
    assert [("installation.activated", 1), ("installation.removed", 2)] == notices
    assert ("installation.removed", False) in everything


async def test_a_name_that_can_never_occur_is_refused_at_registration(tmp_path: Path) -> None:
    """`app_deauthorized` is carried out by paraph; the refusal names the notice."""
    async with running_app(tmp_path) as app:
        with pytest.raises(UsageError) as caught:
            app.zoom.on("app_deauthorized")
    assert "installation.removed" in caught.value.remedy
