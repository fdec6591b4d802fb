"""The FastAPI example, from sign-in to a call, in one browser; and what another browser gets."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from paraph import Zoom
from service_kit import PUBLIC_URL, settings_for, simulated_zoom

pytestmark = pytest.mark.anyio
EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_app.py"


def load() -> Any:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def browser(app: Any) -> httpx.AsyncClient:
    """A browser profile."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL)


async def test_the_whole_way(tmp_path: Path) -> None:
    """Sign in, install, see both accounts, say yes, call Zoom; a stranger's browser cannot."""
    simulated = simulated_zoom()
    settings = settings_for(
        simulated,
        tmp_path,
        linking="host",
        start_url=f"{PUBLIC_URL}/zoom/start",
        link_url=f"{PUBLIC_URL}/zoom/link",
    )
    zoom = Zoom(settings)
    app = load().create_app(zoom)
    async with zoom, browser(app) as jane, browser(app) as mallory:
        assert 401 == (await jane.get("/me")).status_code
        await mallory.post("/sign-in", data={"user": "mallory"})
        await jane.post("/sign-in", data={"user": "jane"})
        assert 404 == (await jane.get("/me")).status_code
        at_zoom = await jane.get((await jane.get("/zoom/start")).headers["location"])
        async with httpx.AsyncClient() as visitor:
            back = (await visitor.get(at_zoom.headers["location"])).headers["location"]
        assert 400 == (await mallory.get(back)).status_code
        handoff = (await jane.get(back)).headers["location"]
        assert 400 == (await mallory.get(handoff)).status_code
        page = await jane.get(handoff)
        assert 200 == page.status_code, page.text
        assert "jane@example.com" in page.text
        form = re.search(r"name=form value=(\S+?)>", page.text)
        assert form is not None
        assert 400 == (await jane.post("/zoom/confirm", data={"form": "x"})).status_code
        assert 400 == (await mallory.post("/zoom/confirm", data={"form": form[1]})).status_code
        assert 303 == (await jane.post("/zoom/confirm", data={"form": form[1]})).status_code
        assert {"zoom": "Jane Dev"} == (await jane.get("/me")).json()
        assert 404 == (await mallory.get("/me")).status_code
    simulated.stop()
