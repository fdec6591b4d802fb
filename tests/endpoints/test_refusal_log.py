"""The cause of each refusal page stands in one log line at level DEBUG, and nothing secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from paraph import Zoom
from paraph.installs.refusal_log import EVENT, LOGGER
from service_kit import (
    JANE,
    PUBLIC_URL,
    Kit,
    agree_as,
    public_side,
    running,
    settings_for,
    simulated_zoom,
)

pytestmark = pytest.mark.anyio

STATE = "A" * 43
CAUSES = """\
no_cookie: the browser sent no cookie of this flow
other_cookies: the state is of another flow; the browser sent cookies of 1
doubled_cookie: the browser sent 2 cookies of this flow
forged_cookie: the cookie of this flow was changed, or sealed with another key or client
authorization_expired: the authorization request expired N s ago
authorization_expired: the authorization request expired N s ago
authorization_response_invalid: the response has no state: the install did not start in the app
authorization_response_invalid: an error response without state
message_malformed: the query has code more than once
issuer_mismatch: the response names another issuer
""".splitlines()


@pytest.fixture
def causes(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives the reasons and causes logged since the last call."""
    caplog.set_level(logging.DEBUG, LOGGER)

    def taken() -> list[str]:
        lines = [one.getMessage() for one in caplog.records if one.name == LOGGER]
        caplog.clear()
        assert all(line.startswith(f"{EVENT}: ") for line in lines)
        return [line.removeprefix(f"{EVENT}: ") for line in lines]

    return taken


async def get(kit: Kit, path: str, cookies: str = "", *, late: int = 0) -> httpx.Response:
    """A request to the service, whose clock may be later."""
    context = kit.service.context
    moved = replace(context, clock=lambda: context.clock() + late)
    app = public_side(kit, moved) if late else kit.service.public
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=PUBLIC_URL
    ) as browser:
        return await browser.get(path, headers={"cookie": cookies} if cookies else {})


async def test_each_cause_is_named(tmp_path: Path, causes: Callable[[], list[str]]) -> None:
    """Whoever sees the page of another flow reads in the log what was wrong with theirs."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        ((name, value),) = browser.cookies.items()
        own, answer = f"{name}={value}", "/oauth/redirect?" + urlsplit(location).query
        foreign = f"/oauth/redirect?code=abc&state={STATE}"
        requests = [
            (foreign, "", 0),
            (foreign, own, 0),
            (answer, f"{own}; {own}", 0),
            (answer, f"{name}=x", 0),
            (answer, own, 612),
            (answer, own, 700),
            ("/oauth/redirect?code=abc", "", 0),
            ("/oauth/redirect?error=access_denied", "", 0),
            (f"/oauth/redirect?code=a&code=b&state={STATE}", own, 0),
            (f"{answer}&iss=https://evil.example", own, 0),
        ]
        seen = []
        for path, cookies, late in requests:
            await get(kit, path, cookies, late=late)
            (line,) = causes()
            seen.append(line)
            for secret in (value, *dict(parse_qsl(urlsplit(location).query)).values()):
                assert secret not in line
        # The age depends on the second in which the flow began.
        assert 612 - 600 <= int(seen[4].split()[-3]) <= 612 - 590
        assert CAUSES == [re.sub(r"expired [0-9]+ s", "expired N s", line) for line in seen]
        assert 303 == (await get(kit, answer, own)).status_code
        assert [] == causes()
        await get(kit, answer, own, late=61)
        assert ["conflict: the state was used before"] == causes()


async def test_what_zoom_said_is_named(tmp_path: Path, causes: Callable[[], list[str]]) -> None:
    """A refusal at Zoom, a failing token endpoint, missing scopes: one line each."""
    async with running(tmp_path, required_scopes=frozenset({"user:read:user", "x:read:x"})) as kit:
        for auto, fault, line in (
            ("deny", "", "authorization_error: the authorization server answered access_denied"),
            ("approve", "token_unavailable", "peer_unavailable: "),
            ("approve", "token_refused", "invalid_grant: "),
            ("approve", "", "scopes_missing: "),
        ):
            agree_as(kit.zoom, JANE, auto)
            with kit.zoom.fault(fault) if fault else nullcontext():
                async with kit.browser() as browser:
                    await kit.install(browser)
            (found,) = causes()
            assert found.startswith(line)


async def test_a_dead_link_request_is_named(
    tmp_path: Path, causes: Callable[[], list[str]]
) -> None:
    """The start of a linked install says what was wrong with its link request."""
    async with running(tmp_path, linking="host") as kit:
        for path, line in (
            (f"/install?request={STATE}", "not_found: no live link request under this code"),
            ("/install?request=short", "not_found: the link request does not have the form of one"),
            (
                f"/install?request={STATE}&request=x",
                "message_malformed: the query has request more than once",
            ),
        ):
            assert 404 == (await get(kit, path)).status_code
            assert [line] == causes()


async def test_nothing_is_logged_by_default(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A flood of random requests writes no line unless the level DEBUG is switched on."""
    async with running(tmp_path) as kit:
        caplog.set_level(logging.INFO, LOGGER)
        await get(kit, f"/oauth/redirect?code=abc&state={STATE}")
        assert [] == [one for one in caplog.records if one.name == LOGGER]


async def test_a_refused_confirmation_names_its_cause(
    tmp_path: Path, causes: Callable[[], list[str]]
) -> None:
    """The built-in confirmation page says nothing more; the log has the reason."""
    zoom = simulated_zoom()
    settings = settings_for(
        zoom,
        tmp_path,
        linking="host",
        start_url=f"{PUBLIC_URL}/start",
        link_url=f"{PUBLIC_URL}/link",
    )
    app = Zoom(settings, subject_of=lambda _request: "ada")
    transport = httpx.ASGITransport(app.asgi)
    async with app, httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as browser:
        for path, line in (
            ("/link?flow=x", "not_found: the browser has not begun this flow"),
            (f"/link?handoff={STATE}", "not_found: the browser has not begun this flow"),
            ("/link?flow=x&flow=y", "message_malformed: the query has flow more than once"),
        ):
            assert 400 == (await browser.get(path)).status_code
            assert [line] == causes()
        assert 403 == (await browser.post("/link", data={"flow": "x"})).status_code
        assert ["usage: the form is not of this page, or shows other accounts"] == causes()
    zoom.stop()
