"""The page of the apps shows what Zoom's form needs, and what is installed."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from admin.operators import Desk
from paraph.zoom.app_form import app_form

pytestmark = pytest.mark.anyio


async def test_the_app_is_shown_as_zooms_form_needs_it(signed_in: Desk) -> None:
    """Every field of the form stands there with its value, and no secret does."""
    settings = signed_in.kit.settings
    page = await signed_in.get("/admin/apps")

    assert 200 == page.status_code
    shown = html.unescape(page.text)
    for field in app_form(
        public_url=settings.public_url,
        level=settings.level,
        scopes=sorted(settings.required_scopes),
        events=(),
    ):
        assert field.name in shown
        assert field.value in shown
    assert settings.client_id in shown
    secrets = [settings.client_secret, *settings.webhook_secrets, *settings.encryption_keys]
    assert [] == [one for one in secrets if one.reveal() in shown]


async def test_installations_are_counted_by_app_and_phase(signed_in: Desk) -> None:
    """Those of an app that the settings do not name any more are counted apart."""
    context = signed_in.kit.service.context
    own = context.client.client_id
    assert "1 active" in (await signed_in.get("/admin/apps")).text
    async with context.store.transaction() as tx:
        (one,) = await tx.installations.page(own)
        identity = replace(one.grant.identity, client_id="FormerApp123456")
        await tx.grants.add(replace(one.grant, grant_id="former", identity=identity))
        link = replace(one.link, link_id="former", grant_id="former", client_id="FormerApp123456")
        await tx.links.add(link)
    page = (await signed_in.get("/admin/apps")).text

    assert "1 active" in page
    assert "FormerApp123456</dt><dd>1 installation</dd>" in page
