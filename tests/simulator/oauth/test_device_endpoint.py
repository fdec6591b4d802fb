"""The device grant: the endpoint, the page, and all that a device is told while it waits."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from paraph.simulator.state.world import App
from simulator.plain_client import JANE, RAVI, PlainClient

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def begin(plain: PlainClient) -> dict[str, Any]:
    """A device asks for a code, the client id in the query as Zoom documents it."""
    app = plain.zoom.app
    response = plain.http.post(
        "/oauth/devicecode",
        params={"client_id": app.client_id},
        auth=(app.client_id, app.client_secret),
    )
    assert 200 == response.status_code
    content: dict[str, Any] = response.json()
    return content


def poll(plain: PlainClient, device_code: str) -> str:
    """What a device is told: an error, or "tokens"."""
    response = plain.token(grant_type=GRANT, device_code=device_code)
    return "tokens" if response.status_code == 200 else str(response.json()["error"])


def decide(plain: PlainClient, page: httpx.Response, decision: str, user: str = JANE) -> str:
    """A person answers the consent page; the text of what follows."""
    transaction = re.search(r'name="transaction" value="([^"]+)"', page.text)
    assert transaction, page.text
    form = {"transaction": transaction[1], "user_id": user, "decision": decision}
    response = plain.http.post("/oauth/authorize", data=form)
    assert 200 == response.status_code, response.text
    return response.text


def test_the_response_has_exactly_zooms_fields(plain: PlainClient) -> None:
    """Six fields, the page and its complete form on this very simulator."""
    content = begin(plain)
    assert {
        "device_code": content["device_code"],
        "user_code": content["user_code"],
        "verification_uri": f"{plain.zoom.url}/oauth_device",
        "verification_uri_complete": (
            f"{plain.zoom.url}/oauth/device/complete/{content['user_code']}"
        ),
        "expires_in": 900,
        "interval": 5,
    } == content
    assert re.fullmatch(r"[a-z0-9]{8}", content["user_code"])
    assert content["device_code"] != begin(plain)["device_code"]


def test_a_device_without_credentials_gets_no_code(plain: PlainClient) -> None:
    """The endpoint knows its clients, as the token endpoint does."""
    response = plain.http.post("/oauth/devicecode", params={"client_id": plain.zoom.app.client_id})
    assert (400, "invalid_client") == (response.status_code, response.json()["error"])


def test_a_person_types_the_code(plain: PlainClient) -> None:
    """In capitals and with a hyphen; allows; and the device has tokens of that person, once."""
    plain.zoom.consent("ask")
    content = begin(plain)
    code = content["user_code"].upper()
    assert "Connect a device" in plain.http.get("/oauth_device").text
    entered = plain.http.post("/oauth_device", data={"user_code": f"{code[:4]}-{code[4:]} "})
    assert 303 == entered.status_code
    page = plain.http.get(entered.headers["location"])
    assert "authorization_pending" == poll(plain, content["device_code"])
    assert "The device is connected" in decide(plain, page, "allow", RAVI)
    plain.zoom.advance(5)
    assert "tokens" == poll(plain, content["device_code"])
    assert [RAVI] == [grant["user_id"] for grant in plain.zoom.grants()]
    assert "invalid_grant" == poll(plain, content["device_code"])


def test_a_person_denies(plain: PlainClient) -> None:
    """access_denied, once; afterwards nobody knows the code."""
    plain.zoom.consent("ask")
    content = begin(plain)
    page = plain.http.get(content["verification_uri_complete"])
    assert "The device was refused" in decide(plain, page, "deny")
    assert "access_denied" == poll(plain, content["device_code"])
    assert "invalid_grant" == poll(plain, content["device_code"])


def test_polling_too_fast(plain: PlainClient) -> None:
    """slow_down adds five seconds to the interval, each time."""
    device = begin(plain)["device_code"]
    pending, slow = "authorization_pending", "slow_down"
    for wait, expected in ((0, pending), (4, slow), (9, slow), (15, pending), (14, slow)):
        plain.zoom.advance(wait)
        assert expected == poll(plain, device), wait
    plain.zoom.advance(20)
    assert pending == poll(plain, device)


def test_a_code_expires(plain: PlainClient) -> None:
    """After 900 seconds the device is told expired_token, and the page knows no code."""
    content = begin(plain)
    plain.zoom.advance(901)
    assert 400 == plain.http.get(content["verification_uri_complete"]).status_code
    assert "expired_token" == poll(plain, content["device_code"])


def test_consent_that_comes_too_late(plain: PlainClient) -> None:
    """A page that was answered after the code expired says so."""
    plain.zoom.consent("ask")
    page = plain.http.get(begin(plain)["verification_uri_complete"])
    plain.zoom.advance(901)
    transaction = re.search(r'name="transaction" value="([^"]+)"', page.text)
    assert transaction
    form = {"transaction": transaction[1], "user_id": JANE, "decision": "allow"}
    assert 400 == plain.http.post("/oauth/authorize", data=form).status_code


def test_a_device_code_of_another_client(plain: PlainClient) -> None:
    """Whoever was not given the code is told nothing, and the device waits on."""
    plain.zoom.world.apps.append(App(client_id="other", client_secret="sec"))
    device = begin(plain)["device_code"]
    response = plain.token(auth=("other", "sec"), grant_type=GRANT, device_code=device)
    assert "invalid_grant" == response.json()["error"]
    assert "authorization_pending" == poll(plain, device)


def test_a_decision_stands(plain: PlainClient) -> None:
    """A second page for the same code cannot turn no into yes."""
    plain.zoom.consent("ask")
    content = begin(plain)
    first, second = (plain.http.get(content["verification_uri_complete"]) for _ in range(2))
    assert "The device was refused" in decide(plain, first, "deny")
    transaction = re.search(r'name="transaction" value="([^"]+)"', second.text)
    assert transaction
    form = {"transaction": transaction[1], "user_id": JANE, "decision": "allow"}
    assert 400 == plain.http.post("/oauth/authorize", data=form).status_code
    assert 400 == plain.http.get(content["verification_uri_complete"]).status_code
    assert "access_denied" == poll(plain, content["device_code"])


def test_automatic_consent(plain: PlainClient) -> None:
    """A client without a browser opens the complete URL, and the device has its tokens."""
    content = begin(plain)
    assert "The device is connected" in plain.http.get(content["verification_uri_complete"]).text
    assert "tokens" == poll(plain, content["device_code"])


@pytest.mark.parametrize("code", ["", "nonsense", "x" * 100_000, "<script>", "é", "%00"])
def test_a_wrong_code(plain: PlainClient, code: str) -> None:
    """The page says that it knows no such code, and shows nothing of it."""
    response = plain.http.post("/oauth_device", data={"user_code": code})
    assert 400 == response.status_code
    assert "This code is unknown" in response.text and "<script>" not in response.text
