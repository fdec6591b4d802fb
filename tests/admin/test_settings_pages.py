"""The settings page shows the findings of the doctor."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin.operators import Desk
from paraph.settings.model import Settings

pytestmark = pytest.mark.anyio


def database_of(settings: Settings) -> Path:
    """The file of the service's database."""
    return Path(settings.database_url.removeprefix("sqlite:///"))


async def test_a_weakness_is_shown_with_cause_and_remedy(signed_in: Desk) -> None:
    """The page finds what the command finds, and shows no secret."""
    settings = signed_in.kit.settings
    database_of(settings).chmod(0o644)
    page = await signed_in.get("/admin/settings")

    assert 200 == page.status_code
    assert "Others can read or change a file" in page.text
    assert f"Run chmod 600 {database_of(settings)}." in page.text
    assert "CWE-732" in page.text
    secrets = [settings.client_secret, *settings.webhook_secrets, *settings.encryption_keys]
    assert not [one for one in secrets if one.reveal() in page.text]


async def test_zoom_is_asked_only_on_request(signed_in: Desk) -> None:
    """Opening the page makes no connection; its button asks Zoom for its time."""
    opened = await signed_in.get("/admin/settings")
    pressed = await signed_in.press("/admin/settings/check")

    assert "no connection was asked for" in opened.text
    assert 200 == pressed.status_code
    assert "no connection was asked for" not in pressed.text


async def test_the_check_needs_a_form_of_this_session(signed_in: Desk) -> None:
    """Another site cannot make the service connect anywhere."""
    refused = await signed_in.client.post("/admin/settings/check", data={"csrf_token": "0" * 64})

    assert 403 == refused.status_code
