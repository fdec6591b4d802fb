"""Rules of every operator page: access, responses, and content that is never shown."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from admin.operators import COOKIE, ORIGIN, Desk, browser, desk, new_key, sign_in
from paraph.admin import operator_request
from paraph.errors import StorageError
from paraph.model.event import EventStatus
from service_kit import ACCOUNT, running

pytestmark = pytest.mark.anyio

PAGES = ("/admin/events", "/admin/installations", "/admin/audit")
ACTS = ("/admin/audit/verify", "/admin/sign-out", "/admin/dead-letters/redeliver")


async def test_pages_need_a_session(signed_in: Desk) -> None:
    """A browser without a session gets only the sign-in form, and no action is done."""
    event_id = await signed_in.keep(1)
    async with browser(signed_in.kit) as stranger:
        for path in (*PAGES, "/admin/", "/admin", f"/admin/events/{event_id}"):
            response = await stranger.get(path)
            assert (303, b"") == (response.status_code, response.content)
            assert response.headers["location"].startswith("/admin/sign-in")
        for path in (*ACTS, f"/admin/events/{event_id}/redeliver"):
            assert 303 == (await stranger.post(path, data={"csrf_token": ""})).status_code
    assert EventStatus.DEAD is (await signed_in.event(event_id)).status


async def test_an_action_needs_the_csrf_token_of_its_session(signed_in: Desk) -> None:
    """None, a wrong one, another session's, or two: nothing is done."""
    event_id = await signed_in.keep(1)
    path = f"/admin/events/{event_id}/redeliver"
    csrf_token = await signed_in.csrf_token()
    async with browser(signed_in.kit) as client:
        await sign_in(client, await new_key(signed_in.kit))
        other = Desk(signed_in.kit, client, "")
        foreign = await other.csrf_token()
    assert csrf_token != foreign
    for fields in (
        {},
        {"csrf_token": ""},
        {"csrf_token": foreign},
        {"csrf_token": [csrf_token, csrf_token]},
    ):
        response = await signed_in.client.post(path, data={"x": "y", **fields})
        assert 403 == response.status_code, fields
    assert EventStatus.DEAD is (await signed_in.event(event_id)).status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "https://localhost:8000", "sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_a_foreign_form_does_nothing(signed_in: Desk, headers: dict[str, str]) -> None:
    """Even with the cookie and the CSRF token; it signs in no person and costs no attempt."""
    event_id = await signed_in.keep(1)
    csrf_token = await signed_in.csrf_token()
    for path in (*ACTS, f"/admin/events/{event_id}/redeliver"):
        response = await signed_in.client.post(
            path, data={"csrf_token": csrf_token}, headers=headers
        )
        assert 403 == response.status_code
    for _ in range(12):
        response = await signed_in.client.post(
            "/admin/sign-in", data={"key": signed_in.key}, headers=headers
        )
        assert (403, False) == (response.status_code, "set-cookie" in response.headers)
    assert EventStatus.DEAD is (await signed_in.event(event_id)).status
    assert 303 == (await sign_in(signed_in.client, signed_in.key)).status_code


async def test_a_foreign_name_is_refused(signed_in: Desk) -> None:
    """A browser that was led here under another name sees no page, not even the form."""
    for path in (*PAGES, "/admin/sign-in", "/admin/static/operator.css", "/admin/nowhere"):
        response = await signed_in.client.get(path, headers={"host": "rebound.evil.example:8001"})
        assert (421, True) == (response.status_code, "not served under this name" in response.text)


async def test_the_configured_name_is_served(tmp_path: Path) -> None:
    """Where a proxy ends TLS: the pages and their forms, under that origin and no other."""
    url = "https://operators.tidemark.example"
    async with running(tmp_path, operator_url=url) as kit:
        key = await new_key(kit)
        async with browser(kit, url) as client:
            assert 303 == (await sign_in(client, key)).status_code
            assert 200 == (await client.get("/admin/events")).status_code
            response = await client.post(
                "/admin/sign-in", data={"key": key}, headers={"origin": "https://localhost:8001"}
            )
            assert 403 == response.status_code


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
async def test_other_methods_are_refused(signed_in: Desk, method: str) -> None:
    """A 405 names the methods of the path."""
    for path, allowed in (
        *((page, "GET") for page in PAGES),
        *((act, "POST") for act in ACTS),
        ("/admin/sign-in", "GET, POST"),
        ("/admin/static/operator.css", "GET"),
    ):
        response = await signed_in.client.request(method, path)
        assert (405, allowed) == (response.status_code, response.headers["allow"])
    for path in ACTS:
        assert 405 == (await signed_in.get(path)).status_code


@pytest.mark.parametrize(
    "path",
    [
        "/admin/nowhere",
        "/admin//",
        "/admin/events/",
        "/admin/events/..%2f..%2fetc",
        "/admin/events/abc",
        "/admin/%65vents",
        "/admin/static/../app.py",
        "/admin/static/%2e%2e",
        "/admin/static/nothing.css",
        "/admin/events/" + "a" * 500,
        "/admin/%00",
        "/admin/%ff%fe",
    ],
)
async def test_an_unknown_path_is_a_page(signed_in: Desk, path: str) -> None:
    """A 404 with a link back, with a session or without; another spelling is another path."""
    url = httpx.URL(ORIGIN).copy_with(raw_path=path.encode("latin-1"))
    response = await signed_in.client.get(url)
    assert (404, True) == (response.status_code, 'href="/admin/events"' in response.text)


@pytest.mark.parametrize("path", ["/administration", "/adminx", "/Admin/", "/v1/admin/"])
async def test_a_neighbouring_address_is_the_apis(signed_in: Desk, path: str) -> None:
    """Only `/admin` and what is below it are pages."""
    response = await signed_in.get(path)
    assert (404, "application/problem+json") == (
        response.status_code,
        response.headers["content-type"],
    )


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"key=" + b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"key=" + b"%61" * 600, "application/x-www-form-urlencoded", 400),
        (b"&" * 4000, "application/x-www-form-urlencoded", 400),
        (b"a=b&" * 5000, "application/x-www-form-urlencoded", 413),
        (b"a=b&" * 200, "application/x-www-form-urlencoded", 400),
        (b"key=%ff%fe", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded", 400),
        (b'{"key": "x"}', "application/json", 415),
        (b"key=x", "text/plain", 415),
        (b"", "application/x-www-form-urlencoded", 403),
    ],
)
async def test_a_body_is_a_small_form(
    signed_in: Desk, content: bytes, media_type: str, status: int
) -> None:
    """With a session or without, any other body is refused with a page."""
    for path in ("/admin/sign-in", "/admin/audit/verify"):
        response = await signed_in.client.post(
            path, content=content, headers={"content-type": media_type}
        )
        assert (status, True) == (response.status_code, "<h1>" in response.text)


@pytest.mark.parametrize("query", [b"%ff", b"a=b&" * 300, b"&&&===", b"x" * 30_000])
async def test_no_query_is_an_error_of_ours(signed_in: Desk, query: bytes) -> None:
    """A query is parsed or refused, never a 500."""
    for path in (b"/admin/events?", b"/admin/sign-in?", b"/admin/audit?"):
        url = httpx.URL(ORIGIN).copy_with(raw_path=path + query)
        assert (await signed_in.client.get(url)).status_code in {200, 400}


async def test_any_bytes_are_answered(signed_in: Desk) -> None:
    """Any path, query, headers and body get a page, and never a 500."""
    dice = random.Random(7)
    cookie = f"{COOKIE}={signed_in.client.cookies[COOKIE]}".encode()
    for _ in range(400):
        noise = [dice.randbytes(dice.randrange(60)) for _ in range(6)]
        headers = [
            (b"host", dice.choice([b"localhost:8001", noise[0]])),
            (b"origin", dice.choice([b"http://localhost:8001", noise[1]])),
            (b"cookie", dice.choice([cookie, cookie[:-1], noise[2]])),
            (b"content-type", dice.choice([b"application/x-www-form-urlencoded", noise[3]])),
        ]
        path = dice.choice([b"/admin/", b"/admin/events", b"/admin/events/", b"/admin/sign-in"])
        status = await asked(
            signed_in.kit.service.private,
            method=dice.choice(["GET", "POST"]),
            raw_path=path + dice.choice([b"", noise[4]]),
            query=dice.choice([b"", b"after=" + noise[5], b"status=dead&after=" + noise[5]]),
            headers=headers,
            body=dice.choice([b"", noise[5], b"key=" + noise[5], b"csrf_token=" + noise[4]]),
        )
        assert 200 <= status < 500


async def asked(
    app: Any,
    *,
    method: str,
    raw_path: bytes,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes = b"",
    receive: Callable[[], Awaitable[dict[str, Any]]] | None = None,
) -> int:
    """The status of a request that no well-behaved client would send."""
    scope = {
        "type": "http",
        "method": method,
        "path": raw_path.decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 1),
    }
    statuses: list[int] = []

    async def at_once() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive or at_once, send)
    (status,) = statuses
    return status


async def test_a_form_that_does_not_arrive_times_out(
    signed_in: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow form ends after some seconds."""
    monkeypatch.setattr(operator_request, "READ_SECONDS", 0.05)

    async def never() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    headers = [
        (b"host", b"localhost"),
        (b"origin", b"http://localhost"),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
    assert 408 == await asked(
        signed_in.kit.service.private,
        method="POST",
        raw_path=b"/admin/sign-in",
        query=b"",
        headers=headers,
        receive=never,
    )


async def test_on_every_kind_of_store(database_url: str, tmp_path: Path) -> None:
    """Sign-in, pages, redelivery, refusal and sign-out."""
    async with desk(tmp_path, database_url=database_url) as one:
        dead, gone = await one.keep(1), await one.keep(2, body=None)
        for path in (*PAGES, "/admin/events?status=dead", f"/admin/events?after={dead}"):
            assert 200 == (await one.get(path)).status_code
        assert 303 == (await one.press(f"/admin/events/{dead}/redeliver")).status_code
        assert 400 == (await one.press(f"/admin/events/{gone}/redeliver")).status_code
        assert 200 == (await one.press("/admin/audit/verify")).status_code
        kept = one.client.cookies[COOKIE]
        assert 303 == (await one.press("/admin/sign-out")).status_code
        response = await one.client.get("/admin/events", headers={"cookie": f"{COOKIE}={kept}"})
        assert "/admin/sign-in" == response.headers["location"]


async def test_every_response_has_the_headers_of_pages(signed_in: Desk) -> None:
    """Each header once, with any status: nothing is cached or loaded from other sites."""
    event_id = await signed_in.keep(1)
    responses = [
        *[await signed_in.get(path) for path in (*PAGES, f"/admin/events/{event_id}")],
        await signed_in.get("/admin/static/operator.css"),
        await signed_in.get("/admin/nowhere"),
        await signed_in.client.put("/admin/events"),
        await signed_in.client.get("/admin/", headers={"host": "evil.example"}),
        await signed_in.client.post("/admin/sign-in", data={"key": "x"}),
        await signed_in.press("/admin/sign-out"),
        await signed_in.get("/admin/"),
    ]
    assert {200, 303, 403, 404, 405, 421} == {response.status_code for response in responses}
    for response in responses:
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert "script-src" not in policy
        for name, value in (
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ):
            assert [value] == response.headers.get_list(name)
        assert "http://" not in response.text.replace("http://www.w3.org", "").replace(
            "http://127.0.0.1:8001/admin/", ""
        )
        assert "<script" not in response.text and " style=" not in response.text


async def test_nothing_personal_or_secret_stands_in_a_page(signed_in: Desk) -> None:
    """No body, e-mail, name, token, key or user of an event, on any page in any state."""
    kit = signed_in.kit
    await kit.post_webhook(
        "meeting.ended", {"account_id": ACCOUNT, "object": {"topic": "canary-topic"}}
    )
    dead = await signed_in.keep(1)
    (one,) = await kit.installations()
    tokens = one.grant.tokens
    assert one.grant.email and tokens.refresh_token is not None
    pages = [
        *[await signed_in.get(path) for path in PAGES],
        await signed_in.get("/admin/events?status=dead"),
        await signed_in.get(f"/admin/events/{dead}"),
        await signed_in.press("/admin/audit/verify"),
        await signed_in.press(f"/admin/events/{dead}/redeliver"),
        await signed_in.get(f"/admin/events/{dead}?redelivered=1"),
        await signed_in.client.post("/admin/sign-in", data={"key": signed_in.key[:-1]}),
    ]
    _, _, secret = signed_in.key.split("_", 2)
    hidden = (
        "canary-topic",
        "canary-user",
        one.grant.email,
        one.grant.display_name,
        tokens.access_token.reveal(),
        tokens.refresh_token.reveal(),
        secret[:-1],
        kit.settings.client_secret.reveal(),
    )
    for page in pages:
        for text in hidden:
            assert text not in page.text, page.url


async def test_a_store_that_fails_is_a_page(
    signed_in: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with the remedy, and without the database's own text."""

    async def fail(*_arguments: Any) -> Any:
        raise StorageError("canary-detail")

    monkeypatch.setattr(type(signed_in.kit.service.context.store), "read_access", fail)
    response = await signed_in.get("/admin/events")
    assert (503, True) == (response.status_code, "cannot keep anything" in response.text)
    assert "canary" not in response.text


async def test_an_unexpected_error_is_a_page(
    signed_in: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 as a page with a link back, without the cause."""

    async def fail(*_arguments: Any) -> Any:
        raise RuntimeError("canary-cause")

    monkeypatch.setattr(type(signed_in.kit.service.context.store), "read_access", fail)
    for response in (
        await signed_in.get("/admin/events"),
        await sign_in(signed_in.client, signed_in.key),
    ):
        assert (500, True) == (response.status_code, "<h1>" in response.text)
        assert "canary" not in response.text
        assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_the_public_side_has_no_operator_pages(signed_in: Desk) -> None:
    """Not even for an operator who is signed in."""
    cookies = {"cookie": f"{COOKIE}={signed_in.client.cookies[COOKIE]}"}
    async with signed_in.kit.browser() as public:
        for path in ("/admin", "/admin/", *PAGES, "/admin/sign-in", "/admin/static/operator.css"):
            assert 404 == (await public.get(path, headers=cookies)).status_code
