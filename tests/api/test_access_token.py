"""Vending: a valid access token of an installation that is active at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.installed import SUBJECT, Installed, installed
from paraph.lifecycle.context import Context

pytestmark = pytest.mark.anyio


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Installed]:
    """An installed service."""
    async with installed(tmp_path) as found:
        yield found


async def test_a_token_is_vended_and_the_refresh_token_is_not(one: Installed) -> None:
    """The access token with all that its use takes; nothing of the refresh token."""
    response = await one.vend()
    tokens = (await one.stored()).tokens
    assert {
        "access_token": tokens.access_token.reveal(),
        "token_type": "Bearer",
        "expires_at": tokens.access_expires_at,
        "scopes": sorted(tokens.scopes),
        "api_server": one.rest.url,
    } == response.json()
    assert tokens.refresh_token.reveal() not in response.text
    assert "no-store" == response.headers["cache-control"]


async def test_who_may_not_sees_nothing(one: Installed) -> None:
    """Another subject, a foreign tenant's key, an unknown id: the same 404; no scope: 403."""
    path = f"/v1/installations/{one.id}/access-token"
    unknown = await one.api.post(
        "/v1/installations/AAAAAAAAAAAAAAAAAAAAAA/access-token", json={"subject": SUBJECT}
    )
    other = await one.vend("someone else")
    async with await one.kit.api("vend", subject_prefix="tenant-b:") as foreign:
        tenant = await foreign.post(path, json={"subject": SUBJECT})
    assert 404 == unknown.status_code
    assert unknown.content == other.content == tenant.content
    async with await one.kit.api("read", "link", "proxy", "remove") as reader:
        assert 403 == (await reader.post(path, json={"subject": SUBJECT})).status_code
    without = await one.api.post(path, json={"subject": SUBJECT}, headers={"authorization": ""})
    assert (401, "Bearer") == (without.status_code, without.headers["www-authenticate"])


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'{"subject":1}', b'{"subject":null}', b'{"x":"y"}'),
        *(b"\xff\xfe", b'{"subject":"a","more":1}', b'{"subject":"\\ud800"}'),
        b'{"subject":"a\\u0000"}',
    ],
)
async def test_a_body_that_is_none(one: Installed, body: bytes) -> None:
    """Whatever else is sent is a 4xx, with a problem document."""
    response = await one.api.post(f"/v1/installations/{one.id}/access-token", content=body)
    assert response.status_code in {404, 422}
    assert "application/problem+json" == response.headers["content-type"]


async def test_too_long_a_body_and_another_method(one: Installed) -> None:
    """413 and 405, as everywhere."""
    path = f"/v1/installations/{one.id}/access-token"
    assert 413 == (await one.api.post(path, content=b" " * 5000)).status_code
    response = await one.api.get(path)
    assert (405, "POST") == (response.status_code, response.headers["allow"])


async def test_a_token_about_to_run_out_is_refreshed_first(one: Installed) -> None:
    """Within the last two minutes a vend brings the next token, and Zoom is asked once."""
    before = (await one.vend()).json()
    await one.expire(60)
    after = (await one.vend()).json()
    assert before["access_token"] != after["access_token"]
    assert after["expires_at"] >= before["expires_at"]
    assert after == (await one.vend()).json()
    assert 1 == one.refreshes()


async def test_while_zoom_is_down_a_token_that_still_works_is_vended(one: Installed) -> None:
    """5xx at Zoom: the old token while it is valid, then 503; nothing is lost by it."""
    before = (await one.vend()).json()["access_token"]
    await one.expire(60)
    one.kit.zoom.simulator.faults.switch_on("token_unavailable", {})
    assert before == (await one.vend()).json()["access_token"]
    await one.expire(-10)
    assert 503 == (await one.vend()).status_code
    one.kit.zoom.simulator.faults.clear()


async def test_a_dead_grant_is_reported_and_a_new_consent_repairs_it(one: Installed) -> None:
    """409 with reason and link; Zoom is not asked again; installing again repairs the same id."""
    one.kit.zoom.simulator.ledger.clear()
    await one.expire()
    response = await one.vend()
    problem = response.json()
    assert (409, "needs_reauthorization") == (response.status_code, problem["code"])
    # `mend_url` is its name in version 0.1.
    assert "https://app.example/install" == problem["reauthorize_url"] == problem["mend_url"]
    asked = one.refreshes()
    assert 409 == (await one.vend()).status_code
    assert asked == one.refreshes()
    async with one.kit.browser() as browser:
        await one.kit.install(browser)
    assert 200 == (await one.vend()).status_code


async def test_a_revoked_key_is_dead_at_once(one: Installed) -> None:
    """The next call after a revocation is a 401."""
    from paraph.lifecycle.api_key import revoke_key

    context = one.kit.service.context
    key_id = one.api.headers["authorization"].split("_")[1]
    assert 200 == (await one.vend()).status_code
    await revoke_key(context, key_id)
    assert 401 == (await one.vend()).status_code


async def test_the_last_use_of_a_key_is_noted_but_not_by_every_call(one: Installed) -> None:
    """Many calls, one write a minute; the list shows it."""
    context = one.kit.service.context
    for _ in range(20):
        await one.vend()
    async with asyncio.timeout(20):
        while not await _used(context):  # noqa: ASYNC110 - It is written behind the response.
            await asyncio.sleep(0.005)


async def _used(context: Context) -> bool:
    async with context.store.reading() as tx:
        return any(key.last_used_at is not None for key in await tx.api_keys.all())
