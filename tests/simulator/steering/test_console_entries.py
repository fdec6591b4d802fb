"""Single entries of the console: filtered, compared, as cURL, and explained."""

from __future__ import annotations

import html
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence

import httpx
import pytest

from paraph.cli.simulate import explain_entry
from paraph.simulator.app import create_app
from paraph.simulator.engine import Consent
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.steering.comparison import compare
from paraph.simulator.steering.console_entries import SentRedirect, SentWebhook
from paraph.simulator.steering.curl import curl_of
from paraph.simulator.steering.timeline_filter import TimelineFilter, selected_rows
from programs import need_program
from simulator.plain_client import RAVI
from simulator.receiver import Receiver, receiving
from simulator.steering.test_control import exchange


@pytest.fixture
def receiver(simulated: SimulatedZoom) -> Iterator[Receiver]:
    """The event URL of the app."""
    with receiving() as one:
        simulated.app.event_url = simulated.app.deauthorization_url = one.url
        yield one


def titles(zoom: SimulatedZoom, **chosen: str) -> list[str]:
    """The titles of the selected rows, the newest first."""
    return [row.title for row in selected_rows(zoom.simulator, TimelineFilter(**chosen))]


def call_as(zoom: SimulatedZoom, user_id: str) -> str:
    """Install for a user and read the profile; return the access token."""
    zoom.consent("approve", user_id)
    token = str(exchange(zoom)["access_token"])
    bearer = {"authorization": f"Bearer {token}"}
    httpx.get(f"{zoom.url}/v2/users/me", headers=bearer, trust_env=False)
    return token


def test_the_timeline_is_filtered_by_grant(simulated: SimulatedZoom, receiver: Receiver) -> None:
    """A grant selects the requests that carry its code or tokens, and the events about its user."""
    call_as(simulated, simulated.user.id)
    call_as(simulated, RAVI)
    simulated.deauthorize(RAVI)
    simulated.send_event("meeting.started")
    simulated.settle()
    whole = ["GET /v2/users/me", "POST /oauth/token", "GET /oauth/authorize"]
    client = simulated.app.client_id
    assert ["app_deauthorized", *whole] == titles(simulated, grant=f"{client}/{RAVI}")
    of_jane = titles(simulated, grant=f"{client}/{simulated.user.id}")
    assert ["meeting.started", *whole] == of_jane
    assert [] == titles(simulated, grant=f"{client}/{simulated.user.id}", entries="a.b")
    assert 3 == len(receiver.bodies) + 1


def test_the_timeline_is_filtered_by_delivery_and_text(
    simulated: SimulatedZoom, receiver: Receiver
) -> None:
    """Requests, deliveries, one event; and words that stand in the masked entry."""
    token = call_as(simulated, simulated.user.id)
    receiver.status = 404
    simulated.send_event("meeting.started")
    simulated.send_event("phone.callee_ringing")
    simulated.settle()
    assert 3 == len(titles(simulated, entries="requests"))
    assert {"meeting.started", "phone.callee_ringing"} == set(
        titles(simulated, entries="deliveries")
    )
    assert ["meeting.started"] == titles(simulated, entries="meeting.started")
    assert ["phone.callee_ringing"] == titles(simulated, text="CALLEE 404")
    assert ["POST /oauth/token"] == titles(simulated, text="authorization_code")
    assert [] == titles(simulated, text=token)


def test_the_page_keeps_its_filter(simulated: SimulatedZoom) -> None:
    """The filter is part of the address, of the page and of what refreshes it."""
    call_as(simulated, simulated.user.id)
    for path in ("/", "/_console/live"):
        query = {"entries": "requests", "text": "users/me"}
        page = httpx.get(f"{simulated.url}{path}", params=query, trust_env=False).text
        assert 1 == page.count('class="entry"')
        assert '<option value="requests" selected>' in page
    page = httpx.get(f"{simulated.url}/", params={"text": "<nothing>"}, trust_env=False).text
    assert "No entry matches the filter." in page and "&lt;nothing&gt;" in page


def test_two_entries_are_compared_without_their_secrets(
    simulated: SimulatedZoom, receiver: Receiver
) -> None:
    """Lines that differ are marked, secrets too, and no secret is shown."""
    first, second = call_as(simulated, simulated.user.id), call_as(simulated, RAVI)
    numbers = [one["number"] for one in simulated.journal("/oauth/token")]
    found = compare(simulated.simulator, *(f"r{number}" for number in numbers))
    assert found is not None
    lines = {line.left: line.differs for part in found.parts for line in part.lines}
    assert lines["code: ••••••"] and not lines["grant_type: authorization_code"]
    query = "&".join(f"key=r{number}" for number in numbers)
    page = httpx.get(f"{simulated.url}/_console/compare?{query}", trust_env=False)
    assert 200 == page.status_code and 'class="differs"' in page.text
    assert [] == [token for token in (first, second) if token in page.text]
    for keys in ("", "key=r1", "key=r1&key=r99999", f"{query}&key=r1"):
        refused = httpx.get(f"{simulated.url}/_console/compare?{keys}", trust_env=False)
        assert 400 == refused.status_code
    assert [] == receiver.bodies


def command_of(zoom: SimulatedZoom, key: str) -> str:
    """The cURL command of an entry."""
    command = curl_of(zoom.simulator, key)
    assert command is not None
    return command


def test_a_delivery_as_curl_has_the_same_bytes(
    simulated: SimulatedZoom, receiver: Receiver
) -> None:
    """URL, signature and body of the command are those that were sent, whatever the bytes are."""
    need_program("curl")
    ids = [simulated.send_event("meeting.started", {"text": "it's @ \\n $HOME ü \U0001f30a"})]
    with simulated.fault("webhook_body_no_json"):
        ids.append(simulated.send_event("meeting.started"))
    simulated.settle()
    signatures = [one["x-zm-signature"] for one in receiver.headers]
    sent = dict(zip(signatures, receiver.bodies, strict=True))
    for one in ids:
        command = command_of(simulated, f"d{one}")
        ran = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=60)
        assert 0 == ran.returncode, ran.stderr
        repeated = dict(receiver.headers[-1])
        assert sent[repeated["x-zm-signature"]] == receiver.bodies[-1]


def test_a_request_as_curl_can_be_parsed(simulated: SimulatedZoom) -> None:
    """Method, query, headers and body of the request stand in the command."""
    call_as(simulated, simulated.user.id)
    keys = {one["path"]: f"r{one['number']}" for one in simulated.journal()}
    words = shlex.split(command_of(simulated, keys["/oauth/token"]).replace("\\\n", " "))
    assert f"{simulated.url}/oauth/token" in words
    assert "grant_type=authorization_code" in words[words.index("--data-raw") + 1]
    asked = shlex.split(command_of(simulated, keys["/oauth/authorize"]).replace("\\\n", " "))
    assert any(word.startswith(f"{simulated.url}/oauth/authorize?response_type=") for word in asked)
    for key in ("r99999", "dnone", "x", "r", "r" + "9" * 30):
        assert curl_of(simulated.simulator, key) is None


def test_no_character_of_a_request_acts_in_the_shell(simulated: SimulatedZoom) -> None:
    """The path is encoded again, the method is quoted, and no control character is copied."""
    sent = "/v2/%0Aid%1B%5B2J%3F%25/[a-c]"
    httpx.get(f"{simulated.url}{sent}", headers={b"x-note": b"\x9b2J"}, trust_env=False)
    entry = simulated.simulator.journal.entries[-1]
    entry["method"] = "$(id)"
    command = command_of(simulated, f"r{entry['number']}")
    words = shlex.split(command.replace("\\\n", " "))
    assert f"{simulated.url}/v2/%0Aid%1B%5B2J%3F%25/%5Ba-c%5D" in words
    assert "'$(id)'" in command and "x-note: \\x9b2J" in words
    assert command.replace(" \\\n", "").isprintable()


def test_brackets_in_an_event_url_are_no_pattern(
    simulated: SimulatedZoom, receiver: Receiver
) -> None:
    """The URL of a delivery stands as it is, and a line end in it is encoded."""
    sent = simulated.simulator.sender.find(simulated.send_event("meeting.started"))
    assert sent is not None
    sent.url = f"{receiver.url}/[1-9]%20\n"
    command = command_of(simulated, f"d{sent.id}")
    assert f" --globoff '{receiver.url}/[1-9]%20%0A' " in command


def test_only_a_form_of_the_console_shows_an_entry_in_clear(simulated: SimulatedZoom) -> None:
    """A GET, a form of another site and a form without an origin get no secret."""
    token = call_as(simulated, simulated.user.id)
    data = {"key": f"r{simulated.journal('/v2/users/me')[0]['number']}"}
    url = f"{simulated.url}/_console/curl"
    own = httpx.post(url, data=data, headers={"origin": simulated.url}, trust_env=False)
    assert token in own.text and "<html" in own.text
    part = httpx.post(
        url, data=data | {"fragment": "1"}, headers={"origin": simulated.url}, trust_env=False
    )
    assert token in part.text and "<html" not in part.text
    assert 403 == httpx.post(url, data=data, trust_env=False).status_code
    foreign = {"origin": "https://evil.example"}
    assert 403 == httpx.post(url, data=data, headers=foreign, trust_env=False).status_code
    assert 405 == httpx.get(url, params=data, trust_env=False).status_code


@pytest.mark.anyio
async def test_a_webhook_is_explained_in_place(
    simulated: SimulatedZoom, receiver: Receiver
) -> None:
    """The console shows the steps of `paraph explain`, if the program has handed it over."""
    genuine = simulated.send_event("meeting.started")
    with simulated.fault("webhook_secret_wrong"):
        forged = simulated.send_event("meeting.started")
    simulated.settle()
    seen: list[SentWebhook] = []

    def explain(sent: SentWebhook | SentRedirect) -> Sequence[str]:
        assert isinstance(sent, SentWebhook)
        seen.append(sent)
        return explain_entry(sent)

    app = create_app(simulated.simulator, explain=explain)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as browser:
        assert "Explain</button>" in (await browser.get("/")).text
        origin = {"origin": "http://localhost"}
        pages = [
            (await browser.post("/_console/explain", data={"key": f"d{one}"}, headers=origin)).text
            for one in (genuine, forged)
        ]
        gone = await browser.post("/_console/explain", data={"key": "dnone"}, headers=origin)
        assert 404 == gone.status_code
    shown = re.compile(r'<li class="(refused|result)">.*?"break">([^<]*)')
    results = [shown.findall(page) for page in pages]
    assert [("result", "accepted")] == results[0]
    assert [("refused", "signature"), ("result", "refused")] == [
        (word, text.partition(":")[0]) for word, text in results[1]
    ]
    assert "/webhook" == seen[0].path
    assert simulated.app.webhook_secret not in pages[0] + pages[1] + repr(seen)


@pytest.mark.anyio
@pytest.mark.parametrize("state", ["a-state-of-this-test", ""])
async def test_a_redirect_is_explained_in_place(simulated: SimulatedZoom, state: str) -> None:
    """The console explains a redirect to the app by the authorization request that it answers."""
    simulated.simulator.set_consent(Consent("approve", RAVI))
    app = create_app(simulated.simulator, explain=explain_entry)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as browser:
        asked = {
            "response_type": "code",
            "client_id": simulated.app.client_id,
            "redirect_uri": simulated.app.redirect_uris[0],
            **({"state": state} if state else {}),
        }
        redirect = await browser.get("/oauth/authorize", params=asked)
        assert 302 == redirect.status_code
        number = simulated.simulator.journal.entries[-1]["number"]
        assert "Explain</button>" in (await browser.get("/")).text
        page = await browser.post(
            "/_console/explain", data={"key": f"r{number}"}, headers={"origin": "http://localhost"}
        )
    assert ('<li class="refused">' in page.text) is not bool(state)
    assert "repeats the state of the authorization request" in page.text or not state
    assert "paraph explain redirect FILE" in html.unescape(page.text)
    assert redirect.headers["location"].partition("code=")[2].partition("&")[0] not in page.text


def test_without_an_explainer_there_is_no_button(
    simulated: SimulatedZoom, receiver: Receiver
) -> None:
    """A program that hands over no explainer shows none, and its URL is not found."""
    key = f"d{simulated.send_event('meeting.started')}"
    page = httpx.get(simulated.url, trust_env=False).text
    assert key in page and "Explain</button>" not in page
    response = httpx.post(
        f"{simulated.url}/_console/explain",
        data={"key": key},
        headers={"origin": simulated.url},
        trust_env=False,
    )
    assert 404 == response.status_code
    assert receiver.url
