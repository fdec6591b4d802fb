"""The service inside a Python app: the same guarantees, no server beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paraph.client import challenge_of
from paraph.errors import CallRefused, NotFound, UsageError
from paraph.events.handlers import HandedEvent
from paraph.service.zoom import Zoom
from scripted_zoom import Scripted, ScriptedZoom, scripted_zoom
from service_kit import ACCOUNT, JANE, PUBLIC_URL, Kit, give_back, settings_for, simulated_zoom

pytestmark = pytest.mark.anyio

SUBJECT = "tenant:jane"
NONCE = "n" * 43


@dataclass
class App:
    """A Starlette app with Zoom in it."""

    zoom: Zoom
    kit: Kit
    rest: ScriptedZoom
    app: Any

    def browser(self) -> httpx.AsyncClient:
        """A browser of the app's."""
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)

    async def link(self, subject: str = SUBJECT) -> str:
        """Link Jane to a subject, in the app's own code; gives the installation's id."""
        url = await self.zoom.request_link(subject, challenge=challenge_of(NONCE))
        async with self.browser() as browser:
            back = await self.kit.install(browser, url.removeprefix(PUBLIC_URL))
        handoff = parse_qs(urlsplit(back.headers["location"]).query)["handoff"][0]
        claim = await self.zoom.claim(handoff, verifier=NONCE)
        confirmed = await self.zoom.confirm(claim.claim, subject=subject)
        return confirmed.link.link_id


@asynccontextmanager
async def running_app(
    folder: Path, *, register: Callable[[Zoom], None] = lambda _zoom: None, **changes: Any
) -> AsyncIterator[App]:
    """A host's own app with Zoom in it."""
    simulated = simulated_zoom()
    with scripted_zoom() as rest:
        try:
            settings = settings_for(
                simulated, folder, linking="host", api_servers=(rest.url,), **changes
            )
            zoom = Zoom(settings)
            register(zoom)

            async def me(request: Request) -> Response:
                subject = request.path_params["subject"]
                answer = await zoom.installation(subject).get("/users/me")
                return JSONResponse(answer.json(), status_code=answer.status)

            app = zoom.around(Starlette(routes=[Route("/me/{subject}", me)]))
            async with zoom:
                yield App(zoom, _kit(zoom, simulated, settings, app), rest, app)
        finally:
            give_back(simulated)


def _kit(zoom: Zoom, simulated: Any, settings: Any, app: Any) -> Kit:
    kit = Kit(simulated, zoom.service, settings)
    kit.browser = lambda: httpx.AsyncClient(  # type: ignore[method-assign]
        transport=httpx.ASGITransport(app), base_url=PUBLIC_URL
    )
    return kit


async def test_a_call_for_a_subject(tmp_path: Path) -> None:
    """`await zoom.installation(subject).get("/users/me")`, from a handler of the app's own."""
    async with running_app(tmp_path) as app:
        await app.link()
        app.rest.seen.clear()
        answer = await app.zoom.installation(SUBJECT).get("/users/me", page_size=3)
        assert (200, JANE) == (answer.status, answer.json()["id"])
        assert "/v2/users/me?page_size=3" == app.rest.seen[0].target
        async with app.browser() as browser:
            assert JANE == (await browser.get(f"/me/{SUBJECT}")).json()["id"]


async def test_every_method_and_every_status(tmp_path: Path) -> None:
    """Bodies arrive as JSON; an answer of Zoom's is an answer, whatever its status."""
    async with running_app(tmp_path, proxy_allow=("* /v2/**",)) as app:
        await app.link()
        jane = app.zoom.installation(SUBJECT)
        app.rest.seen.clear()
        app.rest.script.append(Scripted(201, {"id": 5}))
        assert 201 == (await jane.post("/users/me/meetings", {"topic": "é"})).status
        await jane.patch("/meetings/5", {"topic": "b"})
        await jane.put("/meetings/5/status", {"action": "end"})
        app.rest.script.append(Scripted(404, {"code": 3001}))
        assert 404 == (await jane.delete("/meetings/5")).status
        assert ["POST", "PATCH", "PUT", "DELETE"] == [seen.method for seen in app.rest.seen]
        assert "application/json" == app.rest.seen[0].header("content-type")


async def test_the_guarantees_are_the_same(tmp_path: Path) -> None:
    """Paths are checked, the allow-list applies, a removal applies at once, one refresh repairs."""
    async with running_app(tmp_path) as app:
        await app.link()
        jane = app.zoom.installation(SUBJECT)
        app.rest.seen.clear()
        for path in (
            *("/../oauth/token", "/users/%2e%2e/x", "//evil.example", "/users/é", "/x y"),
            *("", "/users/..", "/users\\me", "/users/me?x=1", "/users/me#x", "/users/\x7f"),
            *("https://evil.example/v2/users/me", "/v2/../v2/users/me", "/users/me;x=1"),
        ):
            with pytest.raises(CallRefused):
                await jane.get(path)
        with pytest.raises(CallRefused):
            await jane.get("/meetings/5/recordings", include_fields="download_access_token")
        with pytest.raises(CallRefused):
            await jane.delete("/users/me")
        with pytest.raises(NotFound):
            await app.zoom.installation("tenant:ravi").get("/users/me")
        assert [] == app.rest.seen
        app.rest.script.append(Scripted(401, {"code": 124, "message": "Access token is expired."}))
        assert 200 == (await jane.get("/users/me")).status
        token = await jane.access_token()
        assert token.access_token.reveal() not in repr(token)
        await jane.remove()
        with pytest.raises(NotFound):
            await jane.get("/users/me")


async def test_the_apps_own_urls_stay_its_own(tmp_path: Path) -> None:
    """Only the service's public URLs are taken; a forged redirect ends there, as ever."""
    async with running_app(tmp_path) as app, app.browser() as browser:
        assert 404 == (await browser.get("/healthz")).status_code
        assert 404 == (await browser.get("/v1/installations")).status_code
        assert 400 == (await browser.get("/oauth/redirect?code=x&state=y")).status_code
        assert 401 == (await browser.post("/webhook", content=b"{}")).status_code


async def test_a_call_before_the_service_runs_is_a_usage_error(tmp_path: Path) -> None:
    """Only the use of an installation needs the running service; the error says what to do."""
    async with running_app(tmp_path) as app:
        jane = Zoom(app.zoom.settings).installation(SUBJECT)
        with pytest.raises(UsageError) as caught:
            await jane.get("/users/me")
        assert "lifespan" in caught.value.remedy


async def test_handlers_are_handed_events_with_their_client(tmp_path: Path) -> None:
    """`@zoom.on("meeting.*")`: the event, whose installation it is, and the way to call Zoom."""
    seen: list[tuple[str, str, int]] = []
    arrived = asyncio.Event()

    def register(zoom: Zoom) -> None:
        @zoom.on("meeting.*")
        async def meeting(event: Any, installation: Any, client: Any) -> None:
            answer = await client.get("/users/me")
            seen.append((event.name, installation.link.subject, answer.status))
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
