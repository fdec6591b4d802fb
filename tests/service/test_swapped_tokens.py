"""Tokens that somebody swaps in the database are neither vended nor sent to Zoom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from paraph.model.link import Link
from service_kit import ACCOUNT, JANE, RAVI, Kit, agree_as, running
from tampering import tamper

pytestmark = pytest.mark.anyio

OTHERS = "(SELECT {column} FROM grants WHERE user_id = '{other}')"


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """Two users of the app, on either kind of database."""
    async with running(tmp_path, database_url=database_url) as kit:
        for user in (JANE, RAVI):
            agree_as(kit.zoom, user)
            async with kit.browser() as browser:
                await kit.install(browser)
        yield kit


@pytest.mark.parametrize(
    "columns", [("access_token",), ("access_token", "refresh_token", "profile")]
)
async def test_another_users_tokens_are_not_vended(kit: Kit, columns: tuple[str, ...]) -> None:
    """503, nothing of a token in the answer, and Zoom hears nothing."""
    values = ", ".join(f"{one} = {OTHERS.format(column=one, other=JANE)}" for one in columns)
    await tamper(kit.settings.database_url, f"UPDATE grants SET {values} WHERE user_id = '{RAVI}'")
    before = len(kit.zoom.journal())

    async with await kit.api("vend", "read", "proxy") as api:
        vended = [await _vend(api, link) for link in await _links(kit)]

    assert [200, 503] == sorted(answer.status_code for answer in vended)
    (refused,) = (answer for answer in vended if answer.status_code == 503)
    assert "access_token" not in refused.text
    assert before == len(kit.zoom.journal())


async def _links(kit: Kit) -> list[Link]:
    async with kit.service.context.store.reading() as tx:
        found = [
            await tx.links.active_for_subject(kit.zoom.app.client_id, f"zoom:{ACCOUNT}:{user}")
            for user in (JANE, RAVI)
        ]
    return [link for link in found if link is not None]


async def _vend(api: httpx.AsyncClient, link: Link) -> httpx.Response:
    return await api.post(
        f"/v1/installations/{link.link_id}/access-token", json={"subject": link.subject}
    )
