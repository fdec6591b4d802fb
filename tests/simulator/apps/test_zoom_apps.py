from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from paraph.secret import Secret
from paraph.simulator.apps.app_context import VARIANTS
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.zoom.app_context import AppContext, open_app_context
from simulator.plain_client import JANE, PlainClient

FOUR = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'self'",
    "referrer-policy": "same-origin",
}


class HomePage:
    """The Home URL of a Zoom App, on a socket."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[tuple[str, str]] = [("content-type", "text/html"), *FOUR.items()]
        self.requests: list[tuple[str, dict[str, str]]] = []
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen = {name.lower(): value for name, value in self.headers.items()}
                page.requests.append((self.path, seen))
                self.send_response(page.status)
                for name, value in page.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"<!doctype html>")

            def log_message(self, *_about: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/home"


@pytest.fixture
def home(simulated: SimulatedZoom) -> Iterator[HomePage]:
    """The Home URL of the first app, on its allow list."""
    page = HomePage()
    thread = threading.Thread(target=page.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    app = simulated.app
    app.home_url, app.redirect_uris = page.url, [*app.redirect_uris, page.url]
    yield page
    page.server.shutdown()
    page.server.server_close()
    thread.join(5)


def order(zoom: SimulatedZoom, **more: Any) -> dict[str, Any]:
    """The first user and the first app."""
    return {"client_id": zoom.app.client_id, "user_id": JANE, **more}


def opened(zoom: SimulatedZoom, header: str) -> AppContext:
    """A context as the kit reads it."""
    return open_app_context(
        header.encode(),
        client_secret=Secret(zoom.app.client_secret),
        client_id=zoom.app.client_id,
        now=zoom.simulator.wall(),
    )


def test_the_home_url_is_opened_as_the_client_does(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage
) -> None:
    """With the client's user agent and a context that tells who and where."""
    report = control.post("/open-home", json=order(simulated, place="meeting")).json()
    assert (200, True, []) == (report["status"], report["shown"], report["problems"])
    ((path, headers),) = home.requests
    assert "/home" == path
    assert "ZoomApps/1.0" in headers["user-agent"]
    assert report["context"] == headers["x-zoom-app-context"]
    context = opened(simulated, report["context"])
    assert (JANE, "meeting") == (context.uid, context.typ)


@pytest.mark.parametrize("missing", sorted(FOUR))
def test_a_page_without_one_of_the_four_headers_is_not_shown(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage, missing: str
) -> None:
    """The client says which one, in its own words."""
    home.headers = [pair for pair in home.headers if pair[0] != missing]
    report = control.post("/open-home", json=order(simulated)).json()
    assert not report["shown"]
    (problem,) = report["problems"]
    assert f'Missing OWASP Secure Headers: "{missing}"'.lower() == problem.lower()


def test_only_pages_need_the_headers(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage
) -> None:
    """An answer that is no HTML is let through, an error is not shown for being one."""
    home.headers = [("content-type", "application/json")]
    assert control.post("/open-home", json=order(simulated)).json()["shown"]
    home.status = 500
    report = control.post("/open-home", json=order(simulated)).json()
    assert (500, False, []) == (report["status"], report["shown"], report["problems"])


def test_cookies_that_the_client_would_drop_are_named(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage
) -> None:
    """Only SameSite=None with Secure lives in the embedded browser."""
    home.headers += [
        ("set-cookie", "kept=1; SameSite=None; Secure; Path=/"),
        ("set-cookie", "lax=1; SameSite=Lax; Secure"),
        ("set-cookie", "bare=1"),
    ]
    report = control.post("/open-home", json=order(simulated)).json()
    assert report["shown"]
    assert ["lax", "bare"] == [problem.split()[2] for problem in report["problems"]]


def test_values_in_the_urls_query_are_filled_in(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage
) -> None:
    """They are plain, and nobody signs them."""
    simulated.app.home_url += "?account={accountId}&meeting={meetingUUID}"
    control.post("/open-home", json=order(simulated))
    ((path, _),) = home.requests
    assert "/home?account=AbcDEFghiJKLmnoPQRst01&meeting=AbCdEfGhIjKlMnOpQrStUg%3D%3D" == path


def test_an_unreachable_home_url_is_reported(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """Nobody there is a problem of the report; no URL at all one of the call."""
    simulated.app.home_url = "http://127.0.0.1:1/"
    report = control.post("/open-home", json=order(simulated)).json()
    assert (0, False) == (report["status"], report["shown"])
    simulated.app.home_url = ""
    assert 400 == control.post("/open-home", json=order(simulated)).status_code


@pytest.mark.parametrize("variant", sorted(VARIANTS.documentation()))
def test_the_home_url_is_opened_with_every_variant(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage, variant: str
) -> None:
    """The app sees exactly the header that the report names."""
    report = control.post("/open-home", json=order(simulated, variant=variant)).json()
    assert report["context"] == home.requests[0][1]["x-zoom-app-context"]


def test_a_context_can_be_minted_alone(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """For tests that send it themselves; variants and places are listed."""
    header = control.post("/app-context", json=order(simulated, act="open:7")).json()["header"]
    assert "open:7" == opened(simulated, header).claims["act"]
    listed = control.get("/variants").json()
    assert {"bad_tag", "short_tag", "guest", "expired"} <= set(listed["app_context"])
    assert {"retention_true", "old_time"} <= set(listed["deauthorization"])
    assert ["panel", "meeting", "webinar", "chat"] == listed["places"]
    assert 400 == control.post("/app-context", json=order(simulated, variant="x")).status_code


def test_authorization_inside_the_client_ends_in_tokens(
    simulated: SimulatedZoom, control: httpx.Client, plain: PlainClient, home: HomePage
) -> None:
    """The challenge is plain, the redirect URI the Home URL, and the state comes back."""
    asked = order(simulated, code_challenge="plain-verifier-0001", state="st4te")
    event = control.post("/in-client-authorize", json=asked).json()
    assert (home.url, True, "st4te") == (event["redirectUri"], event["result"], event["state"])
    form = {"grant_type": "authorization_code", "code": event["code"], "redirect_uri": home.url}
    wrong = plain.token(**form, code_verifier="another-verifier-0001")
    assert 400 == wrong.status_code
    again = control.post("/in-client-authorize", json=asked).json()["code"]
    right = plain.token(**{**form, "code": again}, code_verifier="plain-verifier-0001")
    assert 200 == right.status_code, right.text


def test_official_samples_exchange_codes_of_the_client(
    simulated: SimulatedZoom, control: httpx.Client, plain: PlainClient, home: HomePage
) -> None:
    """One leaves redirect_uri out, one sends the page's whole address: both work at Zoom."""
    verifier = "plain-verifier-of-more-than-forty-three-characters"
    asked = order(simulated, code_challenge=verifier)

    def exchanged(redirect_uri: str | None) -> int:
        """The status of an exchange of a new code."""
        code = control.post("/in-client-authorize", json=asked).json()["code"]
        form = {} if redirect_uri is None else {"redirect_uri": redirect_uri}
        form |= {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        return plain.token(auth=None, **form).status_code

    given = [home.url, None, f"{home.url}?tab=1", f"{home.url}/other", ""]
    assert [200, 200, 200, 400, 400] == [exchanged(one) for one in given]
    simulated.world.zoom.strict = True
    assert [200, 400, 400, 400, 400] == [exchanged(one) for one in given]


def test_a_user_may_decline_inside_the_client(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage
) -> None:
    """The event says so and carries no code."""
    asked = order(simulated, code_challenge="v", allow=False)
    event = control.post("/in-client-authorize", json=asked).json()
    assert event["result"] is False
    assert "code" not in event


def test_the_home_url_must_be_on_the_allow_list(
    simulated: SimulatedZoom, control: httpx.Client, home: HomePage
) -> None:
    """As every redirect URI; and there is no authorization without a challenge."""
    no_challenge = control.post("/in-client-authorize", json=order(simulated))
    simulated.app.redirect_uris.pop()
    not_listed = control.post("/in-client-authorize", json=order(simulated, code_challenge="v"))
    assert [400, 400] == [no_challenge.status_code, not_listed.status_code]
    assert "allow list" in not_listed.json()["error"]


def test_a_deep_link_brings_its_action_for_five_minutes(
    simulated: SimulatedZoom, control: httpx.Client, plain: PlainClient, home: HomePage
) -> None:
    """Made with a user's token and its scope; opened as a link, it is `act` of the context."""
    scopes = simulated.app.scopes
    refused = plain.api("/v2/zoomapp/deeplink", plain.install()["access_token"], "POST", json={})
    assert 4711 == refused.json()["code"]
    simulated.app.scopes = [*scopes, "zoomapp:inmeeting"]
    token = plain.install()["access_token"]
    made = plain.api("/v2/zoomapp/deeplink", token, "POST", json={"action": '{"room":7}'})
    link = made.json()["deeplink"]
    assert link.startswith(f"{simulated.url}/zoomapp/{simulated.app.client_id}/")
    actions = []
    for seconds in (0, 299, 2):
        simulated.advance(seconds)
        report = control.post("/open-home", json=order(simulated, deeplink=link)).json()
        actions.append(opened(simulated, report["context"]).claims["act"])
    assert ['{"room":7}', '{"room":7}', ""] == actions
    absent = control.post("/open-home", json=order(simulated, deeplink="x"))
    assert 404 == absent.status_code


@pytest.mark.parametrize("body", [{}, {"action": 7}, {"action": "x" * 3000}])
def test_a_deep_link_without_an_action_is_refused(
    simulated: SimulatedZoom, plain: PlainClient, body: dict[str, Any]
) -> None:
    """A wrong field is 400 with a code."""
    simulated.app.scopes = [*simulated.app.scopes, "zoomapp:inmeeting"]
    token = plain.install()["access_token"]
    response = plain.api("/v2/zoomapp/deeplink", token, "POST", json=body)
    assert (400, 300) == (response.status_code, response.json()["code"])
