"""The router and the dependency of FastAPI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from paraph.integrations.fastapi import installation_of, router
from service.mount.mounted_app import MountedApp, mounted_app
from service_kit import PUBLIC_URL

pytestmark = pytest.mark.anyio


def product(app: MountedApp) -> Any:
    """A FastAPI product around the same Zoom, without middleware of paraph's."""
    api = FastAPI()
    api.include_router(router(app.zoom))

    installed = Depends(installation_of(app.zoom))

    @api.get("/me")
    async def me(installation: Any = installed) -> Any:
        return (await installation.get("/users/me")).json()

    return api


async def test_the_dependency_says_what_is_missing(tmp_path: Path) -> None:
    """401 without a user, 404 with the URL that connects, then the installation itself."""
    async with mounted_app(tmp_path) as app:
        app.app = api = product(app)
        async with app.browser() as browser:
            assert 401 == (await browser.get("/me")).status_code
        async with app.browser("jane") as browser:
            missing = await browser.get("/me")
            assert 404 == missing.status_code
            detail = missing.json()["detail"]
            assert f"{PUBLIC_URL}{app.prefix}/start" == detail["connect_url"]
            assert "/done" == (await app.connect(browser)).headers["location"]
            assert "jane@example.com" == (await browser.get("/me")).json()["email"]
            removed = await app.zoom.installation("jane").remove()
            assert removed is not None
            assert 404 == (await browser.get("/me")).status_code
        assert ["/me"] == list(api.openapi()["paths"])


async def test_the_router_takes_no_url_of_the_app(tmp_path: Path) -> None:
    """Without a prefix the health check stays the app's, and unknown URLs too."""
    async with mounted_app(tmp_path, prefix="") as app:
        api = product(app)
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as browser:
            assert 404 == (await browser.get("/healthz")).status_code
            for path in ("/install/", "/oauth/redirect//", "/oauth/redirect///", "/link//"):
                missing = await browser.get(f"{path}?code=secret")
                assert (404, None) == (missing.status_code, missing.headers.get("location"))
            assert 401 == (await browser.post("/webhook")).status_code
            assert 405 == (await browser.post("/start")).status_code
            assert 401 == (await browser.get("/start")).status_code
