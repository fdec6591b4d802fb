"""The whole way through, in a real browser, from the Marketplace to the removal."""

from __future__ import annotations

import re
import socket
import sys
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from end_to_end.running_demo import RunningDemo, start_demo

pytestmark = pytest.mark.browser


def sign_in(page: Page, person: str) -> None:
    """Pick a person on the host's sign-in page."""
    page.get_by_role("button", name=person).click()


def consent(page: Page, user: str = "Jane Dev", decision: str = "Allow") -> None:
    """Answer Zoom's consent page."""
    page.get_by_label(re.compile(user)).check()
    page.get_by_role("button", name=decision).click()


def install_from_marketplace(page: Page, demo: RunningDemo, person: str) -> None:
    """Marketplace, Add, consent, sign in, consent again with state, confirm."""
    page.goto(f"{demo.zoom}/marketplace/{demo.client_id}")
    page.get_by_role("link", name="Add").click()
    consent(page)
    sign_in(page, person)
    page.get_by_role("button", name="Continue to Zoom").click()
    consent(page)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator(".installation")).to_have_count(1)


def test_marketplace_install_event_and_removal(host_demo: RunningDemo, page: Page) -> None:
    """An install from the Marketplace ends with six proofs, events arrive, removal ends it."""
    install_from_marketplace(page, host_demo, "Ada Lund")
    proofs = page.locator(".installation .proofs li")
    expect(proofs).to_have_count(6)
    expect(page.locator(".installation .proofs li.none")).to_have_count(0)
    expect(page.locator(".installation .proofs li.host")).to_have_count(1)
    expect(page.locator(".installation")).to_contain_text("Jane Dev")
    assert page.url == f"{host_demo.host}/"

    console = page.context.new_page()
    console.goto(host_demo.zoom)
    console.get_by_label("event", exact=True).select_option("meeting.ended")
    console.get_by_role("button", name="Send event").click()
    expect(page.locator("#feed")).to_contain_text("zoom.meeting.ended")

    console.goto(f"{host_demo.zoom}/marketplace/{host_demo.client_id}")
    console.get_by_role("button", name="Remove it from Jane Dev").click()
    expect(page.locator(".installation")).to_have_count(0)
    page.reload()
    expect(page.locator("#feed")).to_contain_text("installation.removed")


@pytest.mark.slow
def test_declining_at_zoom_installs_nothing(host_demo: RunningDemo, page: Page) -> None:
    """A person who says no at Zoom gets a page that says so, and nothing is installed."""
    before = len(host_demo.token_requests())
    page.goto(host_demo.host)
    sign_in(page, "Chi Nguyen")
    page.get_by_role("button", name="Install from here").click()
    consent(page, decision="Decline")
    expect(page.get_by_role("heading")).to_have_text("The app was not installed")
    assert len(host_demo.token_requests()) == before


@pytest.mark.slow
def test_declining_the_accounts_installs_nothing(host_demo: RunningDemo, page: Page) -> None:
    """A person who does not know the accounts says no, and the grant goes at Zoom too."""
    page.goto(host_demo.host)
    sign_in(page, "Chi Nguyen")
    page.get_by_role("button", name="Install from here").click()
    consent(page, "Ravi Member")
    page.get_by_role("button", name="No, not these").click()
    expect(page.get_by_role("status")).to_have_text("Nothing was connected.")
    expect(page.locator(".installation")).to_have_count(0)


@pytest.mark.slow
def test_every_attack_is_withstood(host_demo: RunningDemo, page: Page) -> None:
    """Each button of the attack panel sends its attack, and none gets anywhere."""
    install_from_marketplace(page, host_demo, "Ada Lund")
    attacks = page.locator(".attack")
    count = attacks.count()
    assert count == 8
    for number in range(count):
        page.locator(".attack").nth(number).get_by_role("button", name="Attack").click()
        verdict = page.locator(".attack").nth(number).locator(".verdict")
        expect(verdict).to_contain_text("Withstood: 0 requests reached Zoom")
        expect(verdict).to_contain_text("installations unchanged")
        assert page.locator(".attack").nth(number).locator(".sent li").count() >= 1


@pytest.mark.slow
def test_what_is_agreed_to_is_what_was_shown(host_demo: RunningDemo, page: Page) -> None:
    """A confirmation page that another tab has outdated shows the newer accounts instead."""
    page.goto(host_demo.host)
    sign_in(page, "Dov Almeida")
    page.get_by_role("button", name="Install from here").click()
    consent(page, "Ravi Member")
    expect(page.locator(".accounts")).to_contain_text("Ravi Member")
    other = page.context.new_page()
    other.goto(host_demo.host)
    other.get_by_role("button", name="Install from here").click()
    consent(other, "Mallory Attacker")
    expect(other.locator(".accounts")).to_contain_text("Mallory Attacker")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator(".accounts")).to_contain_text("Mallory Attacker")
    page.get_by_role("button", name="No, not these").click()
    expect(page.get_by_role("status")).to_have_text("Nothing was connected.")


@pytest.mark.slow
def test_a_foreign_handoff_ends_nothing(host_demo: RunningDemo, page: Page) -> None:
    """It is refused where it is brought, and what that session itself began still ends well."""
    page.goto(host_demo.host)
    sign_in(page, "Chi Nguyen")
    page.get_by_role("button", name="Install from here").click()
    lured = page.context.new_page()
    lured.goto(f"{host_demo.host}/zoom/link?handoff={'h' * 43}")
    expect(lured.get_by_role("heading")).to_have_text("This link was not started in this session")
    consent(page, "Ravi Member")
    page.get_by_role("button", name="No, not these").click()
    expect(page.get_by_role("status")).to_have_text("Nothing was connected.")


@pytest.mark.slow
def test_the_host_has_a_page_for_unknown_addresses(host_demo: RunningDemo, page: Page) -> None:
    """A page of its own with a way back, and an installed page only where nobody confirms."""
    page.goto(f"{host_demo.host}/nowhere")
    page.get_by_role("link", name="Back to Tidemark").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to Tidemark")
    response = page.goto(f"{host_demo.service}/installed")
    assert response is not None and response.status == 404


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_zoom_service_and_host_on_three_sites(page: Page) -> None:
    """Every step between them is cross-site, and the whole way through works all the same.

    Cookies ignore ports: on one host a wrong SameSite would pass unseen. What a foreign site
    starts begins by a button.
    """
    demo = start_demo("host", host_address="127.0.0.2")
    try:
        page.goto(demo.host)
        sign_in(page, "Ada Lund")
        page.get_by_role("button", name="Install from here").click()
        expect(page.get_by_role("heading")).to_have_text("Install Tidemark")
        page.get_by_role("link", name="Continue to Zoom").click()
        consent(page)
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.locator(".installation .proofs li.paraph")).to_have_count(5)
        expect(page.locator(".installation .proofs li.host")).to_have_count(1)
        assert page.url == f"{demo.host}/"
        sites = {urlsplit(one).hostname for one in (demo.zoom, demo.service, demo.host)}
        assert len(sites) == 3
    finally:
        demo.stop()


@pytest.mark.slow
def test_nothing_is_left_of_a_demo() -> None:
    """It ends on SIGTERM with exit code 0: no process, no port and no file of it stays."""
    demo = start_demo("none")
    ports = [int(one.rpartition(":")[2]) for one in (demo.zoom, demo.service, demo.private)]
    assert 0 == demo.stop()
    assert not demo.folder.exists()
    for port in (*ports, int(demo.host.rpartition(":")[2])):
        with socket.socket() as probe:
            assert 0 != probe.connect_ex(("127.0.0.1", port))


@pytest.mark.slow
def test_install_without_linking(plain_demo: RunningDemo, page: Page) -> None:
    """Without linking the Marketplace leads straight to an installation of the Zoom user."""
    page.goto(f"{plain_demo.zoom}/marketplace/{plain_demo.client_id}")
    page.get_by_role("link", name="Add").click()
    consent(page)
    consent(page)
    expect(page.get_by_role("heading")).to_have_text("Installed")
    assert page.url == f"{plain_demo.service}/installed"
    page.goto(plain_demo.host)
    sign_in(page, "Ada Lund")
    expect(page.locator(".installation")).to_have_count(1)
    expect(page.locator(".installation .proofs li.paraph")).to_have_count(5)


def keep_from(page: Page) -> list[str]:
    """Keep Zoom's answers from this page; their URLs."""
    responses: list[str] = []

    def keep_the_response(route: Route) -> None:
        # Playwright lets redirects pass, so the answer is taken where Zoom gives it.
        responses.append(route.fetch(max_redirects=0).headers["location"])
        route.fulfill(status=200, body="kept from this browser")

    page.route(re.compile("/oauth/authorize$"), keep_the_response)
    return responses


def test_another_browser_cannot_finish(
    plain_demo: RunningDemo, page: Page, browser: Browser
) -> None:
    """An answer that is delivered to another browser than the one that began is refused there."""
    responses = keep_from(page)
    page.goto(f"{plain_demo.service}/install")
    page.get_by_role("button", name="Allow").click()
    expect(page.locator("body")).to_have_text("kept from this browser")
    before = len(plain_demo.token_requests())
    stranger = browser.new_context().new_page()
    stranger.goto(responses[0])
    expect(stranger.get_by_role("heading")).to_have_text("This did not start here")
    assert len(plain_demo.token_requests()) == before
    stranger.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/zoom/start"])
def test_host_pages_fit_a_phone(host_demo: RunningDemo, browser: Browser, path: str) -> None:
    """No page of the host needs sideways scrolling at 390 pixels."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(host_demo.host)
    sign_in(page, "Ada Lund")
    page.goto(f"{host_demo.host}{path}")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.goto(host_demo.zoom)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()


def exchanges(demo: RunningDemo) -> int:
    """The number of codes that were sent to Zoom's token endpoint; refreshes are not counted."""
    return sum("authorization_code" in str(one) for one in demo.token_requests())


def keep_answers(page: Page) -> list[str]:
    """The URLs of the redirection endpoint that this page asks for, in their order."""
    responses: list[str] = []

    def note(request: Request) -> None:
        if "/oauth/redirect?" in request.url:
            responses.append(request.url)

    page.on("request", note)
    return responses


def begin(page: Page, demo: RunningDemo) -> None:
    """Go to Zoom's consent page, with linking as Ada."""
    if not page.context.cookies(demo.host):
        page.goto(demo.host)
        sign_in(page, "Ada Lund")
    page.goto(f"{demo.host}/zoom/start")
    page.get_by_role("button", name="Continue to Zoom").click()


@pytest.mark.slow
def test_another_load_reload_and_back_without_linking(plain_demo: RunningDemo, page: Page) -> None:
    """Another load of Zoom's response, a reload, and back: installed, by one exchange."""
    responses, before = keep_answers(page), exchanges(plain_demo)
    page.goto(f"{plain_demo.service}/install")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading")).to_have_text("Installed")
    page.goto(responses[0])
    expect(page.get_by_role("heading")).to_have_text("Installed")
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("Installed")
    page.goto(f"{plain_demo.service}/healthz")
    page.go_back()
    expect(page.get_by_role("heading")).to_have_text("Installed")
    page.go_back()
    page.go_back()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading")).to_have_text("Installed")
    assert before + 1 == exchanges(plain_demo)


@pytest.mark.slow
def test_another_load_reload_and_back_with_linking(host_demo: RunningDemo, page: Page) -> None:
    """A reload confirms again; a load of Zoom's response says where to continue."""
    responses, before = keep_answers(page), exchanges(host_demo)
    begin(page, host_demo)
    page.get_by_label(re.compile("Jane Dev")).check()
    page.get_by_role("button", name="Allow").click()
    expect(page.locator(".accounts")).to_contain_text("Jane Dev")
    page.reload()
    expect(page.locator(".accounts")).to_contain_text("Jane Dev")
    page.goto(responses[0])
    expect(page.locator("main")).to_contain_text("Continue in Tidemark")
    page.go_back()
    expect(page.locator(".accounts")).to_contain_text("Jane Dev")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator(".installation")).to_have_count(1)
    page.goto(responses[0])
    expect(page.locator("main")).to_contain_text("Continue in Tidemark")
    assert before + 1 == exchanges(host_demo)


@pytest.mark.slow
def test_a_second_load_before_the_claim_leads_to_the_host(
    host_demo: RunningDemo, page: Page
) -> None:
    """The redirect to the host that a browser dropped comes again when the answer is loaded."""
    responses, before = keep_from(page), exchanges(host_demo)
    begin(page, host_demo)
    consent(page)
    expect(page.locator("body")).to_have_text("kept from this browser")
    dropped = page.context.request.get(responses[0], max_redirects=0)
    assert dropped.status == 303
    page.goto(responses[0])
    expect(page.locator(".accounts")).to_contain_text("Jane Dev")
    page.get_by_role("button", name="No, not these").click()
    expect(page.get_by_role("status")).to_have_text("Nothing was connected.")
    assert before + 1 == exchanges(host_demo)


@pytest.mark.slow
def test_two_tabs_without_linking(plain_demo: RunningDemo, page: Page) -> None:
    """Two tabs of one browser both end well, in either order, with one installation."""
    other = page.context.new_page()
    page.goto(f"{plain_demo.service}/install")
    other.goto(f"{plain_demo.service}/install")
    for tab in (other, page):
        consent(tab)
        expect(tab.get_by_role("heading")).to_have_text("Installed")
    page.goto(plain_demo.host)
    sign_in(page, "Ada Lund")
    expect(page.locator(".installation")).to_have_count(1)


@pytest.mark.slow
def test_two_tabs_with_linking(host_demo: RunningDemo, page: Page) -> None:
    """Two tabs of one person are both confirmed, in either order, with one installation."""
    begin(page, host_demo)
    other = page.context.new_page()
    begin(other, host_demo)
    for tab in (other, page):
        consent(tab)
        expect(tab.locator(".accounts")).to_contain_text("Jane Dev")
        tab.get_by_role("button", name="Connect", exact=True).click()
        expect(tab.locator(".installation")).to_have_count(1)
