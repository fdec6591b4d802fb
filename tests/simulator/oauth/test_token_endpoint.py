"""The token endpoint: clients, five grants, their errors, revocation."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from paraph.simulator.state.world import App
from simulator.plain_client import JANE, RAVI, S256, VERIFIER, PlainClient

INVALID_TOKEN = {"reason": "Invalid Token!", "error": "invalid_grant"}
CLAIMS = "ver auid code iss gno type tid aud uid nbf exp iat aid jti"
INVALID_CLIENT = {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}


def refused(response: httpx.Response, error: str) -> dict[str, Any]:
    """The body of an error of the token endpoint."""
    content: dict[str, Any] = response.json()
    assert 400 == response.status_code
    assert {"reason", "error"} == set(content)
    assert error == content["error"]
    return content


# ---------------------------------------------------------------- the response


def test_the_response_has_exactly_zooms_fields(plain: PlainClient) -> None:
    """Six fields; expires_in is a number, scope is joined by spaces, api_url is this simulator."""
    response = plain.exchange(plain.code())
    content = response.json()
    assert {
        "access_token",
        "token_type",
        "refresh_token",
        "expires_in",
        "scope",
        "api_url",
    } == set(content)
    assert ("bearer", 3599, plain.zoom.url) == (
        content["token_type"],
        content["expires_in"],
        content["api_url"],
    )
    assert "application/json;charset=UTF-8" == response.headers["content-type"]


def test_the_access_token_has_claims_of_version_7(plain: PlainClient) -> None:
    """JWTs that name user and account, with no code in them; the opaque mode is no JWT at all."""
    code = plain.code()
    tokens = plain.exchange(code).json()
    for name, kind, lifetime in (("access_token", 0, 3600), ("refresh_token", 1, 90 * 86_400)):
        claims = json.loads(base64.urlsafe_b64decode(tokens[name].split(".")[1] + "=="))
        assert set(CLAIMS.split()) == set(claims)
        assert (7, kind, JANE, plain.zoom.user.account_id) == (
            claims["ver"],
            claims["type"],
            claims["uid"],
            claims["aid"],
        )
        assert lifetime == claims["exp"] - claims["iat"]
        assert code not in claims.values()
    plain.zoom.app.token_format = "opaque"
    opaque = plain.install()
    assert "." not in opaque["access_token"] + opaque["refresh_token"]


@pytest.mark.parametrize("host", ["zoom.us", "api.zoom.us", "marketplace.zoom.us"])
def test_who_calls_by_zooms_names_is_told_them(plain: PlainClient, host: str) -> None:
    """A client led here by name resolution keeps to Zoom's names, and to the port it came by."""
    form = {
        "grant_type": "authorization_code",
        "code": plain.code(),
        "redirect_uri": plain.redirect_uri,
    }
    app = plain.zoom.app
    response = plain.http.post(
        "/oauth/token",
        data=form,
        auth=(app.client_id, app.client_secret),
        headers={"host": f"{host}:8443"},
    )
    assert "http://api.zoom.us:8443" == response.json()["api_url"]


# ---------------------------------------------------------------- clients


@pytest.mark.parametrize(
    "pair",
    [("nobody", "x"), ("SimulatedZoomClientId1", "wrong"), ("SimulatedZoomClientId1", "é")],
)
def test_a_wrong_client_is_refused(plain: PlainClient, pair: tuple[str, str]) -> None:
    """invalid_client with status 400, whichever half is wrong."""
    response = plain.token(auth=pair, grant_type="client_credentials")
    assert INVALID_CLIENT == refused(response, "invalid_client")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic w6k=", "Bearer x", "Basic /w=="])
def test_a_broken_header_is_a_wrong_client(plain: PlainClient, header: str) -> None:
    """Whatever stands in Authorization, the answer is the same."""
    response = plain.http.post("/oauth/token", headers={"authorization": header})
    assert INVALID_CLIENT == response.json()


@pytest.mark.parametrize("where", ["data", "params"])
def test_credentials_and_parameters_in_body_or_query(plain: PlainClient, where: str) -> None:
    """Zoom takes both from either place; the strict world from the header and the body only."""
    app = plain.zoom.app
    form = {
        "grant_type": "authorization_code",
        "redirect_uri": plain.redirect_uri,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
    }

    def send() -> httpx.Response:
        place: dict[str, Any] = {where: {**form, "code": plain.code()}}
        return plain.http.post("/oauth/token", **place)

    assert 200 == send().status_code
    plain.zoom.world.zoom.strict = True
    assert INVALID_CLIENT == send().json()


def test_parameters_in_the_query_with_a_header(plain: PlainClient) -> None:
    """An official sample refreshes like this; the strict world sees no grant type."""
    app, token = plain.zoom.app, plain.install()["refresh_token"]

    def send(value: str) -> httpx.Response:
        query = {"grant_type": "refresh_token", "refresh_token": value}
        credentials = (app.client_id, app.client_secret)
        return plain.http.post("/oauth/token", params=query, auth=credentials)

    rotated = send(token)
    assert 200 == rotated.status_code
    plain.zoom.world.zoom.strict = True
    refused(send(rotated.json()["refresh_token"]), "invalid_request")


def test_percent_encoded_credentials(plain: PlainClient) -> None:
    """Basic credentials count as they stand, and percent-decoded (RFC 6749 2.3.1)."""
    plain.zoom.app.client_secret = "a+b/c%20d=="
    for secret in ("a+b/c%20d==", "a%2Bb%2Fc%2520d%3D%3D"):
        credentials = (plain.zoom.app.client_id, secret)
        assert 200 == plain.token(auth=credentials, grant_type="client_credentials").status_code


def test_a_public_client_has_no_secret(plain: PlainClient) -> None:
    """It names itself in the body, proves possession, and refreshes without a secret."""
    app = plain.zoom.app
    app.public = True
    form = {
        "grant_type": "authorization_code",
        "code": plain.code(**S256),
        "redirect_uri": plain.redirect_uri,
        "client_id": app.client_id,
        "code_verifier": VERIFIER,
    }
    tokens = plain.http.post("/oauth/token", data=form).json()
    again = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": app.client_id,
    }
    assert 200 == plain.http.post("/oauth/token", data=again).status_code
    wrong = plain.token(auth=(app.client_id, "wrong"), grant_type="client_credentials")
    assert INVALID_CLIENT == wrong.json()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "account_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_grant"),
    ],
)
def test_a_wrong_grant_type(plain: PlainClient, form: dict[str, str], error: str) -> None:
    """An absent grant type, an unknown one, one of another kind of app, and missing values."""
    refused(plain.token(auth=None, **form), error)


def test_a_strict_world_refuses_repeated_parameters(plain: PlainClient) -> None:
    """A parameter that appears twice is an error (RFC 6749 3.2)."""
    app = plain.zoom.app
    plain.zoom.world.zoom.strict = True
    response = plain.http.post(
        "/oauth/token",
        content="grant_type=client_credentials&grant_type=client_credentials",
        headers={"content-type": "application/x-www-form-urlencoded"},
        auth=(app.client_id, app.client_secret),
    )
    refused(response, "invalid_request")


def test_a_large_body_is_refused(plain: PlainClient) -> None:
    """More than a mebibyte is not even read."""
    refused(plain.token(grant_type="x" * (1 << 20)), "invalid_request")


# ---------------------------------------------------------------- codes and PKCE


def test_a_bad_code_is_named_and_refused(plain: PlainClient) -> None:
    """Unknown, used, expired and foreign codes all get the answer that was seen live."""
    used, expired = plain.code(), plain.code()
    plain.exchange(used)
    plain.zoom.advance(301)
    for code in ("never-issued", used, expired):
        content = refused(plain.exchange(code), "invalid_grant")
        assert f"Invalid authorization code {code}" == content["reason"]


def test_a_code_lives_five_minutes(plain: PlainClient) -> None:
    """At 299 seconds it still works."""
    code = plain.code()
    plain.zoom.advance(299)
    assert 200 == plain.exchange(code).status_code


def test_a_code_of_another_client(plain: PlainClient) -> None:
    """A code that one app was given is no code for another, and stays good for its own."""
    other = App(client_id="other", client_secret="sec", redirect_uris=[plain.redirect_uri])
    plain.zoom.world.apps.append(other)
    code = plain.code()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": plain.redirect_uri}
    refused(plain.token(auth=("other", "sec"), **form), "invalid_grant")
    assert 200 == plain.exchange(code).status_code


@pytest.mark.parametrize("uri", ["", "http://127.0.0.1:8000/marketplace"])
def test_the_redirect_uri_must_be_the_same(plain: PlainClient, uri: str) -> None:
    """4709 for another registered URI and for none."""
    content = refused(plain.exchange(plain.code(), redirect_uri=uri), "invalid_grant")
    assert "4,709" in content["reason"]


@pytest.mark.parametrize(
    ("challenge", "verifier", "status"),
    [
        (S256, VERIFIER, 200),
        (S256, VERIFIER[:-1], 400),
        (S256, "", 400),
        (S256, S256["code_challenge"], 400),
        ({"code_challenge": "plain-one", "code_challenge_method": "plain"}, "plain-one", 200),
        ({"code_challenge": "plain-one"}, "plain-one", 200),
        ({"code_challenge": "plain-one"}, "plain-two", 400),
        ({"code_challenge": S256["code_challenge"]}, VERIFIER, 400),
        ({"code_challenge": "é"}, "é", 200),
        ({}, VERIFIER, 200),
    ],
)
def test_pkce(plain: PlainClient, challenge: dict[str, str], verifier: str, status: int) -> None:
    """S256, plain, and plain where the method is absent; a wrong verifier is invalid_grant."""
    code = plain.code(**challenge)
    more = {"code_verifier": verifier} if verifier else {}
    response = plain.exchange(code, **more)
    assert status == response.status_code
    if status == 400:
        refused(response, "invalid_grant")


@pytest.mark.parametrize(
    ("challenge", "verifier"),
    [({}, VERIFIER), ({"code_challenge": "short"}, "short"), (S256, VERIFIER + "é")],
)
def test_a_strict_world_holds_to_rfc_7636(
    plain: PlainClient, challenge: dict[str, str], verifier: str
) -> None:
    """A verifier nobody asked for, one of a wrong length, and one of a wrong alphabet fail."""
    plain.zoom.world.zoom.strict = True
    refused(plain.exchange(plain.code(**challenge), code_verifier=verifier), "invalid_grant")


def test_a_code_without_challenge_is_nothing_to_a_public_client(plain: PlainClient) -> None:
    """An app that was made public since cannot exchange what nobody can prove."""
    code = plain.code()
    plain.zoom.app.public = True
    refused(plain.exchange(code), "invalid_grant")


def test_refresh_tokens_of_another_client(plain: PlainClient) -> None:
    """Another app learns nothing of a refresh token, live or dead, and cannot spend it."""
    plain.zoom.world.apps.append(App(client_id="other", client_secret="sec"))
    superseded, live = plain.install(), plain.install()
    for tokens in (superseded, live):
        response = plain.token(
            auth=("other", "sec"),
            grant_type="refresh_token",
            refresh_token=tokens["refresh_token"],
        )
        assert INVALID_TOKEN == response.json()
    assert 200 == plain.refresh(live["refresh_token"]).status_code


# ---------------------------------------------------------------- standing of apps and users


def test_a_disabled_app_gets_no_tokens(plain: PlainClient, control: httpx.Client) -> None:
    """4717 at the token endpoint, and dead access tokens at the API."""
    tokens = plain.install()
    control.patch(f"/apps/{plain.zoom.app.client_id}", json={"disabled": True})
    content = refused(plain.refresh(tokens["refresh_token"]), "unauthorized_client")
    assert "4,717" in content["reason"]
    assert 401 == plain.api("/v2/users/me", tokens["access_token"]).status_code


def test_a_withdrawn_approval(plain: PlainClient, control: httpx.Client) -> None:
    """4738 until the administrator approves again."""
    tokens, code = plain.install(), plain.code()
    user = plain.zoom.user
    order = {"client_id": plain.zoom.app.client_id, "account_id": user.account_id}
    control.put("/approvals", json={**order, "approved": False})
    assert "4,738" in refused(plain.exchange(code), "invalid_grant")["reason"]
    content = refused(plain.refresh(tokens["refresh_token"]), "invalid_grant")
    assert "4,738" in content["reason"]
    assert 401 == plain.api("/v2/users/me", tokens["access_token"]).status_code
    control.put("/approvals", json={**order, "approved": True})
    assert 200 == plain.refresh(tokens["refresh_token"]).status_code


def test_a_deleted_user(plain: PlainClient, control: httpx.Client) -> None:
    """4735 on refresh, and for a code that was given before."""
    plain.zoom.consent("approve", RAVI)
    tokens, code = plain.install(), plain.code()
    assert 200 == control.delete(f"/users/{RAVI}").status_code
    for response in (plain.refresh(tokens["refresh_token"]), plain.exchange(code)):
        assert "4,735" in refused(response, "invalid_grant")["reason"]
    assert 401 == plain.api("/v2/users/me", tokens["access_token"]).status_code


def test_changed_scopes(plain: PlainClient, control: httpx.Client) -> None:
    """An added scope comes with the next consent; one taken away makes a refresh fail (4711)."""
    path = f"/apps/{plain.zoom.app.client_id}"
    tokens = plain.install()
    scopes = [*plain.zoom.app.scopes, "meeting:write:meeting"]
    control.patch(path, json={"scopes": scopes})
    refreshed = plain.refresh(tokens["refresh_token"]).json()
    assert "meeting:write:meeting" not in refreshed["scope"]
    assert "meeting:write:meeting" in plain.install()["scope"]
    tokens = plain.install()
    control.patch(path, json={"scopes": ["user:read:user"]})
    assert "4,711" in refused(plain.refresh(tokens["refresh_token"]), "invalid_grant")["reason"]
    assert 200 == plain.exchange(plain.code()).status_code


@pytest.mark.parametrize(
    ("method", "path", "order", "status"),
    [
        ("PUT", "/approvals", {"client_id": "x", "account_id": "y", "approved": True}, 404),
        ("PUT", "/approvals", {"client_id": "x"}, 400),
        ("PATCH", "/apps/x", {}, 404),
        ("PATCH", "/apps/SimulatedZoomClientId1", {"disabled": 1}, 400),
        ("PATCH", "/apps/SimulatedZoomClientId1", {"colour": "red"}, 400),
        ("PATCH", "/apps/SimulatedZoomClientId1", {"scopes": 1}, 400),
        ("PATCH", "/apps/SimulatedZoomClientId1", {"client_id": "x"}, 400),
        ("PATCH", "/apps/SimulatedZoomClientId1", {"account_id": "x"}, 400),
        ("DELETE", "/users/x", None, 404),
    ],
)
def test_wrong_orders_are_refused(
    control: httpx.Client, method: str, path: str, order: Any, status: int
) -> None:
    """An order that does not fit changes nothing and says why."""
    response = control.request(method, path, json=order)
    assert 400 <= response.status_code < 500 and response.json()["error"]
    assert status == response.status_code


# ---------------------------------------------------------------- the app's own tokens


def test_client_credentials_bring_the_apps_own_scopes(plain: PlainClient) -> None:
    """Chatbot and websocket scopes that are selected, all of subscriptions; no refresh token."""
    plain.zoom.app.scopes = [
        "user:read:user",
        "imchat:bot",
        "marketplace:write:event_subscription",
        "marketplace:write:websocket_connection",
    ]
    content = plain.token(grant_type="client_credentials").json()
    assert "refresh_token" not in content
    unselected = (f"marketplace:{one}:event_subscription" for one in ("read", "update", "delete"))
    assert [*plain.zoom.app.scopes[1:], *unselected] == content["scope"].split()
    response = plain.api("/v2/users/me", content["access_token"])
    assert (400, 4711) == (response.status_code, response.json()["code"])


def test_account_credentials(plain: PlainClient) -> None:
    """A server-to-server app reads its account's users by id; its grants are its own."""
    account = plain.zoom.world.accounts[0].id
    plain.zoom.world.apps.append(
        App(
            kind="server-to-server",
            client_id="s2s",
            client_secret="sec",
            account_id=account,
            scopes=["user:read:user:admin"],
        )
    )
    pair, kind = ("s2s", "sec"), {"grant_type": "account_credentials"}
    refused(plain.token(auth=pair, **kind, account_id="another"), "invalid_request")
    refused(plain.token(auth=pair, grant_type="client_credentials"), "unsupported_grant_type")
    content = plain.token(auth=pair, **kind, account_id=account).json()
    assert "refresh_token" not in content
    assert JANE == plain.api(f"/v2/users/{JANE}", content["access_token"]).json()["id"]
    assert 404 == plain.api("/v2/users/me", content["access_token"]).status_code
    plain.zoom.advance(3601)
    expired = plain.api(f"/v2/users/{JANE}", content["access_token"])
    assert {"code": 124, "message": "Access token is expired."} == expired.json()


# ---------------------------------------------------------------- revocation


def test_revoking_an_access_token_ends_the_grant(plain: PlainClient) -> None:
    """Success, and both tokens are dead; a second time the token is invalid."""
    tokens = plain.install()
    response = plain.revoke(tokens["access_token"])
    assert (200, {"status": "success"}) == (response.status_code, response.json())
    assert 401 == plain.api("/v2/users/me", tokens["access_token"]).status_code
    assert INVALID_TOKEN == plain.refresh(tokens["refresh_token"]).json()
    assert 400 == plain.revoke(tokens["access_token"]).status_code
    assert [] == plain.zoom.grants()


def test_revoking_other_things(plain: PlainClient) -> None:
    """A refresh token counts, unless a fault says no; another app's token never does."""
    tokens = plain.install()
    plain.zoom.world.apps.append(App(client_id="other", client_secret="sec"))
    form = {"token": tokens["access_token"]}
    foreign = plain.http.post("/oauth/revoke", data=form, auth=("other", "sec"))
    refused(foreign, "invalid_request")
    plain.zoom.simulator.faults.switch_on("revoke_refresh_token_refused", {"times": 1})
    refused(plain.revoke(tokens["refresh_token"]), "invalid_request")
    assert 200 == plain.revoke(tokens["refresh_token"]).status_code
    assert 401 == plain.api("/v2/users/me", tokens["access_token"]).status_code


def test_revoking_the_apps_own_token(plain: PlainClient) -> None:
    """It dies alone; grants of users live on."""
    plain.zoom.app.scopes.append("imchat:bot")
    token = plain.token(grant_type="client_credentials").json()["access_token"]
    tokens = plain.install()
    assert 200 == plain.revoke(token).status_code
    assert 401 == plain.api("/v2/users/me", token).status_code
    assert 200 == plain.api("/v2/users/me", tokens["access_token"]).status_code


# ---------------------------------------------------------------- checks left out


def test_faults_that_leave_out_a_check(plain: PlainClient) -> None:
    """Each lets one wrong exchange through, and the next one fails again."""
    faults = plain.zoom.simulator.faults
    plain.zoom.world.apps.append(
        App(client_id="other", client_secret="sec", redirect_uris=[plain.redirect_uri])
    )
    used, form = plain.code(), {"grant_type": "authorization_code"}
    plain.exchange(used)
    attempts: dict[str, Any] = {
        "code_reuse_accepted": lambda: plain.exchange(used),
        "pkce_not_enforced": lambda: plain.exchange(plain.code(**S256), code_verifier="wrong"),
        "redirect_uri_not_compared": lambda: plain.exchange(plain.code(), redirect_uri="x"),
        "client_secret_not_checked": lambda: plain.token(
            auth=(plain.zoom.app.client_id, "wrong"), grant_type="client_credentials"
        ),
        "code_of_other_client_accepted": lambda: plain.token(
            auth=("other", "sec"), **form, code=plain.code(), redirect_uri=plain.redirect_uri
        ),
    }
    for name, attempt in attempts.items():
        assert 400 == attempt().status_code, name
        faults.switch_on(name, {"times": 1})
        assert 200 == attempt().status_code, name
        assert 400 == attempt().status_code, name


def test_faults_that_refuse_more(plain: PlainClient) -> None:
    """A verifier without a challenge is refused; a code that comes again ends its tokens."""
    faults = plain.zoom.simulator.faults
    faults.switch_on("pkce_downgrade_refused", {"times": 1})
    refused(plain.exchange(plain.code(), code_verifier=VERIFIER), "invalid_grant")
    code = plain.code()
    tokens = plain.exchange(code).json()
    faults.switch_on("code_reuse_ends_grant", {"times": 1})
    refused(plain.exchange(code), "invalid_grant")
    assert 401 == plain.api("/v2/users/me", tokens["access_token"]).status_code


def test_an_expired_code_that_works(plain: PlainClient) -> None:
    """With the fault, five minutes do not count."""
    code = plain.code()
    plain.zoom.advance(301)
    plain.zoom.simulator.faults.switch_on("code_never_expires", {"times": 1})
    assert 200 == plain.exchange(code).status_code


@pytest.mark.parametrize(
    ("fault", "claim"),
    [("token_claims_of_another", "uid"), ("token_claims_other_client", "iss")],
)
def test_claims_that_lie(plain: PlainClient, fault: str, claim: str) -> None:
    """The access token's claims name somebody else, and it works for the real user."""

    def claims(tokens: dict[str, Any]) -> Any:
        return json.loads(base64.urlsafe_b64decode(tokens["access_token"].split(".")[1] + "=="))

    honest = claims(plain.install())[claim]
    plain.zoom.simulator.faults.switch_on(fault, {"times": 1})
    tokens = plain.install()
    assert honest != claims(tokens)[claim]
    assert JANE == plain.api("/v2/users/me", tokens["access_token"]).json()["id"]
    plain.zoom.simulator.faults.switch_on(fault, {"times": 1})
    assert honest != claims(plain.refresh(tokens["refresh_token"]).json())[claim]


def test_a_refusal_spends_nothing(plain: PlainClient) -> None:
    """503, 429, an error body and a closed connection before the work leave the code good."""
    code = plain.code()
    faults = plain.zoom.simulator.faults
    for name, status in (("token_unavailable", 503), ("token_rate_limited", 429)):
        faults.switch_on(name, {"times": 1})
        assert status == plain.exchange(code).status_code
    faults.switch_on("token_refused", {"times": 1, "reason": "4741"})
    assert {"reason": "4741", "error": "invalid_grant"} == plain.exchange(code).json()
    faults.switch_on("token_reset", {"times": 1})
    # Closed before an answer: which of the two is seen is up to what the kernel had still to read.
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        plain.exchange(code)
    assert 200 == plain.exchange(code).status_code


def test_a_lost_response_has_done_its_work(plain: PlainClient) -> None:
    """The connection is cut after the rotation: the refresh token that the app holds is dead."""
    tokens = plain.install()
    plain.zoom.simulator.faults.switch_on("token_cut", {"times": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        plain.refresh(tokens["refresh_token"])
    assert INVALID_TOKEN == plain.refresh(tokens["refresh_token"]).json()


def test_transport_faults(plain: PlainClient) -> None:
    """Dripping, huge and compressed answers still hold the tokens; a redirect holds nothing."""
    faults = plain.zoom.simulator.faults
    for name, more in (
        ("token_drip", {"seconds": 0.0001}),
        ("token_huge", {"mebibytes": 1}),
        ("token_bomb", {"mebibytes": 3}),
    ):
        faults.switch_on(name, {"times": 1, **more})
        response = plain.exchange(plain.code())
        assert "bearer" == json.loads(response.text)["token_type"], name
    faults.switch_on("token_redirect", {"times": 1, "status": 308, "location": "http://x/\r\na: b"})
    response = plain.exchange(plain.code())
    assert (308, "http://x/%0D%0Aa:%20b") == (response.status_code, response.headers["location"])


def test_revocation_faults(plain: PlainClient) -> None:
    """Refused, unavailable, and a success that ends nothing: the tokens live on."""
    tokens = plain.install()
    faults = plain.zoom.simulator.faults
    for name, status in (
        ("revoke_unavailable", 503),
        ("revoke_refused", 400),
        ("revoke_keeps_grant", 200),
    ):
        faults.switch_on(name, {"times": 1})
        assert status == plain.revoke(tokens["access_token"]).status_code
        assert 200 == plain.api("/v2/users/me", tokens["access_token"]).status_code
