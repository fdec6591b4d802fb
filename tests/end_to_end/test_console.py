"""A person in front of the simulated Zoom: console, listing, consent, refusal, device page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import default_world
from simulator.receiver import Receiver, receiving

pytestmark = pytest.mark.browser


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where the app's events go."""
    with receiving() as one:
        yield one


@pytest.fixture
def running(receiver: Receiver) -> Iterator[SimulatedZoom]:
    """A simulator whose app is a server that answers everything."""
    world = default_world()
    app = world.apps[0]
    app.redirect_uris = [f"{receiver.url}/landing", f"{receiver.url}/redirect"]
    app.event_url = app.deauthorization_url = receiver.url
    receiver.secret = app.webhook_secret
    with SimulatedZoom(world) as zoom:
        yield zoom


def authorization_url(zoom: SimulatedZoom, redirect_uri: str = "") -> str:
    """A request as an app makes it."""
    query = {
        "response_type": "code",
        "client_id": zoom.app.client_id,
        "redirect_uri": redirect_uri or zoom.app.redirect_uris[1],
        "state": "a-secret-state",
    }
    return str(httpx.URL(f"{zoom.url}/oauth/authorize", params=query))


def exchange(zoom: SimulatedZoom, code: str, redirect_uri: str) -> httpx.Response:
    """What the app does with a code."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    credentials = (zoom.app.client_id, zoom.app.client_secret)
    return httpx.post(f"{zoom.url}/oauth/token", data=form, auth=credentials, trust_env=False)


def response_of(page: Page) -> httpx.QueryParams:
    """The parameters that Zoom has sent the browser to the app with."""
    return httpx.URL(page.url).params


def test_listing_consent_and_removal(running: SimulatedZoom, page: Page) -> None:
    """Add leads to consent without state, an unticked scope is not granted, Remove ends it."""
    page.goto(f"{running.url}/marketplace/{running.app.client_id}")
    page.get_by_role("link", name="Add").click()
    page.get_by_label(re.compile("Ravi Member")).check()
    page.get_by_label(re.compile("cloud_recording:read:recording")).uncheck()
    page.get_by_role("button", name="Allow").click()
    assert page.url.startswith(running.app.redirect_uris[0])
    assert ["code"] == list(response_of(page))
    tokens = exchange(running, response_of(page)["code"], running.app.redirect_uris[0]).json()
    assert "user:read:user meeting:read:meeting" == tokens["scope"]

    page.goto(f"{running.url}/marketplace/{running.app.client_id}")
    expect(page.get_by_text("ravi@example.com")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No user yet.")).to_be_visible()
    assert [] == running.grants()
    assert "app_deauthorized" == running.deliveries()[-1]["event"]


@pytest.mark.slow
def test_declining_goes_back_with_an_error(running: SimulatedZoom, page: Page) -> None:
    """Decline sends the browser back with access_denied and the state, and no code."""
    page.goto(authorization_url(running))
    page.get_by_role("button", name="Decline").click()
    assert {"error": "access_denied", "state": "a-secret-state"} == dict(response_of(page))


@pytest.mark.slow
def test_a_wrong_redirect_is_shown_and_goes_nowhere(running: SimulatedZoom, page: Page) -> None:
    """An address that is not registered stands on Zoom's own page; the browser stays there."""
    page.goto(authorization_url(running, "https://evil.example/cb"))
    expect(page.get_by_role("heading")).to_have_text("Invalid redirect url")
    assert page.url.startswith(running.url)


@pytest.mark.slow
def test_a_device_is_connected_and_another_refused(running: SimulatedZoom, page: Page) -> None:
    """A person enters a device's code, agrees, and the device has tokens; or declines."""
    credentials = (running.app.client_id, running.app.client_secret)
    for decision, heading, told in (
        ("Allow", "The device is connected", "access_token"),
        ("Decline", "The device was refused", "error"),
    ):
        begun = httpx.post(
            f"{running.url}/oauth/devicecode",
            params={"client_id": running.app.client_id},
            auth=credentials,
            trust_env=False,
        ).json()
        page.goto(begun["verification_uri"])
        page.get_by_label("Code shown on the device").fill("wrong")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_contain_text("unknown")
        page.get_by_label("Code shown on the device").fill(begun["user_code"])
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name=decision).click()
        expect(page.get_by_role("heading")).to_have_text(heading)
        grant_type = "urn:ietf:params:oauth:grant-type:device_code"
        form = {"grant_type": grant_type, "device_code": begun["device_code"]}
        running.advance(6)
        response = httpx.post(
            f"{running.url}/oauth/token", data=form, auth=credentials, trust_env=False
        )
        assert told in response.json()


@pytest.mark.slow
def test_the_console_is_live_masks_and_reveals(running: SimulatedZoom, page: Page) -> None:
    """What happens appears by itself; secrets come only for the entry that is revealed."""
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(running.url)
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()
    running.consent("approve")
    location = httpx.get(authorization_url(running), trust_env=False).headers["location"]
    tokens = exchange(running, httpx.URL(location).params["code"], running.app.redirect_uris[1])
    secret = tokens.json()["access_token"]
    entry = page.locator(".entry", has_text="POST /oauth/token")
    expect(entry).to_have_count(1)
    expect(page.locator("[data-live=grants]")).to_contain_text("Jane Dev")
    assert secret not in page.content() and "a-secret-state" not in page.content()

    entry.locator("summary").click()
    entry.get_by_role("button", name="Reveal").click()
    expect(entry).to_contain_text(secret)
    httpx.get(f"{running.url}/v2/users/me", trust_env=False)
    expect(page.locator(".entry", has_text="GET /v2/users/me")).to_have_count(1)
    # What was opened and revealed stays so while the rest is drawn anew.
    expect(entry).to_contain_text(secret)
    page.get_by_role("button", name="Reveal", exact=True).click()
    expect(page.locator(".secrets")).to_contain_text(running.app.client_secret)
    assert [] == problems


def test_every_button_of_the_console(
    running: SimulatedZoom, receiver: Receiver, page: Page
) -> None:
    """Events, repeats, validation, clock, consent, faults, removal and reset, without a reload."""
    page.goto(running.url)
    page.evaluate("window.stayed = true")
    said = page.get_by_role("status")

    page.get_by_label("event", exact=True).select_option("meeting.started")
    page.get_by_role("button", name="Send event").click()
    expect(said).to_have_text("Sent meeting.started.")
    sent = page.locator(".entry", has_text="meeting.started")
    expect(sent.locator(".status")).to_have_text("200")
    sent.locator("summary").click()
    sent.get_by_role("button", name="Send the same bytes again").click()
    expect(sent.locator(".status")).to_have_text("200, 2 attempts")
    assert receiver.bodies[0] == receiver.bodies[1]

    page.get_by_role("button", name="Validate the event URL").click()
    expect(said).to_contain_text("Passed")

    page.get_by_role("button", name="+1 h").click()
    expect(page.locator("[data-live=status]")).to_contain_text("+1 h")
    page.get_by_label("seconds", exact=True).fill("90")
    page.get_by_role("button", name="Advance seconds").click()
    expect(page.locator("[data-live=status]")).to_contain_text("+1 h 1 min")

    page.locator("select[name=auto]").select_option("deny")
    page.get_by_role("button", name="Decide like this").click()
    expect(page.locator("[data-live=status]")).to_contain_text("declines at once")
    response = httpx.get(authorization_url(running), trust_env=False)
    assert "access_denied" in response.headers["location"]

    page.get_by_label("Find a fault").fill("unavailable token")
    fault = page.locator(".fault", has_text="token_unavailable")
    fault.get_by_text("options").click()
    fault.get_by_label("times of token_unavailable").fill("1")
    fault.get_by_role("button", name="Switch on token_unavailable").click()
    expect(page.locator("[data-live=status]")).to_contain_text("token_unavailable")
    assert 503 == exchange(running, "x", "y").status_code
    expect(page.locator("[data-live=status]")).not_to_contain_text("token_unavailable")

    page.get_by_role("button", name="Remove the app").click()
    expect(page.locator(".entry", has_text="app_deauthorized")).to_have_count(1)

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Reset everything").click()
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()
    assert page.evaluate("window.stayed") is True


@pytest.mark.slow
def test_the_console_by_keyboard(running: SimulatedZoom, page: Page) -> None:
    """A press by keyboard keeps its place while the page is drawn anew; what is shown is hidden."""
    running.wait_for_delivery(running.send_event("meeting.started"))
    page.goto(running.url)
    send = page.get_by_role("button", name="Send event")
    send.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".entry")).to_have_count(2)
    expect(send).to_be_focused()

    page.get_by_label("Find a fault").fill("token_html")
    page.get_by_role("button", name="Switch on token_html").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Switch off token_html")).to_be_focused()

    entry = page.locator(".entry").first
    entry.locator("summary").focus()
    page.keyboard.press("Enter")
    entry.get_by_role("button", name="Reveal").focus()
    page.keyboard.press("Enter")
    hide = entry.get_by_role("button", name="Hide again")
    expect(hide).to_be_focused()
    expect(entry).to_contain_text("v0=")
    page.keyboard.press("Enter")
    expect(entry.get_by_role("button", name="Reveal")).to_be_focused()
    expect(entry).not_to_contain_text("v0=")


@pytest.mark.slow
def test_typed_text_stays(running: SimulatedZoom, page: Page) -> None:
    """A setting that was typed in is not wiped when something else changes meanwhile."""
    page.goto(running.url)
    page.get_by_label("Find a fault").fill("token_slow")
    fault = page.locator(".fault", has_text="token_slow")
    fault.get_by_text("options").click()
    setting = fault.get_by_label("seconds of token_slow")
    setting.fill("0.5")
    page.get_by_label("Find a fault").focus()
    running.simulator.faults.switch_on("token_html", {})
    expect(page.locator("[data-live=status]")).to_contain_text("token_html")
    expect(setting).to_have_value("0.5")
    page.get_by_role("button", name="Switch on token_slow").click()
    expect(page.locator(".fault.on")).to_have_count(2)
    assert 0.5 == next(
        one["parameters"]["seconds"]
        for one in running.simulator.faults.listing()
        if one["name"] == "token_slow"
    )


@pytest.mark.slow
def test_the_console_reads_without_javascript(running: SimulatedZoom, browser: Browser) -> None:
    """Without scripts everything can be read, a form works, and one entry is revealed as a page."""
    running.consent("approve")
    httpx.get(authorization_url(running), trust_env=False)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(running.url)
    entry = page.locator(".entry", has_text="GET /oauth/authorize")
    entry.locator("summary").click()
    expect(entry.get_by_text("redirect_uri", exact=True)).to_be_visible()
    assert "a-secret-state" not in page.content()
    entry.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text("a-secret-state").first).to_be_visible()
    page.get_by_role("link", name="Back to the console").click()
    page.get_by_role("button", name="+5 min").click()
    expect(page.locator("[data-live=status]")).to_contain_text("+5 min")
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(
    running: SimulatedZoom, receiver: Receiver, browser: Browser, scheme: str
) -> None:
    """No page needs sideways scrolling at 390 pixels, with long values and all of it opened."""
    long = "x" * 300
    httpx.get(f"{running.url}/{long}?{long}={long}", headers={long: long}, trust_env=False)
    running.wait_for_delivery(running.send_event("meeting.started", {"object": {"topic": long}}))
    running.simulator.faults.switch_on("token_redirect", {"location": f"https://{long}.example"})
    running.app.client_id = long
    running.app.redirect_uris[0] = f"{running.app.redirect_uris[0]}/{long}"
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for url in (
        running.url,
        f"{running.url}/marketplace/{long}",
        authorization_url(running),
        authorization_url(running, f"https://{long}.example"),
        f"{running.url}/oauth_device",
    ):
        page.goto(url)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert 390 == page.evaluate("document.documentElement.scrollWidth"), url
    context.close()


_CONTRAST = """() => {
  const light = (c) => {
    const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map((v) => {
      const s = v / 255; return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const c = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(c) && c !== 'transparent') return c; }
    return 'rgb(255, 255, 255)'; };
  const poor = [];
  for (const one of document.querySelectorAll('body *')) {
    const text = [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!text || !one.getClientRects().length) continue;
    const a = light(getComputedStyle(one).color), b = light(ground(one));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${one.className} ${one.textContent.slice(0, 30)} ${ratio}`);
  }
  return poor; }"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(running: SimulatedZoom, browser: Browser, scheme: str) -> None:
    """All text of console and consent has a contrast of 4.5 to its ground (WCAG 2.2, 1.4.3)."""
    running.consent("approve")
    for _ in range(2):
        httpx.get(authorization_url(running), trust_env=False)
    exchange(running, "x", "y")
    running.simulator.faults.switch_on("token_unavailable", {})
    exchange(running, "x", "y")
    running.wait_for_delivery(running.send_event("meeting.started", {}))
    running.consent("ask")
    context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    for url in (running.url, authorization_url(running), f"{running.url}/marketplace/nobody"):
        page.goto(url)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert [] == page.evaluate(_CONTRAST), url
    context.close()


@pytest.mark.slow
def test_entries_are_filtered_compared_copied_and_explained(
    running: SimulatedZoom, receiver: Receiver, page: Page
) -> None:
    """The address names the filter; two entries stand side by side; cURL and steps in the entry."""
    page.goto(running.url)
    for name in ("meeting.started", "phone.callee_ringing"):
        page.get_by_label("event", exact=True).select_option(name)
        page.get_by_role("button", name="Send event").click()
        expect(page.locator("#timeline summary", has_text=name)).to_contain_text("200")
    entries = page.locator("#timeline details.entry")
    expect(entries).to_have_count(2)
    page.get_by_role("searchbox", name="Text").fill("callee 200")
    expect(entries).to_have_count(1)
    expect(page).to_have_url(re.compile(r"text=callee\+200"))
    page.reload()
    expect(entries).to_have_count(1)
    page.get_by_role("searchbox", name="Text").fill("")
    page.get_by_label("filter by entries").select_option("requests")
    expect(page.get_by_text("No entry matches the filter.")).to_be_visible()
    page.get_by_label("filter by entries").select_option("deliveries")
    expect(entries).to_have_count(2)

    for entry in entries.all():
        entry.locator("summary").first.click()
        entry.get_by_label("Select").check()
    expect(page.get_by_text("2 of 2 entries selected")).to_be_visible()
    entries.first.get_by_role("button", name="Copy as cURL").click()
    expect(entries.first.locator(".more pre")).to_contain_text(receiver.url)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Two entries side by side")).to_be_visible()
    expect(page.locator(".differs").first).to_be_visible()
    page.go_back()
    with page.expect_download() as started:
        page.get_by_role("link", name="Export as scenario").click()
    exported = started.value.path().read_text(encoding="utf-8")
    assert 2 == exported.count('do = "send"') == exported.count("expect = { status = 200 }")
