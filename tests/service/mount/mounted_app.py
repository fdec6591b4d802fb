"""A host with the built-in pages of a service in it, and browsers of its users."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from paraph.service.zoom import Zoom
from service_kit import PUBLIC_URL, agree_as, give_back, settings_for, simulated_zoom

PREFIX = "/integrations/zoom"


def user_of(request: Request) -> str | None:
    """The signed-in user: in these tests a cookie of the host names it."""
    return request.cookies.get("user")


@dataclass
class MountedApp:
    """A running host with Zoom in it."""

    zoom: Zoom
    simulated: Any
    app: Any
    prefix: str = PREFIX

    def browser(self, user: str | None = None) -> httpx.AsyncClient:
        """A browser profile in which a user of the host is signed in."""
        browser = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=PUBLIC_URL)
        sign_in(browser, user)
        return browser

    async def at_zoom(self, browser: httpx.AsyncClient) -> str:
        """Start, agree at Zoom, and give the URL to which Zoom sends the browser back."""
        begun = await browser.get(f"{self.prefix}/start")
        assert 303 == begun.status_code, begun.text
        sent = await browser.get(begun.headers["location"])
        assert 303 == sent.status_code, sent.text
        async with httpx.AsyncClient() as visitor:
            answer = await visitor.get(sent.headers["location"])
        return str(answer.headers["location"])

    async def handoff(self, browser: httpx.AsyncClient) -> str:
        """The URL of the confirmation page, with a handoff that nothing has claimed."""
        back = await browser.get(await self.at_zoom(browser))
        assert 303 == back.status_code, back.text
        return str(back.headers["location"])

    async def page(self, browser: httpx.AsyncClient) -> httpx.Response:
        """The confirmation page of a new flow."""
        claimed = await browser.get(await self.handoff(browser))
        assert 303 == claimed.status_code, claimed.text
        return await browser.get(claimed.headers["location"])

    async def connect(self, browser: httpx.AsyncClient, decision: str = "connect") -> Any:
        """A whole flow with a decision at its end."""
        return await send(browser, await self.page(browser), decision)

    def agree_as(self, user_id: str, auto: str = "approve") -> None:
        """Let a Zoom user answer from now on."""
        agree_as(self.simulated, user_id, auto)


def sign_in(browser: httpx.AsyncClient, user: str | None) -> None:
    """Change the signed-in user of a browser."""
    browser.cookies.delete("user") if "user" in browser.cookies else None
    if user is not None:
        browser.cookies.set("user", user, domain="app.example")


def form_of(page: httpx.Response) -> dict[str, str]:
    """The hidden fields of the confirmation page."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    assert found, page.text
    return dict(found)


async def send(
    browser: httpx.AsyncClient,
    page: httpx.Response,
    decision: str = "connect",
    *,
    origin: str | None = PUBLIC_URL,
    **changes: str,
) -> httpx.Response:
    """Send the form of a page, as a browser does."""
    fields = {**form_of(page), "decision": decision, **changes}
    headers = {} if origin is None else {"origin": origin}
    return await browser.post(page.url.path, data=fields, headers=headers)


@asynccontextmanager
async def mounted_app(
    folder: Path, *, prefix: str = PREFIX, options: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[MountedApp]:
    """A host that runs with Zoom below a prefix."""
    simulated = simulated_zoom(f"{PUBLIC_URL}{prefix}")
    try:
        settings = settings_for(simulated, folder, linking="host", **changes)
        chosen = {"after_install": "/done", "after_failure": "/failed", **(options or {})}
        zoom = Zoom(settings, prefix=prefix, subject_of=user_of, **chosen)

        async def own(request: Request) -> PlainTextResponse:
            return PlainTextResponse(f"own {request.url.path}")

        app = zoom.around(Starlette(routes=[Route("/{path:path}", own)]))
        async with zoom:
            yield MountedApp(zoom, simulated, app, prefix)
    finally:
        give_back(simulated)
