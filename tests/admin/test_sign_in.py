"""Sign-in, its refusals, and the end of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from admin.operators import COOKIE, Desk, browser, new_key, sign_in
from paraph.admin.sign_in import destination
from paraph.lifecycle.api_key import revoke_key
from service_kit import running

pytestmark = pytest.mark.anyio


async def test_an_operators_key_signs_in(signed_in: Desk) -> None:
    """The form sets a cookie for this host and one hour, and the pages open."""
    async with browser(signed_in.kit) as client:
        response = await sign_in(client, f"  {signed_in.key}\n")
        cookie = response.headers["set-cookie"]
        assert (303, "/admin/events") == (response.status_code, response.headers["location"])
        assert cookie.startswith(f"{COOKIE}=")
        assert cookie.endswith("; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Strict")
        assert 200 == (await client.get("/admin/events")).status_code


async def test_every_failure_looks_alike(tmp_path: Path) -> None:
    """Unknown, wrong, revoked, limited, without `read`, or no key at all: one and the same page."""
    async with running(tmp_path) as kit:
        good, revoked = await new_key(kit), await new_key(kit)
        await revoke_key(kit.service.context, revoked.split("_")[1])
        keys = [
            await new_key(kit, "link", "vend", "proxy", "remove"),
            await new_key(kit, subject_prefix="tenant-a:"),
            revoked,
            good[:-1] + ("A" if good[-1] != "A" else "B"),
            f"paraph_{'0' * 12}_{'x' * 43}",
            "nothing",
            "",
            "é\0\ud800" * 9,
        ]
        responses = []
        for key in keys:
            async with browser(kit) as client:
                responses.append(await sign_in(client, key.encode("utf-8", "replace").decode()))
                assert "set-cookie" not in responses[-1].headers
                refused = await client.get("/admin/events")
                assert "/admin/sign-in" == refused.headers["location"]
    assert {(403, responses[0].content)} == {(a.status_code, a.content) for a in responses}


async def test_failures_are_limited_and_successes_are_free(tmp_path: Path) -> None:
    """After ten failures an address has to wait, also with a valid key."""
    async with running(tmp_path) as kit, browser(kit) as client:
        good = await new_key(kit)
        for _ in range(15):
            assert 303 == (await sign_in(client, good)).status_code
        failures = [(await sign_in(client, "nothing")).status_code for _ in range(12)]
        assert [403] * 10 + [429] * 2 == failures
        late = await sign_in(client, good)
        assert (429, "60") == (late.status_code, late.headers["retry-after"])


async def test_a_failed_sign_in_stores_nothing(tmp_path: Path) -> None:
    """The audit has the sign-ins that succeeded; a failure writes nothing."""
    async with running(tmp_path) as kit, browser(kit) as client:
        key = await new_key(kit)
        async with kit.service.context.store.reading() as tx:
            before = await tx.audit.head()
        await sign_in(client, "nothing")
        async with kit.service.context.store.reading() as tx:
            assert before == await tx.audit.head()
        await sign_in(client, key)
        async with kit.service.context.store.reading() as tx:
            head = await tx.audit.head()
    assert head is not None
    assert ("operator.signed_in", {"key_id": key.split("_")[1]}) == (head.action, head.details)


async def test_a_revoked_key_ends_its_session(signed_in: Desk) -> None:
    """The next page ends it and deletes the cookie."""
    assert 200 == (await signed_in.get("/admin/audit")).status_code
    await revoke_key(signed_in.kit.service.context, signed_in.key.split("_")[1])
    response = await signed_in.get("/admin/audit")
    assert (303, "/admin/sign-in?back=/admin/audit") == (
        response.status_code,
        response.headers["location"],
    )
    assert "Max-Age=0" in response.headers["set-cookie"]


async def test_signing_out_ends_a_copy_of_the_cookie_too(signed_in: Desk) -> None:
    """A copy of the cookie no longer works; the audit records sign-in and sign-out."""
    kept = signed_in.client.cookies[COOKIE]
    response = await signed_in.press("/admin/sign-out")
    assert (303, "/admin/sign-in") == (response.status_code, response.headers["location"])
    async with browser(signed_in.kit) as other:
        again = await other.get("/admin/events", headers={"cookie": f"{COOKIE}={kept}"})
    assert 303 == again.status_code
    key_id = {"key_id": signed_in.key.split("_")[1]}
    assert [("operator.signed_in", key_id), ("operator.signed_out", key_id)] == (
        await signed_in.audited()
    )


async def test_sign_in_returns_to_the_requested_page(signed_in: Desk) -> None:
    """The form redirects to the page that was requested."""
    event_id = "a" * 64
    async with browser(signed_in.kit) as client:
        asked = await client.get(f"/admin/events/{event_id}")
        form = await client.get(asked.headers["location"])
        assert f'name="back" value="/admin/events/{event_id}"' in form.text
        response = await sign_in(client, signed_in.key, back=f"/admin/events/{event_id}")
        assert f"/admin/events/{event_id}" == response.headers["location"]


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/admin/events",
        "/admin/events/../../evil",
        "/admin/events\r\nx: y",
        "/admin/sign-out",
        "",
    ],
)
async def test_sign_in_redirects_only_to_these_pages(back: str) -> None:
    """Any other path becomes the first page."""
    assert "/admin/events" == destination(back)


async def test_a_link_from_another_site_offers_to_go_on(signed_in: Desk) -> None:
    """The browser withheld a valid cookie: a link continues without signing in again."""
    async with browser(signed_in.kit) as client:
        path = "/admin/sign-in?back=/admin/audit"
        led = await client.get(path, headers={"sec-fetch-site": "cross-site"})
        own = await client.get(path)
    assert '<a href="/admin/audit">continue</a>' in led.text
    assert "continue" not in own.text
