"""The authorization endpoint: what is judged, what is asked, what goes back to the app."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from simulator.plain_client import JANE, RAVI, S256, PlainClient, response_of


def press(page: httpx.Response, http: httpx.Client, **fields: Any) -> httpx.Response:
    """Answer a consent page, in the session that it was shown in."""
    transaction = re.search(r'name="transaction" value="([^"]+)"', page.text)
    assert transaction, page.text
    form = {"transaction": transaction[1], "user_id": JANE, "decision": "allow", **fields}
    return http.post("/oauth/authorize", data=form)


def test_a_code_comes_back_with_the_state(plain: PlainClient) -> None:
    """302 to the redirect URI: a code of 33 characters, the state as it was sent, nothing else."""
    state = "a+b/c= &é"
    response = response_of(plain.authorize(state=state))
    assert {"code", "state"} == set(response)
    assert state == response["state"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{33}", response["code"])


def test_without_state_none_comes_back(plain: PlainClient) -> None:
    """A request without state, as the Marketplace makes it, is answered without one."""
    assert {"code"} == set(response_of(plain.authorize(state="")))


@pytest.mark.parametrize(
    ("parameters", "number"),
    [
        ({"client_id": "nobody"}, 4702),
        ({"redirect_uri": "https://evil.example/cb"}, 4700),
        ({"redirect_uri": "http://127.0.0.1:8000/oauth/redirect/"}, 4700),
        ({"redirect_uri": ""}, 4700),
        ({"response_type": "token"}, 4700),
        ({"code_challenge": "x", "code_challenge_method": "S512"}, 4700),
    ],
)
def test_an_error_before_the_redirect_stays_on_the_page(
    plain: PlainClient, parameters: dict[str, str], number: int
) -> None:
    """Whatever is wrong before the redirect URI is trusted is shown, and never redirected."""
    response = plain.authorize(**parameters)
    assert 400 == response.status_code
    assert "location" not in response.headers
    assert f"Error {number}" in response.text


def test_a_server_to_server_app_has_no_consent(plain: PlainClient) -> None:
    """4702: there is no such client at this endpoint."""
    plain.zoom.app.kind = "server-to-server"
    assert "Error 4702" in plain.authorize().text


def test_an_error_before_the_redirect_as_json(plain: PlainClient) -> None:
    """A caller that asks for JSON gets Zoom's own shape of the same error."""
    plain.http.headers["accept"] = "application/json"
    response = plain.authorize(redirect_uri="https://evil.example/cb")
    assert {
        "status": False,
        "errorCode": 4700,
        "errorMessage": "Invalid redirect url",
        "result": None,
    } == response.json()


def test_the_refused_url_is_shown_escaped(plain: PlainClient) -> None:
    """The page that shows a refused redirect URI shows no markup of it."""
    response = plain.authorize(redirect_uri="https://evil.example/<script>")
    assert "<script>" not in response.text
    assert "Invalid redirect: https://evil.example/&lt;script&gt; (4,700)" in response.text


def test_response_type_may_be_absent_unless_strict(plain: PlainClient) -> None:
    """Zoom takes a request without response_type; the strict world does not."""
    assert 302 == plain.authorize(response_type="").status_code
    plain.zoom.world.zoom.strict = True
    assert 400 == plain.authorize(response_type="").status_code


def test_a_strict_world_refuses_repeated_parameters(plain: PlainClient) -> None:
    """A parameter that appears twice is an error of the request (RFC 6749 3.1)."""
    plain.zoom.world.zoom.strict = True
    twice = (
        f"/oauth/authorize?response_type=code&client_id={plain.zoom.app.client_id}&state=a&state=b"
    )
    assert 400 == plain.http.get(twice, params=None).status_code


@pytest.mark.parametrize("scope", ["user:read:user", "user:read meeting:read:meeting"])
def test_an_own_scope_chooses_nothing(plain: PlainClient, scope: str) -> None:
    """Scopes come from the app's settings, whatever of them the request names."""
    tokens = plain.exchange(plain.code(scope=scope)).json()
    assert "user:read:user meeting:read:meeting cloud_recording:read:recording" == tokens["scope"]


@pytest.mark.parametrize(
    "scope", ["account:master", "user:read:user meeting:write:meeting", "user:write", "user"]
)
def test_a_scope_outside_the_apps_list_is_refused(plain: PlainClient, scope: str) -> None:
    """Zoom's page says `Invalid scope (4,700)`, and no code is given."""
    response = plain.authorize(scope=scope)
    assert 400 == response.status_code
    assert "Invalid scope (4,700)" in response.text
    as_json = plain.http.get(response.request.url, headers={"accept": "application/json"}).json()
    assert (4700, "Invalid scope") == (as_json["errorCode"], as_json["errorMessage"])


def test_an_account_level_app_is_granted_admin_scopes(plain: PlainClient) -> None:
    """With `admin_scopes` each scope is granted in its `:admin` form, also after a refresh."""
    app = plain.zoom.app
    app.level, app.admin_scopes, app.optional_scopes = "account", True, ["a:read:b:admin"]
    tokens = plain.install()
    assert "user:read:user:admin meeting:read:meeting:admin a:read:b:admin" == tokens["scope"]
    assert 200 == plain.api("/v2/users/me", tokens["access_token"]).status_code
    assert tokens["scope"] == plain.refresh(tokens["refresh_token"]).json()["scope"]


def test_a_link_scanner_gets_nothing(plain: PlainClient) -> None:
    """HEAD is answered without a code, although the same GET has one."""
    good = str(plain.authorize().request.url)
    before = len(plain.zoom.simulator.ledger.codes)
    response = plain.http.head(good)
    assert (200, before) == (response.status_code, len(plain.zoom.simulator.ledger.codes))


def test_a_person_allows(plain: PlainClient) -> None:
    """The page is answered in its session: the chosen user, the ticked scopes."""
    plain.zoom.consent("ask")
    page = plain.authorize()
    response = response_of(press(page, plain.http, user_id=RAVI, scope=[]))
    assert "st4te" == response["state"]
    tokens = plain.exchange(response["code"]).json()
    assert "user:read:user meeting:read:meeting" == tokens["scope"]
    assert [RAVI] == [grant["user_id"] for grant in plain.zoom.grants()]


def test_a_person_denies(plain: PlainClient) -> None:
    """A refused consent comes back as access_denied with the state, and no code."""
    plain.zoom.consent("ask")
    response = response_of(press(plain.authorize(), plain.http, decision="deny"))
    assert {"error": "access_denied", "state": "st4te"} == response


def test_a_page_counts_once_and_in_its_session_only(plain: PlainClient) -> None:
    """Neither a second press nor somebody else's browser gets a code."""
    plain.zoom.consent("ask")
    page = plain.authorize()
    with httpx.Client(base_url=plain.zoom.url, trust_env=False) as other:
        assert 400 == press(page, other).status_code
    assert 302 == press(page, plain.http).status_code
    assert 400 == press(page, plain.http).status_code


def test_a_browser_is_asked_although_clients_are_not(plain: PlainClient) -> None:
    """Automatic consent is for callers without any cookie."""
    plain.http.cookies.set("any", "cookie")
    assert 200 == plain.authorize().status_code


def test_optional_scopes_are_chosen_by_control(plain: PlainClient, control: httpx.Client) -> None:
    """PUT /consent names the optional scopes that are ticked."""
    order = {"auto": "approve", "user_id": JANE, "optional_scopes": []}
    assert order == control.put("/consent", json=order).json()
    assert "user:read:user meeting:read:meeting" == plain.install()["scope"]


def test_pre_approval_ends_on_the_page(plain: PlainClient, control: httpx.Client) -> None:
    """Where the account wants pre-approval, consent returns only after the administrator's yes."""
    account = plain.zoom.world.accounts[0]
    account.preapproval_required = True
    assert "administrator must approve" in plain.authorize().text
    order = {"client_id": plain.zoom.app.client_id, "account_id": account.id, "approved": True}
    control.put("/approvals", json=order)
    assert 302 == plain.authorize().status_code
    control.put("/approvals", json={**order, "approved": False})
    assert 400 == plain.authorize().status_code


def test_an_account_level_app_is_for_administrators(plain: PlainClient) -> None:
    """A member cannot add an app of the account's level; an administrator can."""
    plain.zoom.app.level = "account"
    assert 302 == plain.authorize().status_code
    plain.zoom.consent("approve", RAVI)
    assert 400 == plain.authorize().status_code


def test_a_disabled_app_gets_no_consent(plain: PlainClient, control: httpx.Client) -> None:
    """4717 on Zoom's page, and gone when the app is enabled again."""
    path = f"/apps/{plain.zoom.app.client_id}"
    assert control.patch(path, json={"disabled": True}).json()["disabled"]
    assert "Error 4717" in plain.authorize().text
    control.patch(path, json={"disabled": False})
    assert 302 == plain.authorize().status_code


def test_a_public_client_needs_a_challenge(plain: PlainClient) -> None:
    """A client without a secret must send one; then any port on loopback will do."""
    plain.zoom.app.public = True
    assert 400 == plain.authorize().status_code
    assert 302 == plain.authorize(**S256).status_code
    elsewhere = "http://127.0.0.1:51234/oauth/redirect"
    response = plain.authorize(redirect_uri=elsewhere, **S256)
    assert response.headers["location"].startswith(f"{elsewhere}?code=")


def test_a_strict_world_looks_at_the_challenge(plain: PlainClient) -> None:
    """S256 challenges have 43 characters (RFC 7636 4.2); Zoom itself looks at none."""
    short = {"code_challenge": "short", "code_challenge_method": "S256"}
    assert 302 == plain.authorize(**short).status_code
    plain.zoom.world.zoom.strict = True
    assert 400 == plain.authorize(**short).status_code


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        ("state_dropped", lambda a: "state" not in a),
        ("state_altered", lambda a: a["state"] != "st4te" and len(a["state"]) == 5),
        ("code_dropped", lambda a: "code" not in a),
        ("code_unknown", lambda a: a["code"] == "never-issued-by-anybody"),
        ("iss_wrong", lambda a: a["iss"] == "https://evil.example"),
        ("error_beside_code", lambda a: a["error"] == "access_denied" and len(a["code"]) == 33),
        ("error_markup", lambda a: "<script>" in a["error_description"]),
    ],
)
def test_faults_of_the_redirect(plain: PlainClient, fault: str, holds: Any) -> None:
    """A fault spoils one redirect, and the next one is good again."""
    plain.zoom.simulator.faults.switch_on(fault, {"times": 1})
    assert holds(response_of(plain.authorize()))
    assert {"code", "state"} == set(response_of(plain.authorize()))


def test_a_code_of_another_user(plain: PlainClient) -> None:
    """With the fault, the code belongs to another user than the one who consented."""
    plain.zoom.simulator.faults.switch_on("code_of_another", {"times": 1})
    tokens = plain.install()
    assert JANE != plain.api("/v2/users/me", tokens["access_token"]).json()["id"]


def test_consent_is_skipped(plain: PlainClient) -> None:
    """With the fault, a browser that is signed in gets the code at once."""
    plain.zoom.simulator.faults.switch_on("consent_skipped", {"times": 1})
    plain.http.cookies.set("any", "cookie")
    assert 302 == plain.authorize().status_code
    assert 200 == plain.authorize().status_code


def test_the_primary_uri_gets_everything(plain: PlainClient) -> None:
    """With the fault, the browser goes to the first redirect URI, whichever was asked for."""
    plain.zoom.simulator.faults.switch_on("redirect_to_primary", {})
    location = plain.authorize().headers["location"]
    assert location.startswith(f"{plain.zoom.app.redirect_uris[0]}?code=")
