"""The content of the sealed cookie, and its validity."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from admin.operators import COOKIE, Desk, browser, new_key
from paraph.admin.session import LIFETIME_SECONDS, Sessions
from paraph.lifecycle.api_key import create_key
from paraph.lifecycle.context import Context
from paraph.sealing.encryption_key import new_encryption_key
from paraph.secret import Secret
from service_kit import Kit, running

pytestmark = pytest.mark.anyio


async def begun(context: Context) -> list[tuple[str, str]]:
    """The cookies of a fresh session."""
    key = await create_key(context, label="operator", scopes=["read"])
    _, header = await Sessions(context).begin(key.reveal())
    name, _, value = header.decode().partition(";")[0].partition("=")
    return [(name, value)]


def at(context: Context, seconds: int) -> Sessions:
    """The sessions as they stand so many seconds from now."""
    now = context.now() + seconds
    return Sessions(replace(context, clock=lambda: now))


async def test_it_ends_after_an_hour(signed_in: Desk) -> None:
    """It is valid for an hour to the second, and not if it is from the future."""
    context = signed_in.kit.service.context
    now = context.now()
    context = replace(context, clock=lambda: now)
    cookies = await begun(context)
    assert await at(context, 0).find(cookies) is not None
    assert await at(context, LIFETIME_SECONDS - 1).find(cookies) is not None
    for seconds in (LIFETIME_SECONDS, LIFETIME_SECONDS + 9999, -61, -(2**40)):
        assert await at(context, seconds).find(cookies) is None


async def test_it_holds_nothing_that_opens_the_api(signed_in: Desk) -> None:
    """Neither the key nor its secret part or id can be read in it, and it is no API key."""
    value = signed_in.client.cookies[COOKIE]
    _, key_id, secret = signed_in.key.split("_", 2)
    sealed = base64.urlsafe_b64decode(value.partition(".")[2] + "==")
    for text in (key_id, secret, "read"):
        assert text not in value and text.encode() not in sealed
    for presented in (value, f"paraph_{key_id}_{value[-43:]}"):
        response = await signed_in.client.get(
            "/v1/events", headers={"authorization": f"Bearer {presented}"}
        )
        assert 401 == response.status_code


async def test_a_cookie_opens_no_api(signed_in: Desk) -> None:
    """The management API accepts API keys only."""
    assert 401 == (await signed_in.get("/v1/events")).status_code


async def _open_with(kit: Kit, cookie: str) -> int:
    async with browser(kit) as client:
        response = await client.get(
            "/admin/events", headers=[(b"cookie", cookie.encode("latin-1"))]
        )
    return response.status_code


async def test_another_databases_cookie_is_refused(tmp_path: Path) -> None:
    """Even if encryption key, app and API key are the same."""
    ring = (Secret(new_encryption_key()),)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    async with (
        running(tmp_path / "a", encryption_keys=ring) as one,
        running(tmp_path / "b", encryption_keys=ring) as other,
    ):
        key = await new_key(one)
        async with one.service.context.store.reading() as tx:
            (row,) = await tx.api_keys.all()
        async with other.service.context.store.transaction() as tx:
            await tx.api_keys.add(row)
        async with browser(one) as client:
            await client.post("/admin/sign-in", data={"key": key})
            cookie = f"{COOKIE}={client.cookies[COOKIE]}"
        assert one.settings.client_id == other.settings.client_id
        assert (200, 303) == (await _open_with(one, cookie), await _open_with(other, cookie))


async def test_two_cookies_or_a_changed_one_are_refused(signed_in: Desk) -> None:
    """A second cookie may have been tossed in; a changed time or letter breaks the seal."""
    kit, value = signed_in.kit, signed_in.client.cookies[COOKIE]
    assert 200 == await _open_with(kit, f"{COOKIE}={value}")
    issued_at, _, sealed = value.partition(".")
    spoilt = [
        f"{COOKIE}={value}; {COOKIE}={value}",
        f"{COOKIE}={value}; {COOKIE}=",
        f"{COOKIE}={int(issued_at) - 1}.{sealed}",
        f"{COOKIE}={issued_at}.{sealed[:-2]}",
        f"{COOKIE}={issued_at}.{sealed[:60]}{'A' if sealed[60] != 'A' else 'B'}{sealed[61:]}",
        f"{COOKIE}={issued_at}.{'A' * 80}",
        f"{COOKIE}={issued_at}.",
        f"{COOKIE}=",
        f"paraph-operator={value}",
        f"\xa0{COOKIE}={value}",
    ]
    for cookie in spoilt:
        assert 303 == await _open_with(kit, cookie), cookie


async def test_a_key_removed_from_the_ring_ends_the_session(signed_in: Desk) -> None:
    """The operator is asked to sign in again."""
    context = signed_in.kit.service.context
    cookies = await begun(context)
    ring = type(context.ring).parse([new_encryption_key()])
    assert await Sessions(replace(context, ring=ring)).find(cookies) is None
