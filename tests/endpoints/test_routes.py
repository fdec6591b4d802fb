"""What every URL of the public side has in common: headers, methods, exact paths, no traces."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from paraph.endpoints import readiness
from paraph.endpoints.pages import Pages
from paraph.endpoints.routes import PageRoutes, PublicSide
from paraph.errors import StorageError
from paraph.http.body import BodyReader
from service_kit import Kit, running

pytestmark = pytest.mark.anyio

PAGES = ["/install", "/oauth/redirect?code=x", "/marketplace", "/installed", "/healthz", "/readyz"]
WANTED = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
}


async def no_body() -> Any:
    """No body comes."""
    raise AssertionError("nobody reads a body here")


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A service that was never used."""
    async with running(
        tmp_path,
        verify_zoom="<p>ZOOM_verify_abc</p>",
        security_contact="mailto:security@tidemark.example",
        trusted_proxies=(ipaddress.ip_network("127.0.0.0/8"),),
    ) as kit:
        yield kit


async def test_a_delivery_is_answered_with_what_a_machine_needs(kit: Kit) -> None:
    """No browser shows it: transport security, no sniffing, no caching, and nothing else."""
    async with kit.browser() as sender:
        answer = await sender.post("/webhook", content=b"{}")
    assert 401 == answer.status_code
    for name in ("strict-transport-security", "x-content-type-options", "cache-control"):
        assert WANTED[name] == answer.headers[name]


@pytest.mark.parametrize("path", [*PAGES, "/", "/nowhere", "/v1/installations"])
async def test_every_answer_carries_the_security_headers(kit: Kit, path: str) -> None:
    """Pages, redirects, errors and refusals alike, the four that Zoom demands among them."""
    async with kit.browser() as browser:
        for method in ("GET", "POST", "OPTIONS"):
            answer = await browser.request(method, path)
            assert WANTED == {name: answer.headers.get(name) for name in WANTED}
            policy = answer.headers["content-security-policy"]
            for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
                assert part in policy
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", PAGES)
async def test_only_get_reaches_a_page(kit: Kit, path: str) -> None:
    """HEAD, POST and the rest do nothing: a link scanner must not use anything up."""
    async with kit.browser() as browser:
        for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO"):
            answer = await browser.request(method, path)
            assert (405, "GET") == (answer.status_code, answer.headers["allow"])


@pytest.mark.parametrize(
    "path",
    [
        "/oauth/redirect/",
        "//oauth/redirect",
        "/OAUTH/redirect",
        "/oauth/redirect;x",
        "/oauth%2fredirect",
    ],
)
async def test_another_spelling_is_another_page(kit: Kit, path: str) -> None:
    """No variant of a path reaches a handler."""
    async with kit.browser() as browser:
        assert 404 == (await browser.get(path)).status_code


async def test_the_private_side_is_not_on_the_public_listener(kit: Kit) -> None:
    """Management API, metrics and operator pages are nowhere on the public side."""
    async with kit.browser() as browser:
        for path in (
            "/v1/installations",
            "/v1/openapi.json",
            "/openapi.json",
            "/docs",
            "/metrics",
            "/admin/",
        ):
            assert 404 == (await browser.get(path)).status_code


async def test_pages_from_the_settings(kit: Kit) -> None:
    """Domain verification and the security contact are served as they were set."""
    async with kit.browser() as browser:
        zoom = await browser.get("/zoomverify/verifyzoom.html")
        contact = await browser.get("/.well-known/security.txt")

    assert "<p>ZOOM_verify_abc</p>" == zoom.text
    assert "Contact: mailto:security@tidemark.example" in contact.text
    assert "Expires: 20" in contact.text


async def test_what_came_in_clear_is_not_processed(kit: Kit) -> None:
    """A proxy that says http: nothing is begun, taken or consumed (RFC 9700 section 2.6)."""
    transport = httpx.ASGITransport(kit.service.public, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(
        transport=transport, base_url="https://app.example", headers={"x-forwarded-proto": "http"}
    ) as browser:
        for method, path in (("GET", "/install"), ("GET", "/oauth/redirect"), ("POST", "/webhook")):
            answer = await browser.request(method, path)
            assert 400 == answer.status_code
            assert "set-cookie" not in answer.headers


async def test_host_headers_shape_nothing(kit: Kit) -> None:
    """The redirect URI is the configured one, whatever Host and Forwarded say."""
    spoofed = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "forwarded": "host=evil.example;proto=http",
        "x-original-url": "/v1/installations",
    }
    async with kit.browser() as browser:
        answer = await browser.get("/install?redirect_uri=https://evil.example", headers=spoofed)

    assert 303 == answer.status_code
    assert "evil" not in answer.headers["location"]
    assert "https%3A%2F%2Fapp.example%2Foauth%2Fredirect" in answer.headers["location"]


async def test_ready_says_what_is_wrong(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready while the database answers and the clock agrees with Zoom's; else 503."""
    async with kit.browser() as browser:
        await kit.install(browser)
        well = await browser.get("/readyz")
        store = kit.service.context.store

        async def fail() -> None:
            raise StorageError("the disk is full")

        monkeypatch.setattr(store, "ping", fail)
        monkeypatch.setattr(readiness, "LOOK_SECONDS", 0)
        broken = await browser.get("/readyz")

    skew = well.json()["clock_skew_seconds"]
    assert {
        "ready": True,
        "draining": False,
        "database": True,
        "clock_skew_seconds": skew,
        "forwarding_paused_since": None,
        "database_clock_ahead_seconds": 0,
        "hears_other_processes": False,
        "late_deliveries": 0,
        "late_by_seconds": None,
    } == well.json()
    assert abs(skew) <= 2
    assert (503, False) == (broken.status_code, broken.json()["database"])
    assert "disk" not in broken.text


async def test_many_who_ask_cost_one_look(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can ask whether the service is ready: a flood of it must not take writers' turns."""
    store, looks = kit.service.context.store, []
    ping = store.ping

    async def counted() -> None:
        looks.append(1)
        await ping()

    monkeypatch.setattr(store, "ping", counted)
    monkeypatch.setattr(readiness, "LOOK_SECONDS", 3600)
    async with kit.browser() as browser:
        answers = await asyncio.gather(*(browser.get("/readyz") for _ in range(50)))

    assert {200} == {answer.status_code for answer in answers}
    assert 1 == len(looks)


async def test_a_server_that_tells_no_raw_path_is_served(kit: Kit) -> None:
    """ASGI leaves `raw_path` to the server; without it the decoded path decides."""
    sent = []

    async def healthz(_visit: object) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def send(message: Any) -> None:
        sent.append(message)

    pages = Pages("x", "/install")
    table = PageRoutes(kit.settings, pages, headers=()).table({"/healthz": healthz})
    side = PublicSide(table, pages, headers=(), bodies=BodyReader())
    scope = {"type": "http", "method": "GET", "path": "/healthz", "headers": []}
    await side(scope, receive=no_body, send=send)

    assert 200 == sent[0]["status"]


async def test_our_own_mistakes_show_a_page(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen exception is a page and a log line, never a stack trace."""

    def explode(*_arguments: object) -> object:
        raise RuntimeError("/secret/path and a value")

    monkeypatch.setattr("paraph.endpoints.install.begin", explode)
    async with kit.browser() as browser:
        answer = await browser.get("/install")

    assert 500 == answer.status_code
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert WANTED == {name: answer.headers.get(name) for name in WANTED}


async def test_what_is_no_link_request_costs_no_budget(tmp_path: Path) -> None:
    """Rubbish in `request` is refused for nothing, and an honest start works right afterwards."""
    async with running(tmp_path, linking="host") as kit, kit.browser() as browser:
        for number in range(300):
            answer = await browser.get(f"/install?request=rubbish-{number}")
            assert 404 == answer.status_code
        api = await kit.api("link")
        wish = {"subject": "ada", "challenge": "c" * 43}
        begun = await api.post("/v1/link-requests", json=wish)
        assert 303 == (await browser.get(begun.json()["install_url"])).status_code
        await api.aclose()


async def test_starts_have_a_budget_and_cost_no_row(kit: Kit) -> None:
    """A flood of starts ends in 429 for its address, and stores nothing."""
    async with kit.browser() as browser:
        statuses = []
        for _ in range(150):
            browser.cookies.clear()
            statuses.append((await browser.get("/install")).status_code)

    assert {303, 429} == set(statuses)
    assert 120 <= statuses.count(303) <= 130
    async with kit.service.context.store.reading() as tx:
        assert 0 == len(await tx.audit.page(after=0, limit=10))
