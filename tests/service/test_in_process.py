"""Calls of Zoom's API for one subject, from inside an app, with the guarantees of the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraph.errors import CallRefused, NotFound, UsageError
from paraph.service.zoom import Zoom
from scripted_zoom import Scripted
from service.app_with_zoom import SUBJECT, running_app
from service_kit import JANE

pytestmark = pytest.mark.anyio


async def test_a_call_for_a_subject(tmp_path: Path) -> None:
    """`await zoom.installation(subject).get("/users/me")`, from a handler of the app's own."""
    async with running_app(tmp_path) as app:
        await app.link()
        app.rest.seen.clear()
        response = await app.zoom.installation(SUBJECT).get("/users/me", page_size=3)
        assert (200, JANE) == (response.status, response.json()["id"])
        assert "/v2/users/me?page_size=3" == app.rest.seen[0].target
        async with app.browser() as browser:
            assert JANE == (await browser.get(f"/me/{SUBJECT}")).json()["id"]


async def test_every_method_and_every_status(tmp_path: Path) -> None:
    """Bodies arrive as JSON; an response of Zoom's is an response, whatever its status."""
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
        assert token.access_token not in repr(token)
        await jane.remove()
        with pytest.raises(NotFound):
            await jane.get("/users/me")


async def test_a_call_before_the_service_runs_is_a_usage_error(tmp_path: Path) -> None:
    """Only the use of an installation needs the running service; the error says what to do."""
    async with running_app(tmp_path) as app:
        jane = Zoom(app.zoom.settings).installation(SUBJECT)
        with pytest.raises(UsageError) as caught:
            await jane.get("/users/me")
        assert "lifespan" in caught.value.remedy
