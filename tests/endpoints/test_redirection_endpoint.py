"""The redirection endpoint: what did not begin in this browser ends here, for nothing."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from paraph.endpoints.redirection_endpoint import REASONS
from paraph.errors import StorageUnavailable, UnknownEncryptionKey
from paraph.http import refusals
from paraph.lifecycle import installation
from paraph.service.app import open_service
from paraph.storage.scope import Scope
from refused_queries import REFUSED, STATE
from service_kit import JANE, agree_as, public_side, running

pytestmark = pytest.mark.anyio


def lines_of(log: io.StringIO) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


def rows(folder: Path) -> dict[str, int]:
    """How many rows each table has."""
    with sqlite3.connect(folder / "paraph.db") as connection:
        names = [
            name
            for (name,) in connection.execute("select name from sqlite_master where type='table'")
        ]
        counts = {
            name: connection.execute(f"select count(*) from {name}").fetchone()[0] for name in names
        }
    connection.close()
    return counts


async def test_every_refusal_is_one_answer_and_costs_nothing(tmp_path: Path) -> None:
    """Whatever is wrong up to the state gets the same bytes, stores nothing and calls nobody."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await browser.get("/install")
        before = rows(tmp_path)
        answers = {}
        for name, query in REFUSED:
            answer = await browser.get(f"/oauth/redirect?{query}")
            answers[name] = (answer.status_code, answer.content)
        assert {name: 400 for name, _ in REFUSED} == {k: v[0] for k, v in answers.items()}
        assert len({content for _, content in answers.values()}) == 1
        assert before == rows(tmp_path)
        assert kit.token_requests() == []


async def test_the_page_depends_on_the_browsers_cookies_alone(tmp_path: Path) -> None:
    """Without any cookie it says how to get them; with those of other flows, where to finish."""
    async with running(tmp_path) as kit, kit.browser() as bare, kit.browser() as begun:
        await begun.get("/install")
        pages: dict[str, set[bytes]] = {"bare": set(), "begun": set()}
        for _, query in REFUSED:
            pages["bare"].add((await bare.get(f"/oauth/redirect?{query}")).content)
            pages["begun"].add((await begun.get(f"/oauth/redirect?{query}")).content)
        (without,), (with_others,) = pages["bare"], pages["begun"]
        assert b"Open Safari, Chrome, Edge or Firefox itself, allow cookies" in without
        assert b"Finish in the tab in which you began last" in with_others


@pytest.mark.parametrize(("linking", "words"), [("none", "Installed"), ("host", "connected")])
async def test_no_page_says_what_its_kind_of_linking_does_not_do(
    tmp_path: Path, linking: str, words: str
) -> None:
    """With a host only the host can say that all is done."""
    async with running(tmp_path, linking=linking) as kit, kit.browser() as browser:
        page = await browser.get(f"/oauth/redirect?code=abc&state={STATE}")
        assert words in page.text
        assert (linking == "none") == ("Installed" in page.text)
        assert ("/install" if linking == "none" else kit.settings.start_url) in page.text


async def test_refusals_are_counted_by_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """The metric has every reason from the start; the log names them in one line."""
    monkeypatch.setattr(refusals, "SUMMARY_SECONDS", 0.05)
    async with running(tmp_path) as kit, kit.browser() as browser, kit.browser() as bare:
        private = httpx.ASGITransport(kit.service.private)
        location = await kit.agree(await browser.get("/install"))
        name, value = next(iter(browser.cookies.items()))
        for cookie in (f"{name}={value}; {name}=x", f"{name}=x"):
            await bare.get(location, headers={"cookie": cookie})
        for _ in range(50):
            await bare.get(location)
        await browser.get(f"/oauth/redirect?code=abc&state={STATE}")
        await browser.get("/oauth/redirect?code=a&code=b")
        async with httpx.AsyncClient(transport=private, base_url="http://private") as operator:
            metrics = (await operator.get("/metrics")).text
        await asyncio.sleep(0.1)
    expected = {
        **dict.fromkeys(REASONS, 0),
        "doubled_cookie": 1,
        "forged_cookie": 1,
        "no_cookie": 50,
        "other_cookies": 1,
        "message_malformed": 1,
    }
    for reason, count in expected.items():
        line = f'paraph_authorization_responses_refused_total{{reason="{reason}"}} {count}.0'
        assert line in metrics
    said = [line for line in lines_of(log) if line["event"] == "install.refused"]
    assert len(said) < 5
    assert sum(line["reasons"].get("no_cookie", 0) for line in said) == 50


async def test_a_thousand_random_requests_reach_nobody(tmp_path: Path) -> None:
    """1 000 random requests: no token request, no row, no 5xx; then an honest install works."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        before = rows(tmp_path)
        statuses = set()
        for number in range(1000):
            query = REFUSED[number % len(REFUSED)][1] if number % 2 else f"code=r{number}"
            statuses.add((await browser.get(f"/oauth/redirect?{query}")).status_code)
        assert {303, 400} == statuses
        assert kit.token_requests() == []
        assert before == rows(tmp_path)
        done = await kit.install(browser)
        assert (done.status_code, done.headers["location"]) == (303, "/installed")
        assert len(await kit.installations()) == 1


async def test_a_code_without_state_is_dropped(tmp_path: Path) -> None:
    """A Marketplace code leaves the URL, is never exchanged, and a real flow begins, once."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        first = await browser.get("/oauth/redirect?code=stray-code-123")
        assert (first.status_code, first.headers["location"]) == (303, "/marketplace")
        second = await browser.get("/marketplace")
        assert second.status_code == 303
        assert second.headers["location"].startswith(f"{kit.zoom.url}/oauth/authorize?")
        assert "code_challenge_method=S256" in second.headers["location"]
        assert "stray-code-123" not in str(second.headers)
        third = await browser.get("/marketplace")
        assert third.status_code == 200
        assert "Continue" in third.text
        assert kit.token_requests() == []


async def test_prefetch_and_head_use_nothing_up(tmp_path: Path) -> None:
    """A link scanner that comes first does not spoil the flow for its owner."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        unasked = await browser.get(location, headers={"sec-purpose": "prefetch"})
        head = await browser.head(location)
        options = await browser.options(location)
        assert [unasked.status_code, head.status_code, options.status_code] == [204, 405, 405]
        assert (await browser.get(location)).status_code == 303


async def test_twenty_parallel_answers_are_one(tmp_path: Path) -> None:
    """Twenty parallel requests with one state: one token request, one installation."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        cookies = dict(browser.cookies)

        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(kit.service.public)
            async with httpx.AsyncClient(
                transport=transport, base_url="https://app.example", cookies=cookies
            ) as tab:
                return await tab.get(location)

        answers = await asyncio.gather(*(once() for _ in range(20)))
        assert {(303, "/installed")} == {
            (one.status_code, one.headers.get("location")) for one in answers
        }
        assert len(kit.token_requests()) == 1
        assert len(await kit.installations()) == 1


async def test_another_browser_is_refused(tmp_path: Path) -> None:
    """An answer delivered to another browser than the one that began is refused there."""
    async with running(tmp_path) as kit, kit.browser() as mine, kit.browser() as stranger:
        location = await kit.agree(await mine.get("/install"))
        await stranger.get("/install")
        assert (await stranger.get(location)).status_code == 400
        assert kit.token_requests() == []
        assert (await mine.get(location)).status_code == 303


async def test_a_tossed_cookie_spoils_the_flow(tmp_path: Path) -> None:
    """Two cookies of one name are never a choice: the request is refused."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        name, value = next(iter(browser.cookies.items()))
        browser.cookies.clear()
        for pair in (f"{name}={value}; {name}=x", f"{name}=x; {name}={value}"):
            answer = await browser.get(location, headers={"cookie": pair})
            assert answer.status_code == 400
        assert kit.token_requests() == []


async def test_a_replay_does_nothing(tmp_path: Path) -> None:
    """The same answer after its minute is refused, also with the cookie still there."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
        assert (await browser.get(location)).status_code == 303
        context = kit.service.context
        late = replace(context, clock=lambda: context.clock() + 61)
        transport = httpx.ASGITransport(public_side(kit, late))
        async with httpx.AsyncClient(transport=transport, base_url="https://app.example") as tab:
            for _ in range(2):
                again = await tab.get(location, headers={"cookie": cookies})
                assert again.status_code == 400
                assert "This was already used" in again.text
                assert "Max-Age=0" in again.headers["set-cookie"]
        assert len(kit.token_requests()) == 1


async def test_one_flow_replayed_locks_out_nobody(tmp_path: Path) -> None:
    """A hundred replays of one used state: nothing is asked, and the next install works."""
    async with running(tmp_path) as kit, kit.browser() as attacker, kit.browser() as neighbour:
        location = await kit.agree(await attacker.get("/install"))
        cookies = "; ".join(f"{k}={v}" for k, v in attacker.cookies.items())
        assert (await attacker.get(location)).status_code == 303
        replays = [await attacker.get(location, headers={"cookie": cookies}) for _ in range(100)]
        statuses = [one.status_code for one in replays]
        assert {303, 429} == set(statuses)
        assert statuses.count(429) > 50
        assert (await kit.install(neighbour)).status_code == 303
        assert len(kit.token_requests()) == 2


async def test_a_cookie_from_a_neighbouring_subdomain_is_not_ours(tmp_path: Path) -> None:
    """An attacker's flow is not finished in a browser that was given the cookie by another host.

    Browsers hold no name for `__Host-` that begins with a blank beyond ASCII, so any subdomain
    may set it: it must not become `__Host-` here.
    """
    async with running(tmp_path) as kit, kit.browser() as attacker, kit.browser() as victim:
        location = await kit.agree(await attacker.get("/install"))
        name, value = next(iter(attacker.cookies.items()))
        for blank in (b"\xa0", b"\x85", b"\x1f"):
            tossed = blank + f"{name}={value}".encode()
            answer = await victim.get(location, headers={b"cookie": tossed})
            assert answer.status_code == 400
        assert kit.token_requests() == []


async def test_a_store_that_fails_is_said_and_shows_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 at every step that needs the store, and no word that is meant for operators."""
    async with running(tmp_path, linking="host") as kit, kit.browser() as browser:
        api = await kit.api("link")
        wish = {"subject": "ada", "challenge": "c" * 43}
        begun = await api.post("/v1/link-requests", json=wish)
        also = await api.post("/v1/link-requests", json=wish)
        location = await kit.agree(await browser.get(begun.json()["install_url"]))
        cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
        state = location.partition("state=")[2]

        def fail(*_arguments: object) -> None:
            raise UnknownEncryptionKey("an operator's detail")

        monkeypatch.setattr(kit.service.context.store, "transaction", fail)
        monkeypatch.setattr(kit.service.context.store, "reading", fail)
        for url in (
            location,
            f"/oauth/redirect?error=access_denied&state={state}",
            also.json()["install_url"],
        ):
            answer = await browser.get(url, headers={"cookie": cookies})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
            assert "The app was not installed" in answer.text
            assert "encryption_keys" not in answer.text
        await api.aclose()


async def test_an_install_waits_for_a_failover_and_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code is exchanged once; what Zoom gave is written when the database is back."""
    monkeypatch.setattr(installation, "_WRITE_PAUSE", 0)
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        store = kit.service.context.store
        transaction = store.transaction
        calls = 0

        def failing(*scopes: Scope) -> Any:
            nonlocal calls
            calls += 1
            # The first one uses the state up; the next three write the installation.
            if 1 < calls < 5:
                raise StorageUnavailable("gone")
            return transaction(*scopes)

        monkeypatch.setattr(store, "transaction", failing)
        answer = await browser.get(location)

        assert 303 == answer.status_code
        assert 1 == len(kit.token_requests())
        assert 1 == len(await kit.installations())


async def test_a_page_that_says_reload_can_be_reloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the code is exchanged nothing is used up while the database is away."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))

        def fail(*_scopes: Scope) -> None:
            raise StorageUnavailable("gone")

        with monkeypatch.context() as outage:
            outage.setattr(kit.service.context.store, "transaction", fail)
            refused = await browser.get(location)
        answer = await browser.get(location)

        assert 503 == refused.status_code
        assert "Reload this page" in refused.text
        assert 303 == answer.status_code
        assert 1 == len(kit.token_requests())


async def test_an_old_flow_is_refused(tmp_path: Path) -> None:
    """Ten minutes after its start a flow is over."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        context = kit.service.context
        late = replace(context, clock=lambda: context.clock() + 601)
        endpoint = public_side(kit, late)
        transport = httpx.ASGITransport(endpoint)
        async with httpx.AsyncClient(
            transport=transport, base_url="https://app.example", cookies=browser.cookies
        ) as tab:
            assert (await tab.get(location)).status_code == 400
        assert kit.token_requests() == []


async def test_no_at_zoom_is_said_and_burns_the_state(tmp_path: Path) -> None:
    """access_denied with this browser's state: a clear page, no exchange, and no second use."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        agree_as(kit.zoom, JANE, "deny")
        location = await kit.agree(await browser.get("/install"))
        cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
        answer = await browser.get(location)
        assert answer.status_code == 403
        assert "Zoom did not grant the installation" in answer.text
        again = await browser.get(
            location.replace("error=access_denied", "code=abc"), headers={"cookie": cookies}
        )
        assert (403, answer.content) == (again.status_code, again.content)
        assert kit.token_requests() == []


async def test_parallel_tabs_keep_their_own_verifiers(tmp_path: Path) -> None:
    """Two flows of one browser, finished in the other order, both with their own verifier."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        first = await kit.agree(await browser.get("/install"))
        second = await kit.agree(await browser.get("/install"))
        assert [(await browser.get(x)).status_code for x in (second, first)] == [303, 303]
        assert len(await kit.installations()) == 1


async def test_only_the_newest_five_tabs_stay(tmp_path: Path) -> None:
    """A browser never carries more than five pending authorizations."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        for _ in range(8):
            await browser.get("/install")
        assert len(browser.cookies) == 5
        assert (await kit.install(browser)).status_code == 303


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("token_unavailable", 503),
        ("token_rate_limited", 503),
        ("token_html", 400),
        ("token_cut", 503),
        ("token_huge", 503),
        ("token_redirect", 503),
        ("token_type_unknown", 400),
        ("token_scope_missing", 403),
        ("user_unauthorized", 424),
        ("user_html", 400),
        ("user_without_id", 400),
        ("user_unavailable", 503),
    ],
)
async def test_what_zoom_gets_wrong_installs_nothing(
    tmp_path: Path, fault: str, status: int
) -> None:
    """Each fault ends in a page that says so, no installation, and a retry that works."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        kit.zoom.simulator.faults.switch_on(fault, {"times": 1})
        answer = await kit.install(browser)
        assert status == answer.status_code
        assert "The app was not installed" in answer.text
        assert len(kit.token_requests()) == 1
        assert list(await kit.installations()) == []
        assert (await kit.install(browser)).status_code == 303


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        *((name, 303) for name in ("token_type_capital", "token_expires_in_text")),
        *((name, 303) for name in ("token_expires_in_float", "token_expires_in_null")),
        *((name, 303) for name in ("token_scope_list", "token_scope_reordered")),
        *((name, 303) for name in ("token_extra_members", "token_byte_order_mark")),
        *((name, 303) for name in ("token_created", "token_refresh_token_null")),
        *((name, 400) for name in ("token_type_null", "token_expires_in_zero")),
        *((name, 400) for name in ("token_expires_in_negative", "token_form_encoded")),
        *((name, 403) for name in ("token_scope_null", "token_scope_absent")),
    ],
)
async def test_odd_spellings_of_a_token_response(tmp_path: Path, fault: str, status: int) -> None:
    """Every spelling that can mean one thing only installs; any other ends in a page."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        kit.zoom.simulator.faults.switch_on(fault, {"times": 1})
        assert status == (await kit.install(browser)).status_code
        installed = await kit.installations()
        assert int(status == 303) == len(installed)
        if installed:
            assert "user:read:user" in installed[0].grant.tokens.scopes


@pytest.mark.parametrize("linking", ["none", "host"])
async def test_missing_scopes_name_who_can_help(
    tmp_path: Path, log: io.StringIO, linking: str
) -> None:
    """The log has granted and missing scopes; the page the missing ones and what to do."""
    wanted = frozenset({"user:read:user", "meeting:write:meeting", "user:read:user:admin"})
    async with (
        running(tmp_path, linking=linking, required_scopes=wanted) as kit,
        kit.browser() as browser,
    ):
        path = "/install"
        if linking == "host":
            api = await kit.api("link")
            wish = {"subject": "ada", "challenge": "c" * 43}
            path = (await api.post("/v1/link-requests", json=wish)).json()["install_url"]
            await api.aclose()
        answer = await kit.install(browser, path)
        assert answer.status_code == 403
        assert "Missing: meeting:write:meeting, user:read:user:admin." in answer.text
        for words in ("leave every box ticked", "Zoom administrator", "the developer of the app"):
            assert words in answer.text
    (line,) = [one for one in lines_of(log) if one["event"] == "install.failed"]
    granted = "cloud_recording:read:recording meeting:read:meeting user:read:user"
    missing = "meeting:write:meeting user:read:user:admin"
    assert (granted, missing) == (line["granted"], line["missing"])


async def test_a_hostile_api_url_is_never_called(tmp_path: Path) -> None:
    """api_url is data: the bearer goes to an allowed host, whatever the response names."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        kit.zoom.simulator.faults.switch_on("token_api_url_hostile", {})
        assert (await kit.install(browser)).status_code == 303
        (one,) = await kit.installations()
        assert kit.zoom.url == one.grant.tokens.api_server


async def test_ownerless_tokens_are_kept_for_a_known_grant(tmp_path: Path) -> None:
    """When users/me fails after an exchange that killed the old set, the new set is not lost."""
    from paraph.operations.housekeeping import ask_owners

    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        kit.zoom.simulator.faults.switch_on("user_unavailable", {"times": 1})
        assert (await kit.install(browser)).status_code == 503
        context = kit.service.context
        await ask_owners(replace(context, clock=lambda: context.clock() + 60))
        (one,) = await kit.installations()
        (grant,) = kit.zoom.simulator.ledger.grants.values()
        assert grant.refresh_token == one.grant.tokens.refresh_token.reveal()


async def test_a_re_consent_keeps_the_installation_and_takes_the_new_tokens(
    tmp_path: Path,
) -> None:
    """Installing again while active: the same installation, with the new tokens."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        (before,) = await kit.installations()
        await kit.install(browser)
        (after,) = await kit.installations()
        (grant,) = kit.zoom.simulator.ledger.grants.values()
        assert before.link.link_id == after.link.link_id
        assert before.grant.tokens.access_token != after.grant.tokens.access_token
        assert grant.access_token == after.grant.tokens.access_token.reveal()


async def test_a_restart_forgets_no_used_state(tmp_path: Path) -> None:
    """One use holds across processes: the second service gives the outcome of the first one."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
        assert (await browser.get(location)).status_code == 303
        async with open_service(kit.settings) as other:
            transport = httpx.ASGITransport(other.public)
            async with httpx.AsyncClient(transport=transport, base_url="https://app.example") as b:
                again = await b.get(location, headers={"cookie": cookies})
        assert (303, "/installed") == (again.status_code, again.headers["location"])
        assert len(kit.token_requests()) == 1
