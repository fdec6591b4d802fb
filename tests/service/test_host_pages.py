"""The built-in start URL and confirmation page: who started is who finishes, or nothing happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.mounted_app import MountedApp, mounted_app, send

pytestmark = pytest.mark.anyio


async def subjects(app: MountedApp) -> list[str]:
    """The subjects of all active installations."""
    async with app.zoom.service.context.store.reading() as tx:
        found = await tx.installations.page(app.simulated.app.client_id)
    return sorted(one.link.subject for one in found if one.phase.value == "active")


async def test_a_signed_in_user_connects_zoom_with_three_clicks(tmp_path: Path) -> None:
    """Start, Zoom, both accounts on one page, a form: the host sees its own page at the end."""
    async with mounted_app(tmp_path) as app, app.browser("jane@tidemark.example") as browser:
        page = await app.page(browser)
        assert 200 == page.status_code, page.text
        assert "jane@example.com" in page.text
        assert "jane@tidemark.example" in page.text
        assert [] == await subjects(app)
        done = await send(browser, page)
        assert (303, "/done") == (done.status_code, done.headers["location"])
        assert ["jane@tidemark.example"] == await subjects(app)
