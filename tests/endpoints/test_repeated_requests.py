"""The same outcome again: double click, reload and back, in the browser that began."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from paraph.errors import StorageError
from paraph.lifecycle.context import Context
from paraph.service.app import Service, open_service
from service_kit import ACCOUNT, JANE, PUBLIC_URL, Kit, agree_as, public_side, running

pytestmark = pytest.mark.anyio


def cookies_of(browser: httpx.AsyncClient) -> str:
    """The Cookie header that this browser sends."""
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


@asynccontextmanager
async def tab(service: Service, cookies: str = "") -> AsyncIterator[httpx.AsyncClient]:
    """A request of a browser with these cookies, which takes no notice of new ones."""
    transport = httpx.ASGITransport(service.public)
    headers = {"cookie": cookies} if cookies else {}
    async with httpx.AsyncClient(
        transport=transport, base_url=PUBLIC_URL, headers=headers
    ) as client:
        yield client


def shifted(context: Context, seconds: int) -> Context:
    """The same context, later."""
    return replace(context, clock=lambda: context.clock() + seconds)


async def begin_linked(kit: Kit, api: httpx.AsyncClient, browser: httpx.AsyncClient) -> list[str]:
    """Begin a flow for the host; where Zoom sends the browser, and the host's verifier."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    begun = await api.post("/v1/link-requests", json={"subject": "ada", "challenge": challenge})
    return [await kit.agree(await browser.get(begun.json()["install_url"])), verifier]


async def test_a_reload_gets_the_outcome_again(tmp_path: Path) -> None:
    """Without linking a second request of the same browser is sent to the same page."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        first = await browser.get(location)
        assert "Max-Age=60" in first.headers["set-cookie"]
        again = await browser.get(location)
        back = await browser.get(location.replace("code=", "code=another-"))
        for one in (first, again, back):
            assert (303, "/installed") == (one.status_code, one.headers["location"])
        assert len(kit.token_requests()) == 1
        assert len(await kit.installations()) == 1


@pytest.mark.parametrize("linking", ["none", "host"])
async def test_two_requests_at_once_on_two_replicas_get_one_outcome(
    tmp_path: Path, database_url: str, linking: str
) -> None:
    """A double click whose requests reach two replicas at once: one exchange, one outcome."""
    async with (
        running(tmp_path, database_url=database_url, linking=linking) as kit,
        kit.browser() as browser,
        open_service(kit.settings) as other,
    ):
        if linking == "host":
            api = await kit.api("link")
            location, _ = await begin_linked(kit, api, browser)
            await api.aclose()
        else:
            location = await kit.agree(await browser.get("/install"))
        cookies = cookies_of(browser)
        kit.zoom.simulator.faults.switch_on("token_slow", {"seconds": 0.5, "times": 1})
        async with tab(kit.service, cookies) as one, tab(other, cookies) as two:
            answers = await asyncio.gather(*(each.get(location) for each in (one, two, one, two)))
        assert {303} == {each.status_code for each in answers}
        (target,) = {each.headers["location"] for each in answers}
        assert target.startswith(
            "/installed" if linking == "none" else f"{kit.settings.link_url}?handoff="
        )
        assert len(kit.token_requests()) == 1


async def test_a_handoff_is_repeated_until_it_is_claimed(tmp_path: Path) -> None:
    """With linking the same handoff comes again; once it is claimed the page says to continue."""
    async with running(tmp_path, linking="host") as kit, kit.browser() as browser:
        api = await kit.api("link", "read")
        location, verifier = await begin_linked(kit, api, browser)
        first, again = await browser.get(location), await browser.get(location)
        assert first.status_code == 303
        assert first.headers["location"] == again.headers["location"]
        (handoff,) = parse_qs(urlsplit(first.headers["location"]).query)["handoff"]
        claimed = await api.post(
            "/v1/handoffs/claim", json={"handoff": handoff, "verifier": verifier}
        )
        assert claimed.status_code == 200
        late = await browser.get(location)
        assert late.status_code == 400
        assert "Continue in Tidemark" in late.text
        assert handoff not in late.text
        assert len(kit.token_requests()) == 1
        await api.aclose()


async def test_another_browser_gets_no_outcome(tmp_path: Path) -> None:
    """The URL alone, or with a cookie of another flow, is refused; the owner is not disturbed."""
    async with running(tmp_path, linking="host") as kit, kit.browser() as browser:
        api = await kit.api("link")
        location, _ = await begin_linked(kit, api, browser)
        first = await browser.get(location)
        async with tab(kit.service) as bare, kit.browser() as other:
            await begin_linked(kit, api, other)
            for stranger in (bare, other):
                refused = await stranger.get(location)
                assert refused.status_code == 400
                assert "handoff" not in str(refused.headers)
        again = await browser.get(location)
        assert first.headers["location"] == again.headers["location"]
        await api.aclose()


async def test_a_removed_installation_is_not_called_installed(tmp_path: Path) -> None:
    """A reload after the removal does not say that the app is installed."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        await browser.get(location)
        api = await kit.api("remove")
        (one,) = await kit.installations()
        assert (await api.delete(f"/v1/installations/{one.link.link_id}")).status_code == 200
        late = await browser.get(location)
        assert late.status_code == 400
        assert "This was already used" in late.text
        await api.aclose()


async def test_a_failure_is_told_again(tmp_path: Path) -> None:
    """A reload of a failed flow shows the same failure and asks Zoom for nothing."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        kit.zoom.simulator.faults.switch_on("token_scope_missing", {"times": 1})
        location = await kit.agree(await browser.get("/install"))
        first, again = await browser.get(location), await browser.get(location)
        assert first.status_code == 403
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert "Missing: user:read:user." in again.text
        assert len(kit.token_requests()) == 1


async def test_a_no_at_zoom_is_told_again_at_once(tmp_path: Path) -> None:
    """A reload after a no waits for nothing, also where another error stands in the URL."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        agree_as(kit.zoom, JANE, "deny")
        location = await kit.agree(await browser.get("/install"))
        other = location.replace("access_denied", "%3Cscript%3E")
        async with asyncio.timeout(5):
            answers = [await browser.get(url) for url in (location, location, other)]
        assert {(403, answers[0].content)} == {(one.status_code, one.content) for one in answers}
        assert kit.token_requests() == []


async def test_a_request_that_was_never_processed_can_be_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow that the database did not take is unused: loading the page again finishes it."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))

        def fail(*_arguments: object) -> None:
            raise StorageError("the database is away")

        with monkeypatch.context() as patched:
            patched.setattr(kit.service.context.store, "transaction", fail)
            assert (await browser.get(location)).status_code == 503
        done = await browser.get(location)
        assert (303, "/installed") == (done.status_code, done.headers["location"])
        assert [ACCOUNT, JANE] == [
            value
            for one in await kit.installations()
            for value in (one.grant.identity.account_id, one.grant.identity.user_id)
        ]


async def test_an_outcome_lasts_a_minute_whenever_the_flow_ended(tmp_path: Path) -> None:
    """A flow that ended in its tenth minute can be loaded again in the eleventh, then no more."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        cookies, context = cookies_of(browser), kit.service.context
        ahead = [590, 640, 655]
        answers = []
        for each in (shifted(context, seconds) for seconds in ahead):
            transport = httpx.ASGITransport(public_side(kit, each))
            async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as one:
                answers.append(await one.get(location, headers={"cookie": cookies}))
        assert [303, 303, 400] == [one.status_code for one in answers]
        assert "This took too long" in answers[2].text
        assert len(kit.token_requests()) == 1


async def test_a_flow_is_begun_no_later_for_the_minute(tmp_path: Path) -> None:
    """The minute of the outcome is no longer lifetime: an unfinished flow ends after ten."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        context = kit.service.context
        late = shifted(context, 630)
        transport = httpx.ASGITransport(public_side(kit, late))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as one:
            answer = await one.get(location, headers={"cookie": cookies_of(browser)})
        assert answer.status_code == 400
        assert "This took too long" in answer.text
        assert kit.token_requests() == []
