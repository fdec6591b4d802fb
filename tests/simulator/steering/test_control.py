from __future__ import annotations

from typing import Any

import httpx
import pytest

from paraph.simulator.app import create_app
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.request import is_loopback
from simulator.plain_client import JANE, PlainClient
from simulator.receiver import receiving

JSON = {"content-type": "application/json"}


def authorize(zoom: SimulatedZoom, state: str = "s1") -> httpx.Response:
    """One authorization request without a browser."""
    query = {
        "response_type": "code",
        "client_id": zoom.app.client_id,
        "redirect_uri": zoom.app.redirect_uris[0],
        "state": state,
    }
    return httpx.get(f"{zoom.url}/oauth/authorize", params=query, trust_env=False)


def exchange(zoom: SimulatedZoom) -> dict[str, Any]:
    """A whole authorization, to the token response."""
    code = httpx.URL(authorize(zoom).headers["location"]).params["code"]
    response = httpx.post(
        f"{zoom.url}/oauth/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": zoom.app.redirect_uris[0],
        },
        auth=(zoom.app.client_id, zoom.app.client_secret),
        trust_env=False,
    )
    assert response.status_code == 200, response.text
    return dict(response.json())


# ---------------------------------------------------------------- who may call


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1:8100", "127.9.9.9", "[::1]:8100", "zoom.us", "api.zoom.us:443"],
)
def test_names_of_loopback_and_zoom_are_served(control: httpx.Client, host: str) -> None:
    """A Host of loopback, or one of Zoom's names, may call without a credential."""
    assert control.get("/clock", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "zoom.us.evil", "[::", ""],
)
def test_other_names_are_refused(control: httpx.Client, host: str) -> None:
    """Another Host is a rebinding attack on a developer's browser: 403, and why."""
    response = control.get("/clock", headers={"host": host})
    assert (403, {"error": "the Host header names another machine"}) == (
        response.status_code,
        response.json(),
    )


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://localhost:1", "https://HOST"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_foreign_origin_is_refused(control: httpx.Client, method: str, origin: str) -> None:
    """An Origin that differs in scheme, host or port is another site, for reads as for writes."""
    host = control.base_url.netloc.decode()
    headers = {"origin": origin.replace("HOST", host)}
    response = control.request(method, "/journal", headers=headers)
    assert (403, {"error": "the Origin header names another site"}) == (
        response.status_code,
        response.json(),
    )


def test_the_own_origin_is_served(control: httpx.Client) -> None:
    """A page of the simulator itself may call."""
    origin = str(control.base_url.copy_with(path="")).rstrip("/")
    assert control.get("/clock", headers={"origin": origin}).status_code == 200


def test_a_cross_site_fetch_is_refused(control: httpx.Client) -> None:
    """What a browser marks as cross-site is refused even without an Origin."""
    response = control.get("/journal", headers={"sec-fetch-site": "cross-site"})
    assert response.status_code == 403


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/reset"), ("PUT", "/consent"), ("POST", "/clock"), ("PUT", "/faults/token_html")],
)
def test_writes_take_json_only(
    control: httpx.Client, method: str, path: str, media_type: str
) -> None:
    """A write that a web form could send is refused, whatever its body."""
    response = control.request(method, path, content=b"{}", headers={"content-type": media_type})
    assert (415, {"error": "writes take Content-Type: application/json"}) == (
        response.status_code,
        response.json(),
    )


def test_a_delete_needs_no_media_type_and_takes_no_other(control: httpx.Client) -> None:
    """A DELETE has no body to have a type; one that has another type is refused."""
    assert control.delete("/journal").status_code == 200
    assert control.delete("/journal", headers=JSON).status_code == 200
    assert control.delete("/journal", headers={"content-type": "text/plain"}).status_code == 415


@pytest.mark.anyio
async def test_off_loopback_a_token_is_required(simulated: SimulatedZoom) -> None:
    """With a control token every call needs it, under any Host."""
    app = create_app(simulated.simulator, control_token="t0ken")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.9:8100") as caller:
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": "t0ken"}):
            refused = await caller.get("/_simulator/world", headers=header)
            assert (401, {"error": "a control token is required off loopback"}) == (
                refused.status_code,
                refused.json(),
            )
        right = {"authorization": "Bearer t0ken"}
        assert (await caller.get("/_simulator/world", headers=right)).status_code == 200
        foreign = {**right, "origin": "https://evil.example"}
        assert (await caller.get("/_simulator/world", headers=foreign)).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_what_counts_as_loopback(host: str) -> None:
    """Only this machine reaches these, so no token is needed."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.9", "127.evil.example", "::", ""])
def test_what_does_not_count_as_loopback(host: str) -> None:
    """A name that merely begins like a loopback address is not loopback."""
    assert not is_loopback(host)


# ---------------------------------------------------------------- the calls


def test_the_world_is_read_in_clear_and_replaced(control: httpx.Client) -> None:
    """GET /world shows the file's names with secrets; PUT replaces it; a reset brings it back."""
    before = control.get("/world").json()
    assert {"accounts", "users", "apps", "zoom"} == set(before)
    assert before["apps"][0]["client_secret"].startswith("simulated-zoom-")
    short = {"apps": [{"client_id": "cid", "client_secret": "sec"}]}
    replaced = control.put("/world", json=short).json()
    assert "cid" == replaced["apps"][0]["client_id"]
    assert ["user:read:user"] == replaced["apps"][0]["scopes"]
    assert replaced == control.get("/world").json()
    control.post("/reset", json={})
    assert before == control.get("/world").json()


def test_a_wrong_world_changes_nothing(control: httpx.Client) -> None:
    """An unknown key is refused by name, and so is a contradiction."""
    before = control.get("/world").json()
    app = {"client_id": "cid", "client_secret": "sec"}
    for wrong, said in (
        ({"apps": [{**app, "redirect_url": ""}]}, "redirect_url"),
        ({"apps": [app, app]}, "appears twice"),
        ({"apps": [{"client_id": "cid"}]}, "client_secret"),
    ):
        response = control.put("/world", json=wrong)
        assert response.status_code == 400 and said in response.json()["error"]
    assert before == control.get("/world").json()


def test_reset_deletes_all_that_happened(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """A reset takes back grants, journal, deliveries, clock, faults and consent."""
    simulated.consent("approve", JANE)
    exchange(simulated)
    control.post("/clock", json={"advance": 60})
    control.put("/faults/token_html", json={})
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        simulated.wait_for_delivery(simulated.send_event("meeting.started", {}))
    assert {} == control.post("/reset", json={}).json()
    assert [] == control.get("/grants").json()["grants"]
    assert [] == control.get("/journal").json()["entries"]
    assert [] == control.get("/deliveries").json()["deliveries"]
    assert 0 == control.get("/clock").json()["advanced"]
    assert not any(one["on"] for one in control.get("/faults").json()["faults"])
    assert 200 == authorize(simulated).status_code
    simulated.consent("approve", JANE)
    exchange(simulated)
    assert [1] == [one["generation"] for one in control.get("/grants").json()["grants"]]


@pytest.mark.parametrize(
    ("auto", "status", "response"),
    [("approve", 302, "code"), ("deny", 302, "error"), ("ask", 200, "")],
)
def test_consent_decides_at_once_or_asks(
    simulated: SimulatedZoom, control: httpx.Client, auto: str, status: int, response: str
) -> None:
    """PUT /consent decides what a GET without any cookie is answered."""
    order = {"auto": auto, "user_id": JANE}
    assert order == control.put("/consent", json=order).json()
    got = authorize(simulated)
    assert status == got.status_code
    if response:
        location = httpx.URL(got.headers["location"])
        assert response in location.params and "s1" == location.params["state"]


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"auto": "always"}, 400),
        ({}, 400),
        ({"auto": "approve", "user_id": 5}, 400),
        ({"auto": "approve", "user_id": "nobody"}, 404),
        ({"auto": "approve", "userid": JANE}, 400),
    ],
)
def test_a_wrong_consent_is_refused(control: httpx.Client, order: Any, status: int) -> None:
    """Words, types, users and keys that do not exist are refused."""
    response = control.put("/consent", json=order)
    assert status == response.status_code and response.json()["error"]


def test_the_clock_moves_timers_and_no_timestamp(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """After 90 days the access token is expired, while a webhook still tells wall time."""
    simulated.consent("approve", JANE)
    token = exchange(simulated)["access_token"]
    moved = control.post("/clock", json={"advance": 90 * 86400}).json()
    assert 90 * 86400 == moved["advanced"]
    assert 90 * 86400 == pytest.approx(moved["now"] - moved["wall"])
    response = httpx.get(
        f"{simulated.url}/v2/users/me",
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
    )
    assert (401, 124) == (response.status_code, response.json()["code"])
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        simulated.wait_for_delivery(simulated.send_event("meeting.started", {}))
        sent_at = int(receiver.headers[0]["x-zm-request-timestamp"])
        assert abs(sent_at - moved["wall"]) < 60


@pytest.mark.parametrize("advance", [-1, "60", None, True, 1e300, 10**400, [], 4e9])
def test_a_wrong_advance_is_refused(control: httpx.Client, advance: Any) -> None:
    """The clock goes forward only, by a number, and not out of the calendar."""
    response = control.post("/clock", json={"advance": advance})
    assert response.status_code == 400 and response.json()["error"]
    assert 0 == control.get("/clock").json()["advanced"]


def test_a_journal_entry_has_what_came(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """Every request is kept with the promised members; control calls are not."""
    httpx.post(
        f"{simulated.url}/oauth/token?grant_type=refresh_token",
        content=b"refresh_token=one&refresh_token=&x=%C3%A4",
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "X-A": "b"},
        auth=("someone", "wrong"),
        trust_env=False,
    )
    (entry,) = control.get("/journal").json()["entries"]
    assert {
        *("number", "time", "method", "host", "path", "query", "headers", "form", "body"),
        "status",
    } == set(entry)
    assert ("POST", "/oauth/token", 400) == (entry["method"], entry["path"], entry["status"])
    assert [["grant_type", "refresh_token"]] == entry["query"]
    assert [["refresh_token", "one"], ["refresh_token", ""], ["x", "ä"]] == entry["form"]
    assert "refresh_token=one&refresh_token=&x=%C3%A4" == entry["body"]
    assert ["x-a", "b"] in entry["headers"]
    assert httpx.URL(simulated.url).netloc.decode() == entry["host"]


def test_journal_since_a_number(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """`since` gives what is newer; numbers go on after the journal was emptied."""
    for _ in range(3):
        authorize(simulated)
    numbers = [one["number"] for one in control.get("/journal").json()["entries"]]
    assert [numbers[0], numbers[0] + 1, numbers[0] + 2] == numbers
    newer = control.get("/journal", params={"since": numbers[1]}).json()["entries"]
    assert [numbers[2]] == [one["number"] for one in newer]
    assert {} == control.delete("/journal").json()
    authorize(simulated)
    (entry,) = control.get("/journal").json()["entries"]
    assert numbers[2] + 1 == entry["number"]


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "9" * 5000, "٣"])
def test_a_wrong_since_is_refused(control: httpx.Client, since: str) -> None:
    """`since` is a whole number or a 400."""
    assert 400 == control.get("/journal", params={"since": since}).status_code


def test_events_are_signed_and_sent(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """POST /events answers the delivery's id; GET /deliveries tells its attempts."""
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        order = {
            "client_id": simulated.app.client_id,
            "event": "meeting.ended",
            "payload": {"object": {"topic": "Ebbe & Flut"}},
        }
        delivery_id = control.post("/events", json=order).json()["delivery_id"]
        simulated.wait_for_delivery(delivery_id)
    (delivery,) = control.get("/deliveries").json()["deliveries"]
    assert {"id", "client_id", "event", "url", "attempts"} == set(delivery)
    assert (delivery_id, simulated.app.client_id, "meeting.ended", receiver.url) == (
        delivery["id"],
        delivery["client_id"],
        delivery["event"],
        delivery["url"],
    )
    assert {"time", "status", "reason"} == set(delivery["attempts"][0])
    assert 200 == delivery["attempts"][0]["status"]
    assert b'"topic":"Ebbe & Flut"' in receiver.bodies[0]


def test_deauthorization_kills_and_tells(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """POST /deauthorize ends the grant and sends `app_deauthorized`."""
    simulated.consent("approve", JANE)
    token = exchange(simulated)["access_token"]
    with receiving() as receiver:
        simulated.app.deauthorization_url = receiver.url
        order = {"client_id": simulated.app.client_id, "user_id": JANE}
        delivery_id = control.post("/deauthorize", json=order).json()["delivery_id"]
        simulated.wait_for_delivery(delivery_id)
    assert b'"event":"app_deauthorized"' in receiver.bodies[0]
    assert [] == control.get("/grants").json()["grants"]
    headers = {"authorization": f"Bearer {token}"}
    response = httpx.get(f"{simulated.url}/v2/users/me", headers=headers, trust_env=False)
    assert 401 == response.status_code


def test_validation_tells_whether_and_why(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """POST /validate-url sends the challenge and judges the answer."""
    order = {"client_id": simulated.app.client_id}
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        failed = control.post("/validate-url", json=order).json()
        receiver.secret = simulated.app.webhook_secret
        passed = control.post("/validate-url", json=order).json()
    assert failed["passed"] is False and failed["reason"]
    assert passed["passed"] is True


def test_faults_are_listed_switched_and_count_down(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """Each fault has a line of documentation; `times` makes it end by itself."""
    listed = control.get("/faults").json()["faults"]
    assert all(one["name"] and one["documentation"].endswith(".") for one in listed)
    assert {} == control.put("/faults/token_unavailable", json={"times": 1}).json()
    on = [one["name"] for one in control.get("/faults").json()["faults"] if one["on"]]
    assert ["token_unavailable"] == on
    url = f"{simulated.url}/oauth/token"
    statuses = [httpx.post(url, data={}, trust_env=False).status_code for _ in range(2)]
    assert [503, 400] == statuses
    control.put("/faults/token_unavailable", json={})
    assert {} == control.delete("/faults/token_unavailable").json()
    assert not any(one["on"] for one in control.get("/faults").json()["faults"])
    assert 404 == control.put("/faults/no_such", json={}).status_code
    assert 404 == control.delete("/faults/no_such").status_code
    assert 400 == control.put("/faults/token_html", json={"times": 0}).status_code


def test_grants_are_live_and_without_tokens(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """GET /grants names whose grants live, and shows no token."""
    simulated.consent("approve", JANE)
    tokens = exchange(simulated)
    response = control.get("/grants")
    (grant,) = response.json()["grants"]
    assert {"client_id", "user_id", "account_id", "scopes", "generation", "issued_at"} == set(grant)
    assert (simulated.app.client_id, JANE) == (grant["client_id"], grant["user_id"])
    assert tokens["access_token"] not in response.text
    assert tokens["refresh_token"] not in response.text


def test_a_delivery_is_repeated_byte_for_byte(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """A repeated delivery is the same signed bytes, as a replay would be."""
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        delivery_id = simulated.send_event("meeting.started", {})
        simulated.wait_for_delivery(delivery_id)
        control.post(f"/deliveries/{delivery_id}/repeat", json={})
        simulated.wait_for_delivery(delivery_id, attempts=2)
    assert receiver.bodies[0] == receiver.bodies[1]
    assert receiver.headers[0]["x-zm-signature"] == receiver.headers[1]["x-zm-signature"]
    assert 404 == control.post("/deliveries/none/repeat", json={}).status_code


# ---------------------------------------------------------------- what is no order


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"a":' * 5000, b"1e999", b"\x00"],
)
@pytest.mark.parametrize("path", ["/clock", "/events", "/deauthorize", "/validate-url", "/reset"])
def test_what_is_no_object_is_a_400(control: httpx.Client, path: str, body: bytes) -> None:
    """Whatever a body is, the answer is an error text and no failure of ours."""
    response = control.post(path, content=body, headers=JSON)
    assert response.status_code == 400 and response.json()["error"]


def test_a_large_body_is_a_413(control: httpx.Client) -> None:
    """More than a mebibyte is not read."""
    response = control.post("/clock", content=b" " * (1 << 21), headers=JSON)
    assert response.status_code == 413 and response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("POST", "/world"),
        ("PATCH", "/clock"),
        ("GET", "/"),
        ("PUT", "/a/b/c"),
        ("GET", ""),
    ],
)
def test_unknown_calls_are_errors_of_the_same_shape(
    control: httpx.Client, method: str, path: str
) -> None:
    """A path or method that does not exist is `{"error": text}` too."""
    response = control.request(method, path, headers=JSON)
    assert 404 == response.status_code and ["error"] == list(response.json())


def test_an_app_or_user_that_does_not_exist_is_a_404(control: httpx.Client) -> None:
    """Orders about nobody are refused."""
    absent = {"client_id": "nobody"}
    assert 404 == control.post("/validate-url", json=absent).status_code
    assert 404 == control.post("/events", json={**absent, "event": "x"}).status_code
    assert 404 == control.post("/deauthorize", json={**absent, "user_id": JANE}).status_code


@pytest.mark.parametrize(("tokens", "status"), [("kept", 200), ("ended", 401)])
def test_a_user_is_moved_to_another_account(
    simulated: SimulatedZoom, control: httpx.Client, tokens: str, status: int
) -> None:
    """The user id stays and the account id changes; the tokens go along, or end."""
    simulated.consent("approve", JANE)
    plain = PlainClient(simulated)
    bearer = plain.install()["access_token"]
    order = {"account_id": "AnotherAccountOfZoom01", "tokens": tokens}
    moved = control.patch(f"/users/{JANE}", json=order).json()
    assert (JANE, "AnotherAccountOfZoom01") == (moved["id"], moved["account_id"])
    response = plain.api("/v2/users/me", bearer)
    assert status == response.status_code
    if status == 200:
        assert "AnotherAccountOfZoom01" == response.json()["account_id"]
        (grant,) = control.get("/grants").json()["grants"]
        assert "AnotherAccountOfZoom01" == grant["account_id"]
    plain.close()


@pytest.mark.parametrize("order", [{}, {"account_id": ""}, {"account_id": "a", "tokens": "x"}])
def test_a_move_that_is_none_is_refused(control: httpx.Client, order: dict[str, str]) -> None:
    """A move names an account, and what becomes of the tokens by one of two words."""
    assert 400 == control.patch(f"/users/{JANE}", json=order).status_code
    order = {"account_id": "AnotherAccountOfZoom01"}
    assert 404 == control.patch("/users/nobody", json=order).status_code


def test_an_access_token_expires_and_a_grant_is_revoked(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """An expired access token is said to be so, and its grant lives; a revoked grant is gone."""
    simulated.consent("approve")
    bearer = {"authorization": f"Bearer {exchange(simulated)['access_token']}"}
    order = {"client_id": simulated.app.client_id, "user_id": simulated.user.id}
    assert {"expired": 1} == control.post("/expire-access-token", json=order).json()
    url = f"{simulated.url}/v2/users/me"
    expired = httpx.get(url, headers=bearer, trust_env=False).json()
    assert {"code": 124, "message": "Access token is expired."} == expired
    assert 1 == len(simulated.grants())
    delivery = control.post("/revoke", json=order).json()["delivery_id"]
    assert [] == simulated.grants()
    assert [delivery] == [one["id"] for one in simulated.deliveries()]


def test_a_revocation_may_leave_the_app_alone(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """With `revoke_deauthorizes = false` the tokens end, and no event is sent."""
    simulated.consent("approve")
    exchange(simulated)
    simulated.app.revoke_deauthorizes = False
    order = {"client_id": simulated.app.client_id, "user_id": simulated.user.id}
    assert {"delivery_id": None} == control.post("/revoke", json=order).json()
    assert ([], []) == (simulated.grants(), simulated.deliveries())
