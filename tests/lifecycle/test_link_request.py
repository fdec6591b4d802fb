"""Link requests: opening one uses nothing up, and one finished flow does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from lifecycle.linking import claim, confirm, install_url
from paraph.errors import StorageError, StorageUnavailable
from paraph.operations.housekeeping import delete_expired
from paraph.sealing.key_ring import secret_hash
from paraph.secret import Secret
from paraph.storage.scope import Scope
from paraph.storage.transaction import Transaction
from service_kit import JANE, Kit, agree_as, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """A service that links to a host, on every kind of store."""
    async with running(tmp_path, linking="host", database_url=database_url) as kit:
        yield kit


async def test_the_install_url_works_once(kit: Kit) -> None:
    """The first flow that is finished uses the link request up; the second one is refused."""
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    async with kit.browser() as first, kit.browser() as second:
        begun = await second.get(url)
        assert (await kit.install(first, url)).status_code == 303
        exchanges = len(kit.token_requests())
        late = await second.get(await kit.agree(begun))
        assert (400, exchanges) == (late.status_code, len(kit.token_requests()))
        assert "Another window has used the link" in late.text
        assert (await second.get(url)).status_code == 404


SCANNERS: list[dict[str, str]] = [
    {},
    {"user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0", "accept": "text/html"},
    {"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
    {"user-agent": "Mozilla/4.0 (compatible; ms-office; MSOffice 16)", "range": "bytes=0-2047"},
    {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-user": "?1"},
    {"sec-fetch-site": "cross-site", "referer": "https://eur01.safelinks.protection.outlook.com/"},
    {"sec-purpose": "prefetch;prerender"},
    {"purpose": "preview"},
]


async def test_link_scanners_use_nothing_up(kit: Kit) -> None:
    """Whatever opens an install URL first, with any headers, the person installs afterwards."""
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    for headers in SCANNERS:
        async with kit.browser() as scanner:
            opened = await scanner.get(url, headers=headers)
            assert {200, 303} >= {opened.status_code}
            assert 405 == (await scanner.head(url, headers=headers)).status_code
    async with kit.browser() as browser:
        location = await kit.agree(await browser.get(url))
        for headers in SCANNERS:
            async with kit.browser() as scanner:
                # A filter may see the redirect, too, before the browser follows it.
                assert {204, 400} >= {(await scanner.get(location, headers=headers)).status_code}
        assert [] == kit.token_requests()
        assert (await browser.get(location)).headers["location"].startswith("https://host.example")
    assert 1 == len(kit.token_requests())


async def test_of_parallel_flows_of_one_link_request_one_is_linked(kit: Kit) -> None:
    """Ten browsers finish at once: one handoff, and the tokens of the last consent are kept."""
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    async with AsyncExitStack() as stack:
        browsers = [await stack.enter_async_context(kit.browser()) for _ in range(10)]
        locations = [await kit.agree(await one.get(url)) for one in browsers]
        done = await asyncio.gather(
            *(one.get(at) for one, at in zip(browsers, locations, strict=True))
        )
    handed = [one for one in done if "handoff=" in one.headers.get("location", "")]
    assert 1 == len(handed)
    code = parse_qs(urlsplit(handed[0].headers["location"]).query)["handoff"][0]
    claimed = (await claim(api, code)).json()["claim"]
    assert 200 == (await confirm(api, claimed, "tenant:ada")).status_code


async def test_a_flow_may_be_finished_after_the_link_request_ran_out(kit: Kit) -> None:
    """A browser that began in its last second has a flow's ten minutes; no browser begins later."""
    context = kit.service.context
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    request = secret_hash(Secret(parse_qs(urlsplit(url).query)["request"][0]))
    async with kit.browser() as browser, kit.browser() as late:
        location = await kit.agree(await browser.get(url))
        async with context.store.transaction() as tx:
            taken = await tx.links.take_request(request, now=context.now())
            assert taken is not None
            await tx.links.add_request(replace(taken, expires_at=context.now() - 1))
        assert 404 == (await late.get(url)).status_code
        await delete_expired(context)
        assert 303 == (await browser.get(location)).status_code


async def test_a_refusal_at_zoom_uses_no_link_request_up(kit: Kit) -> None:
    """The person who said no by mistake opens the same link again."""
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    async with kit.browser() as browser:
        agree_as(kit.zoom, JANE, "deny")
        assert 403 == (await kit.install(browser, url)).status_code
        agree_as(kit.zoom, JANE)
        assert 303 == (await kit.install(browser, url)).status_code


@pytest.mark.parametrize(
    ("is_written", "error"),
    [
        (True, StorageUnavailable("the connection is lost")),
        (False, StorageUnavailable("the connection is lost")),
        (False, StorageError("the database failed: LockNotAvailableError 55P03")),
    ],
)
async def test_a_commit_that_is_not_confirmed_loses_no_install(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, error: StorageError, *, is_written: bool
) -> None:
    """The last transaction is tried again, whether or not it was written the first time."""
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    store, lost = kit.service.context.store, False
    transaction = store.transaction

    @asynccontextmanager
    async def unconfirmed(*scopes: Scope, **options: bool) -> AsyncIterator[Transaction]:
        nonlocal lost
        is_last = not lost and any(one.parts[0] == "account" for one in scopes)
        lost = lost or is_last
        async with transaction(*scopes, **options) as tx:
            yield tx
            if is_last and not is_written:
                raise error
        if is_last:
            raise error

    monkeypatch.setattr(store, "transaction", unconfirmed)
    async with kit.browser() as browser:
        done = await kit.install(browser, url)
        assert lost
        assert 404 == (await browser.get(url)).status_code
    code = parse_qs(urlsplit(done.headers["location"]).query)["handoff"][0]
    claimed = (await claim(api, code)).json()["claim"]
    assert 200 == (await confirm(api, claimed, "tenant:ada")).status_code
    assert 1 == len(await kit.installations())
