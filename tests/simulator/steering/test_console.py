from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import httpx
import pytest

from paraph.simulator.app import create_app
from paraph.simulator.pytest_plugin import SimulatedZoom
from simulator.plain_client import JANE
from simulator.receiver import receiving
from simulator.steering.test_control import authorize, exchange


@pytest.fixture
def console(simulated: SimulatedZoom) -> Iterator[httpx.Client]:
    """A browser that has the console open: its forms carry the console's origin."""
    headers = {"origin": simulated.url}
    with httpx.Client(base_url=simulated.url, headers=headers, trust_env=False) as client:
        yield client


def secrets_of(zoom: SimulatedZoom) -> list[str]:
    """Everything secret that an authorization has left in a simulator."""
    zoom.consent("approve", JANE)
    code = httpx.URL(authorize(zoom, "a-secret-state").headers["location"]).params["code"]
    tokens = exchange(zoom)
    return [
        *(zoom.app.client_secret, zoom.app.webhook_secret, code, "a-secret-state"),
        *(tokens["access_token"], tokens["refresh_token"]),
    ]


def test_no_secret_stands_in_the_page(simulated: SimulatedZoom, console: httpx.Client) -> None:
    """Neither the page nor what refreshes it holds a secret, code, state, token or signature."""
    secrets = secrets_of(simulated)
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        simulated.wait_for_delivery(
            simulated.send_event("meeting.started", {"download_token": "dl-1"})
        )
        secrets += ["dl-1", receiver.headers[0]["x-zm-signature"]]
    for path in ("/", "/_console/live"):
        page = console.get(path)
        assert 200 == page.status_code and "/oauth/token" in page.text
        assert [] == [secret for secret in secrets if secret in page.text]


def test_one_entry_is_revealed_by_an_order(simulated: SimulatedZoom, console: httpx.Client) -> None:
    """Revealing shows that one entry in clear, as a page or as a part of one."""
    secrets_of(simulated)
    (entry,) = simulated.journal("/oauth/token")
    (sent,) = [value for name, value in entry["form"] if name == "code"]
    key = f"r{entry['number']}"
    whole = console.post("/_console/reveal", data={"key": key})
    part = console.post("/_console/reveal", data={"key": key, "fragment": "1"})
    assert sent in whole.text and "<html" in whole.text
    assert sent in part.text and "<html" not in part.text
    app = console.post("/_console/reveal", data={"key": f"a{simulated.app.client_id}"})
    assert simulated.app.client_secret in app.text


@pytest.mark.parametrize("key", ["", "r", "r999999", "r" + "9" * 50, "dnone", "anobody", "x"])
def test_what_is_not_there_cannot_be_revealed(console: httpx.Client, key: str) -> None:
    """An entry that has gone, or never was, is a 404."""
    assert 404 == console.post("/_console/reveal", data={"key": key}).status_code


@pytest.mark.parametrize("path", ["/_console/reveal", "/_console/reset", "/_console/event"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "OWN", "sec-fetch-site": "cross-site"},
        {"origin": "OWN", "sec-fetch-site": "same-site"},
        {"origin": "OWN", "host": "evil.example"},
    ],
)
def test_forms_of_other_sites_are_refused(
    simulated: SimulatedZoom, path: str, headers: dict[str, str]
) -> None:
    """A form is taken from the console's own pages only, whatever a foreign page makes of it."""
    simulated.consent("approve", JANE)
    exchange(simulated)
    sent = {name: value.replace("OWN", simulated.url) for name, value in headers.items()}
    response = httpx.post(
        f"{simulated.url}{path}", data={"key": "r1"}, headers=sent, trust_env=False
    )
    assert 403 == response.status_code
    assert 1 == len(simulated.grants())


def test_another_host_sees_no_console(simulated: SimulatedZoom) -> None:
    """Under a foreign name, as in a rebinding attack, no page of the console is shown."""
    for path in ("/", "/_console/live"):
        response = httpx.get(
            f"{simulated.url}{path}", headers={"host": "evil.example"}, trust_env=False
        )
        assert 403 == response.status_code and simulated.app.client_id not in response.text


def test_a_link_from_elsewhere_leads_to_the_console(simulated: SimulatedZoom) -> None:
    """A link on another page opens the console, which does nothing and tells that page nothing."""
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert 200 == httpx.get(simulated.url, headers=headers, trust_env=False).status_code


def test_the_policy_lets_nothing_in_from_elsewhere(console: httpx.Client) -> None:
    """Scripts, styles and images are the console's own; nobody frames it; forms stay here."""
    policy = dict(
        directive.strip().split(" ", 1)
        for directive in console.get("/").headers["content-security-policy"].split(";")
    )
    assert {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    } == policy


def test_zooms_own_pages_run_no_script(simulated: SimulatedZoom, console: httpx.Client) -> None:
    """Consent and listing work without any script, and their policy allows none."""
    for response in (authorize(simulated), console.get(f"/marketplace/{simulated.app.client_id}")):
        assert 200 == response.status_code and "<script" not in response.text
        assert "script-src" not in response.headers["content-security-policy"]


def test_templates_and_styles_name_no_other_host() -> None:
    """No template or static file loads anything from elsewhere, and none has inline code."""
    simulator = files("paraph.simulator")
    for folder in ("templates", "static"):
        for one in (simulator / folder).iterdir():
            text = one.read_text()
            hosts = set(re.findall(r"(?:https?:)?//([\w.-]+)", text)) - {"www.w3.org"}
            assert set() == hosts, one.name
            assert not re.search(r"\son\w+=|style=|<style|javascript:|@import|url\(", text), (
                one.name
            )


def test_every_button_works_without_script(simulated: SimulatedZoom, console: httpx.Client) -> None:
    """Each form is answered by a redirect to the console, and its work is done."""
    simulated.consent("approve", JANE)
    exchange(simulated)
    app = {"client_id": simulated.app.client_id}
    jane = {**app, "user_id": JANE}
    with receiving() as receiver:
        receiver.secret = simulated.app.webhook_secret
        simulated.app.event_url = simulated.app.deauthorization_url = receiver.url
        for act, fields in (
            ("event", {**jane, "event": "meeting.started"}),
            ("validate", app),
            ("clock", {"preset": "300", "seconds": "60"}),
            ("clock", {"seconds": "1.5"}),
            ("consent", {"auto": "deny", "user_id": JANE}),
            ("fault", {"name": "token_slow", "on": "1", "set.seconds": "2", "times": "3"}),
            ("deauthorize", jane),
        ):
            response = console.post(f"/_console/{act}", data=fields)
            assert (303, "/") == (response.status_code, response.headers["location"]), act
        for sent in simulated.deliveries():
            simulated.wait_for_delivery(sent["id"])
        again = simulated.deliveries()[0]["id"]
        assert 303 == console.post("/_console/repeat", data={"delivery": again}).status_code
        simulated.wait_for_delivery(again, attempts=2)
    assert 301.5 == simulated.simulator.clock.advanced
    assert [] == simulated.grants()
    assert "deny" == simulated.simulator.consent.auto
    (on,) = [one for one in simulated.simulator.faults.listing() if one["on"]]
    assert ("token_slow", {"seconds": 2.0, "times": 3}) == (on["name"], on["parameters"])
    assert 303 == console.post("/_console/fault", data={"name": "token_slow"}).status_code
    assert 303 == console.post("/_console/clear").status_code
    assert [] == simulated.journal()
    assert 303 == console.post("/_console/reset").status_code
    assert 0 == simulated.simulator.clock.advanced


def test_failing_challenges_are_shown(simulated: SimulatedZoom, console: httpx.Client) -> None:
    """An event URL that stops answering is marked, written about, and at last disabled."""
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        assert "the event URL counts as validated" in console.get("/").text
        for _ in range(2):
            simulated.advance(72 * 3600)
            simulated.settle()
        page = console.get("/").text
        assert "the event URL failed 2 challenges in a row" in page
        assert "Mail to the owner" in page
        for _ in range(4):
            simulated.advance(72 * 3600)
            simulated.settle()
    assert "the event subscription is disabled" in console.get("/").text
    form, headers = {"client_id": simulated.app.client_id}, {"accept": "application/json"}
    response = console.post("/_console/validate", data=form, headers=headers)
    assert 400 == response.status_code and "The challenge failed: " in response.json()["error"]


def test_a_removal_differs_as_it_is_told(simulated: SimulatedZoom, console: httpx.Client) -> None:
    """A variant that is picked for a removal is in the event that is sent."""
    with receiving() as receiver:
        simulated.app.deauthorization_url = receiver.url
        form = {"client_id": simulated.app.client_id, "user_id": JANE, "variant": "event_ts_absent"}
        assert 303 == console.post("/_console/deauthorize", data=form).status_code
        simulated.wait_for_delivery(simulated.deliveries()[-1]["id"])
    assert b"event_ts" not in receiver.bodies[0]


def test_the_home_url_is_opened_as_the_client_would(
    simulated: SimulatedZoom, console: httpx.Client
) -> None:
    """An app with a Home URL has a button that tells whether Zoom's client shows the page."""
    assert "Open the Home URL" not in console.get("/").text
    simulated.app.home_url = f"{simulated.url}/marketplace/{simulated.app.client_id}"
    assert "Open the Home URL" in console.get("/").text
    form = {"client_id": simulated.app.client_id, "user_id": JANE}
    json = {"accept": "application/json"}
    told = console.post("/_console/open-home", data=form, headers=json).json()["error"]
    assert "shows no page" in told and "Strict-Transport-Security" in told


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("nothing", {}),
        ("open-home", {"client_id": "nobody", "user_id": JANE}),
        ("deauthorize", {"client_id": "SimulatedZoomClientId1", "user_id": JANE, "variant": "no"}),
        ("event", {}),
        ("event", {"client_id": "nobody", "user_id": JANE, "event": "x"}),
        ("clock", {"seconds": "soon"}),
        ("clock", {"seconds": "nan"}),
        ("clock", {"seconds": "-5"}),
        ("clock", {"seconds": "1e300"}),
        ("consent", {"auto": "always", "user_id": JANE}),
        ("fault", {"on": "1", "name": "no_such"}),
        ("fault", {"on": "1", "name": "token_slow", "set.seconds": "long"}),
        ("fault", {"on": "1", "name": "token_slow", "times": "often"}),
        ("fault", {"on": "1", "name": "token_slow", "times": "0"}),
        ("fault", {"name": "no_such"}),
        ("repeat", {"delivery": "none"}),
        ("deauthorize", {"user_id": JANE}),
    ],
)
def test_a_wrong_form_is_told_so(console: httpx.Client, act: str, fields: dict[str, str]) -> None:
    """A form that cannot be done is a page, or JSON for the script, that says why; never a 500."""
    page = console.post(f"/_console/{act}", data=fields)
    assert 400 == page.status_code and "The request was refused" in page.text
    told = console.post(f"/_console/{act}", data=fields, headers={"accept": "application/json"})
    assert 400 == told.status_code and told.json()["error"]


def test_what_has_not_changed_is_not_sent(simulated: SimulatedZoom, console: httpx.Client) -> None:
    """The script names what it has seen, and gets something only when it is no longer so."""
    first = console.get("/_console/live")
    seen = {"seen": first.headers["x-version"]}
    assert 204 == console.get("/_console/live", params=seen).status_code
    authorize(simulated)
    changed = console.get("/_console/live", params=seen)
    assert 200 == changed.status_code and "/oauth/authorize" in changed.text


def test_hostile_requests_are_shown_escaped(
    simulated: SimulatedZoom, console: httpx.Client
) -> None:
    """Markup in a path, a query, a header or a body is text in the console."""
    evil = "<script>alert(1)</script>"
    httpx.post(
        f"{simulated.url}/x{evil}",
        params={"q": evil},
        headers={"x-evil": evil},
        content=evil,
        trust_env=False,
    )
    page = console.get("/").text
    assert evil not in page and "&lt;script&gt;alert(1)" in page


@pytest.mark.anyio
async def test_off_loopback_the_console_asks_for_the_token(simulated: SimulatedZoom) -> None:
    """Beyond loopback the console opens with the control token and stays open by a cookie."""
    app = create_app(simulated.simulator, control_token="t0ken")
    transport = httpx.ASGITransport(app)
    own = {"origin": "http://10.0.0.9:8100"}
    async with httpx.AsyncClient(transport=transport, base_url=own["origin"]) as browser:
        asked = await browser.get("/")
        assert 401 == asked.status_code and simulated.app.client_id not in asked.text
        form = {"token": "wrong"}
        refused = await browser.post("/_console/sign-in", data=form, headers=own)
        assert 401 == refused.status_code and "That is not the control token" in refused.text
        form = {"token": "t0ken"}
        foreign = await browser.post("/_console/sign-in", data=form)
        assert 403 == foreign.status_code
        opened = await browser.post("/_console/sign-in", data=form, headers=own)
        assert 303 == opened.status_code
        assert "HttpOnly" in opened.headers["set-cookie"]
        assert "samesite=strict" in opened.headers["set-cookie"].lower()
        assert "t0ken" not in opened.headers["set-cookie"]
        assert 200 == (await browser.get("/")).status_code
        reset = await browser.post("/_console/reset", headers=own)
        assert 303 == reset.status_code
        # The cookie opens pages; the control API takes the token alone.
        assert 401 == (await browser.get("/_simulator/world")).status_code


def test_removal_on_the_listing_is_not_for_other_sites(simulated: SimulatedZoom) -> None:
    """A foreign page cannot remove an app in the user's name."""
    simulated.consent("approve", JANE)
    exchange(simulated)
    url = f"{simulated.url}/marketplace/{simulated.app.client_id}/remove"
    for headers in ({}, {"origin": "https://evil.example"}):
        response = httpx.post(url, data={"user_id": JANE}, headers=headers, trust_env=False)
        assert 403 == response.status_code
    assert 1 == len(simulated.grants())
    own = {"origin": simulated.url}
    response = httpx.post(url, data={"user_id": JANE}, headers=own, trust_env=False)
    assert 303 == response.status_code
    assert [] == simulated.grants()
