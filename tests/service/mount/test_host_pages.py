"""The built-in start URL and confirmation page: who started is who finishes, or nothing happens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine

from paraph.endpoints.pages import Pages
from paraph.errors import Conflict
from paraph.http.proxy_watch import ProxyWatch
from paraph.service.app import _host_page_routes
from paraph.service.mount.signed_in import HostSide
from paraph.service.zoom import Zoom
from service.mount.mounted_app import MountedApp, form_of, mounted_app, send, sign_in, user_of
from service_kit import (
    JANE,
    PUBLIC_URL,
    RAVI,
    agree_as,
    give_back,
    settings_for,
    simulated_zoom,
)

pytestmark = pytest.mark.anyio


async def subjects(app: MountedApp) -> list[str]:
    """The subjects of all active installations."""
    async with app.zoom.service.context.store.reading() as tx:
        found = await tx.installations.page(app.simulated.app.client_id)
    return sorted(one.link.subject for one in found if one.phase.value == "active")


def host_page_routes(app: MountedApp, host: HostSide) -> dict[str, Any]:
    """The pages of the same service for another host."""
    settings, context = app.zoom.settings, app.zoom.service.context
    proxies = ProxyWatch(settings, monotonic=time.monotonic)
    pages = Pages(settings.app_name, settings.start_url, is_linked=True)
    made = _host_page_routes(settings, context, pages, host, proxies)
    return {f"{settings.base_path}{path}": route for path, route in made.items()}


async def test_a_signed_in_user_connects_zoom_with_three_clicks(tmp_path: Path) -> None:
    """Start, Zoom, both accounts on one page, a form: the host sees its own page at the end."""
    async with mounted_app(tmp_path) as app, app.browser("jane@tidemark.example") as browser:
        page = await app.page(browser)
        assert 200 == page.status_code, page.text
        assert "jane@example.com" in page.text
        assert "jane@tidemark.example" in page.text
        assert [] == await subjects(app)
        done = await send(browser, page)
        assert (303, "/done") == (done.status_code, done.headers["location"])
        assert ["jane@tidemark.example"] == await subjects(app)


async def test_another_browser_or_user_cannot_use_a_handoff(tmp_path: Path) -> None:
    """A handoff sent to another person, or opened after a change of user, shows nothing to them."""
    async with (
        mounted_app(tmp_path) as app,
        app.browser("jane") as jane,
        app.browser("mallory") as mallory,
    ):
        handoff = await app.handoff(mallory)
        # Jane has a flow of her own, so her browser holds the cookie of these pages.
        own = await app.handoff(jane)
        for url in (handoff, handoff.replace("return_to", "other")):
            answer = await jane.get(url, follow_redirects=True)
            assert 400 == answer.status_code
            assert "@example.com" not in answer.text
        sign_in(mallory, "jane")
        assert 400 == (await mallory.get(handoff, follow_redirects=True)).status_code
        # Refusals have used up neither handoff.
        assert 200 == (await jane.get(own, follow_redirects=True)).status_code
        sign_in(mallory, "mallory")
        assert 200 == (await mallory.get(handoff, follow_redirects=True)).status_code


async def test_a_handoff_without_the_cookie_of_its_browser_is_refused(tmp_path: Path) -> None:
    """The same user in a second browser, and a browser that lost its cookies, begin again."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as first:
        handoff = await app.handoff(first)
        async with app.browser("jane") as second:
            answer = await second.get(handoff, follow_redirects=True)
            assert 400 == answer.status_code
            assert "Start again" in answer.text
        cookie = next(one for one in first.cookies.jar if one.name.endswith("-pages"))
        async with app.browser("jane") as twice:
            value = f"{cookie.name}={cookie.value}"
            doubled = await twice.get(handoff, headers={"cookie": f"user=jane; {value}; {value}"})
            assert 400 == doubled.status_code
            changed = f"{cookie.name}={str(cookie.value)[:-4]}AAAA"
            spoilt = await twice.get(handoff, headers={"cookie": f"user=jane; {changed}"})
            assert 400 == spoilt.status_code
        assert 200 == (await first.get(handoff, follow_redirects=True)).status_code


async def test_a_change_of_user_ends_the_flow(tmp_path: Path) -> None:
    """The user is asked for at the start, at the page and at the form; nobody means the end."""
    async with mounted_app(tmp_path) as app, app.browser() as browser:
        assert 401 == (await browser.get(f"{app.prefix}/start")).status_code
        sign_in(browser, "jane")
        page = await app.page(browser)
        for user, status in ((None, 401), ("mallory", 400)):
            sign_in(browser, user)
            assert status == (await browser.get(str(page.url))).status_code
            assert status == (await send(browser, page)).status_code
        assert [] == await subjects(app)
        sign_in(browser, "jane")
        assert 303 == (await send(browser, page)).status_code
        assert ["jane"] == await subjects(app)


async def test_a_form_of_another_site_does_nothing(tmp_path: Path) -> None:
    """`Origin` must be this site's, and the token the one of this page."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        page = await app.page(browser)
        for origin in (None, "null", "https://evil.example", "http://app.example"):
            assert 403 == (await send(browser, page, origin=origin)).status_code
        token = form_of(page)["token"]
        for wrong in (token[:-1], "A" * 43, "a" * 600):
            assert 403 == (await send(browser, page, token=wrong)).status_code
        site = {"origin": PUBLIC_URL, "sec-fetch-site": "same-site"}
        fields = {**form_of(page), "decision": "connect"}
        foreign = await browser.post(page.url.path, data=fields, headers=site)
        assert 403 == foreign.status_code
        assert [] == await subjects(app)


async def test_a_broken_form_does_nothing(tmp_path: Path) -> None:
    """Whatever the body is: a page with the remedy, and never an error of the server."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        headers = {"origin": PUBLIC_URL}
        for body in (b"", b"flow=x", b"%", b"flow=a&flow=b", b"x" * 4096):
            answer = await browser.post(f"{app.prefix}/link", content=body, headers=headers)
            assert 400 == answer.status_code


async def test_the_form_of_one_flow_is_not_valid_for_another(tmp_path: Path) -> None:
    """Two tabs: each form belongs to its own flow, and a token cannot be moved between them."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        first, second = await app.page(browser), await app.page(browser)
        mixed = await send(browser, second, flow=form_of(first)["flow"])
        assert 403 == mixed.status_code
        assert 303 == (await send(browser, second)).status_code


async def test_pages_cannot_be_framed_and_say_nothing_to_others(tmp_path: Path) -> None:
    """No frame, no cache, no referrer to another site, a form to this site alone."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        page = await app.page(browser)
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self';" in policy
        assert "DENY" == page.headers["x-frame-options"]
        assert "same-origin" == page.headers["referrer-policy"]
        assert "no-store" == page.headers["cache-control"]
        assert "handoff" not in page.text + str(page.url)


@pytest.mark.slow
async def test_a_form_may_lead_to_the_hosts_own_origin(tmp_path: Path) -> None:
    """Browsers block a redirect after a form, unless the policy names its origin."""
    options = {"after_install": "https://tidemark.example/done", "after_failure": ""}
    async with mounted_app(tmp_path, options=options) as app, app.browser("jane") as browser:
        page = await app.page(browser)
        policy = page.headers["content-security-policy"]
        assert "form-action 'self' https://tidemark.example;" in policy
        done = await send(browser, page)
        assert "https://tidemark.example/done" == done.headers["location"]


async def test_another_site_cannot_begin_a_flow(tmp_path: Path) -> None:
    """A link or a prefetch from elsewhere gets a button; nothing is stored and no cookie set."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        for headers in ({"sec-fetch-site": "cross-site"}, {"sec-purpose": "prefetch"}):
            answer = await browser.get(f"{app.prefix}/start", headers=headers)
            assert 200 == answer.status_code
            assert "Continue to Zoom" in answer.text
            assert "set-cookie" not in answer.headers


async def test_a_session_that_zooms_redirect_does_not_carry_is_asked_for(tmp_path: Path) -> None:
    """With SameSite=Strict the host's cookie is missing at first: a click brings it along."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        handoff = await app.handoff(browser)
        sign_in(browser, None)
        first = await browser.get(handoff, headers={"sec-fetch-site": "cross-site"})
        assert 200 == first.status_code
        assert "@example.com" not in first.text
        sign_in(browser, "jane")
        assert 200 == (await browser.get(handoff, follow_redirects=True)).status_code


async def test_a_reload_and_a_double_click_end_alike(tmp_path: Path) -> None:
    """Each step can be repeated in this browser, and in no other; nothing happens twice."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        back = await app.at_zoom(browser)
        first, again = [(await browser.get(back)).headers["location"] for _ in range(2)]
        assert first == again
        shown = [await browser.get(first, follow_redirects=True) for _ in range(2)]
        assert [200, 200] == [one.status_code for one in shown]
        # Zoom's redirect once more: its handoff is claimed, and the page is shown again.
        late = await browser.get(back, follow_redirects=True)
        assert (200, shown[0].text) == (late.status_code, late.text)
        done = [await send(browser, shown[0]) for _ in range(2)]
        assert ["/done", "/done"] == [one.headers["location"] for one in done]
        reload = await browser.get(str(shown[0].url))
        assert "/done" == reload.headers["location"]
        assert 1 == len(app.simulated.journal("/oauth/token"))
        async with app.browser("jane") as other:
            for url in (back, first, str(shown[0].url)):
                assert 400 == (await other.get(url, follow_redirects=True)).status_code


async def test_a_person_who_refuses_goes_to_the_hosts_page(tmp_path: Path) -> None:
    """At Zoom or on the page: the reason is a fixed word, and nothing is connected."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        declined = [await send(browser, page, "decline") for page in [await app.page(browser)] * 2]
        assert ["/failed?reason=declined"] * 2 == [one.headers["location"] for one in declined]
        app.agree_as(JANE, "deny")
        back = await app.at_zoom(browser)
        denied = [await browser.get(back) for _ in range(2)]
        assert ["/failed?reason=access_denied"] * 2 == [one.headers["location"] for one in denied]
        assert [] == await subjects(app)


@pytest.mark.slow
async def test_without_pages_of_the_host_the_built_in_ones_end_the_flow(tmp_path: Path) -> None:
    """Installed, declined and denied each end on a page that says so."""
    options = {"after_install": "", "after_failure": ""}
    async with mounted_app(tmp_path, options=options) as app, app.browser("jane") as browser:
        declined = await app.connect(browser, "decline")
        assert "Nothing was connected" in declined.text
        connected = await app.connect(browser)
        page = await browser.get(connected.headers["location"])
        assert (200, True) == (page.status_code, "Zoom is connected" in page.text)
        app.agree_as(JANE, "deny")
        denied = await browser.get(await app.at_zoom(browser))
        assert (403, True) == (denied.status_code, "Start again" in denied.text)


async def test_a_move_needs_its_own_button(tmp_path: Path) -> None:
    """Jane's Zoom account serves another local account: the page says so, and asks."""
    async with (
        mounted_app(tmp_path) as app,
        app.browser("jane") as jane,
        app.browser("tenant-2") as second,
    ):
        await app.connect(jane)
        page = await app.page(second)
        assert "That connection will end" in page.text
        assert 'value="connect"' not in page.text
        # The other local account is not this person's: its name is not shown.
        assert "jane</" not in page.text
        refused = await send(second, page, "connect")
        assert str(page.url.raw_path, "ascii") == refused.headers["location"]
        assert ["jane"] == await subjects(app)
        moved = await send(second, page, "move")
        assert "/done" == moved.headers["location"]
        assert ["tenant-2"] == await subjects(app)


async def test_a_form_counts_for_the_accounts_that_it_showed(tmp_path: Path) -> None:
    """A connection made after the page was shown would end unseen: the page is shown again."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        app.agree_as(RAVI)
        page = await app.page(browser)
        app.agree_as(JANE)
        await app.connect(browser)
        for decision in ("move", "connect"):
            assert 403 == (await send(browser, page, decision)).status_code
        shown = await browser.get(str(page.url))
        assert "jane@example.com" in shown.text
        assert "/done" == (await send(browser, shown, "move")).headers["location"]


async def test_a_claim_expires(tmp_path: Path) -> None:
    """After ten minutes neither the page nor its form do anything, and the remedy is shown."""
    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        page = await app.page(browser)
        with time_machine.travel(time.time() + 700):
            answers = [await browser.get(str(page.url)), await send(browser, page)]
        for answer in answers:
            assert 400 == answer.status_code
            assert "Start again" in answer.text
        assert [] == await subjects(app)


async def test_the_host_may_name_its_user_in_several_ways(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An asynchronous function, a bridge's value in the scope; a mistake of the host is logged."""
    answers: list[Any] = ["jane", None, True, RuntimeError("no session")]

    async def subject_of(_request: object) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with mounted_app(tmp_path) as app, app.browser() as browser:
        app.zoom.service.public.table |= host_page_routes(app, HostSide(subject_of))
        start = f"{app.prefix}/start"
        found = [(await browser.get(start)).status_code for _ in range(4)]
        assert [303, 401, 500, 500] == found
        assert "such as user.id" in caplog.text
        assert "no session" in caplog.text

        async def bridged(scope: Any, receive: Any, send: Any) -> None:
            scope |= {"paraph.subject": scope["headers"] and "jane", "paraph.label": "Jane of it"}
            await app.app(scope, receive, send)

        app.zoom.service.public.table |= host_page_routes(app, HostSide(user_of))
        bridge = MountedApp(app.zoom, app.simulated, bridged)
        async with bridge.browser() as other:
            page = await bridge.page(other)
            assert "Jane of it" in page.text
            assert "/done" not in (await send(other, page)).headers["location"]
        assert ["jane"] == await subjects(app)


async def test_a_grant_that_is_being_decided_is_confirmed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form changes nothing, and the page can be looked at again."""

    async def undecided(*_args: object, **_more: object) -> None:
        raise Conflict("the grant is being decided")

    async with mounted_app(tmp_path) as app, app.browser("jane") as browser:
        page = await app.page(browser)
        with monkeypatch.context() as patch:
            patch.setattr("paraph.lifecycle.link.confirm", undecided)
            later = await send(browser, page)
        assert (503, "3") == (later.status_code, later.headers["retry-after"])
        assert "/done" == (await send(browser, page)).headers["location"]


@pytest.mark.slow
async def test_without_linking_the_hosts_page_ends_the_flow_too(tmp_path: Path) -> None:
    """The options for its end need no confirmation page."""
    simulated = simulated_zoom()
    zoom = Zoom(settings_for(simulated, tmp_path), after_install="/done", after_failure="/no?a=b")
    async with zoom:
        app = MountedApp(zoom, simulated, zoom.asgi, "")
        async with app.browser() as browser:
            for answer, expected in (
                ("approve", "/done"),
                ("deny", "/no?a=b&reason=access_denied"),
            ):
                agree_as(simulated, JANE, answer)
                sent = await browser.get("/install")
                async with httpx.AsyncClient() as visitor:
                    back = (await visitor.get(sent.headers["location"])).headers["location"]
                for _ in range(2):
                    assert expected == (await browser.get(back)).headers["location"]
    give_back(simulated)
