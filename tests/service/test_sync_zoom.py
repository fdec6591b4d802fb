"""`SyncZoom`: the service in a program without an event loop."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from calls.four_objects import four_objects
from paraph import HandedEvent, InstallationHandle, NotFound, SyncZoom, UsageError
from scripted_zoom import scripted_zoom
from service.app_with_zoom import SUBJECT
from service_kit import ACCOUNT, JANE, Kit, give_back, settings_for, simulated_zoom

pytestmark = pytest.mark.anyio


def test_it_starts_with_the_first_call_and_not_before(tmp_path: Path) -> None:
    """Making it and registering handlers starts no thread; a call does, and `stop` ends it."""
    simulated = simulated_zoom()
    zoom = SyncZoom(settings_for(simulated, tmp_path, linking="host"))
    zoom.on("meeting.ended")(lambda event: None)
    assert not zoom.loop_thread.is_running
    with pytest.raises(NotFound):
        zoom.installation("tenant:nobody").status()
    zoom.start()
    zoom.stop()
    with pytest.raises(UsageError):
        list(zoom.installations())
    with zoom:
        assert [] == list(zoom.installations())
    give_back(simulated)


def test_a_plain_handler_calls_zoom_from_a_thread(tmp_path: Path) -> None:
    """It receives the event, the installation and a handle of the synchronous kind."""
    seen: list[Any] = []
    arrived = threading.Event()
    simulated = simulated_zoom()
    with scripted_zoom() as rest:
        settings = settings_for(simulated, tmp_path, api_servers=(rest.url,))
        zoom = SyncZoom(settings)

        @zoom.on("meeting.ended")
        def ended(event: HandedEvent, installation: Any, handle: InstallationHandle) -> None:
            user_id = handle.get("/users/me").json()["id"]
            thread = threading.current_thread().name
            seen.extend([event.name, installation.zoom.user_id, user_id, thread])
            arrived.set()

        async def install_and_post() -> None:
            kit = Kit(simulated, zoom.zoom.service, settings)
            async with kit.browser() as browser:
                await kit.install(browser)
            payload = {"account_id": ACCOUNT, "object": {"host_id": JANE}}
            assert 200 == (await kit.post_webhook("meeting.ended", payload)).status_code

        with zoom:
            zoom.loop_thread.call(install_and_post)
            assert arrived.wait(30)
    give_back(simulated)
    assert ["meeting.ended", JANE, JANE] == seen[:3]
    assert seen[3].startswith("handler")


async def test_a_blocking_call_on_the_event_loop_is_refused(tmp_path: Path) -> None:
    """A coroutine function that calls Zoom by the synchronous handle would never return."""
    async with four_objects(tmp_path) as four:
        zoom: SyncZoom = four.objects["SyncZoom"]

        async def blocked() -> None:
            zoom.installation(SUBJECT).status()

        with pytest.raises(UsageError) as caught:
            await asyncio.to_thread(zoom.loop_thread.call, blocked)
        assert "plain function" in caught.value.remedy
