"""The REST API: who may read what, and how it says no."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from simulator.plain_client import JANE, RAVI, PlainClient

ME = "/v2/users/me"
INVALID = {"code": 124, "message": "Invalid access token."}


def grant(plain: PlainClient, *scopes: str) -> str:
    """An access token with these scopes."""
    plain.zoom.app.scopes = list(scopes)
    plain.zoom.app.optional_scopes = []
    token: str = plain.install()["access_token"]
    return token


def says(response: httpx.Response, status: int, code: int) -> bool:
    """Whether an answer is this error in Zoom's shape."""
    content = response.json()
    return (status, code, {"code", "message"}) == (
        response.status_code,
        content["code"],
        {*content},
    )


# ---------------------------------------------------------------- users


def test_the_profile_has_zooms_fields(plain: PlainClient) -> None:
    """Both ids have 22 characters, numbers are numbers, and the profile is the same each time."""
    token = plain.install()["access_token"]
    content = plain.api(ME, token).json()
    assert (JANE, plain.zoom.user.account_id) == (content["id"], content["account_id"])
    assert (22, 22) == (len(content["id"]), len(content["account_id"]))
    assert ("Jane", "Dev", "Jane Dev", "Admin", 1, 2) == tuple(
        content[name]
        for name in ("first_name", "last_name", "display_name", "role_name", "verified", "type")
    )
    assert 10 == len(str(content["pmi"])) and 9 == len(str(content["account_number"]))
    assert len(content) > 35
    assert content == plain.api(ME, token).json()


def test_every_response_has_a_tracking_id(plain: PlainClient) -> None:
    """Good answers and errors alike carry x-zm-trackingid, never the same twice."""
    token = plain.install()["access_token"]
    responses = [plain.api(ME, token), plain.api(ME, "x"), plain.api("/v2/users/x", token)]
    assert 3 == len({response.headers["x-zm-trackingid"] for response in responses})


def test_me_is_the_only_name_for_an_app_of_a_user(plain: PlainClient) -> None:
    """Even one's own id is refused with 4700; with a scope for the account it is fine."""
    token = grant(plain, "user:read:user")
    assert says(plain.api(f"/v2/users/{JANE}", token), 400, 4700)
    token = grant(plain, "user:read:user:admin")
    assert RAVI == plain.api(f"/v2/users/{RAVI}", token).json()["id"]
    assert "Ravi" == plain.api("/v2/users/ravi@example.com", token).json()["first_name"]
    assert says(plain.api("/v2/users/nobody", token), 404, 1001)


def test_users_of_other_accounts_do_not_exist(plain: PlainClient) -> None:
    """A token sees its own account only."""
    token = grant(plain, "user:read:user:admin", "user:read:list_users:admin")
    plain.zoom.world.user(RAVI).account_id = "another"  # type: ignore[union-attr]
    assert says(plain.api(f"/v2/users/{RAVI}", token), 404, 1001)
    assert RAVI not in plain.api("/v2/users", token).text


def test_users_come_in_pages(plain: PlainClient) -> None:
    """page_size and page_number count; nonsense in them is ignored."""
    token = grant(plain, "user:read:list_users:admin")
    content = plain.api("/v2/users?page_size=2&page_number=2", token).json()
    assert (2, 2, 2, 3) == tuple(
        content[name] for name in ("page_count", "page_number", "page_size", "total_records")
    )
    assert 1 == len(content["users"])
    whole = plain.api("/v2/users?page_size=x&page_number=99999999999", token).json()
    assert 3 == len(whole["users"])


def test_a_missing_scope_is_named(plain: PlainClient) -> None:
    """400 with code 4711 and the scope; with the fault nobody looks."""
    token = grant(plain, "meeting:read:meeting")
    response = plain.api(ME, token)
    assert says(response, 400, 4711)
    assert "[user:read:user]" in response.json()["message"]
    plain.zoom.simulator.faults.switch_on("scopes_not_checked", {"times": 1})
    assert 200 == plain.api(ME, token).status_code


# ---------------------------------------------------------------- access tokens


def test_dead_access_tokens(plain: PlainClient) -> None:
    """No token, garbage, another scheme, a refresh token: all the same 401; expired says so."""
    tokens = plain.install()
    token = tokens["access_token"]
    for header in ("", "Bearer", "Bearer x", f"Basic {token}", f"Bearer {tokens['refresh_token']}"):
        response = plain.http.get(ME, headers={"authorization": header} if header else {})
        assert (401, INVALID) == (response.status_code, response.json()), header
    plain.zoom.advance(3601)
    expired = plain.api(ME, token)
    assert {"code": 124, "message": "Access token is expired."} == expired.json()


def test_a_token_in_the_query_is_refused(plain: PlainClient) -> None:
    """Even beside a good header, and even if it is good."""
    token = plain.install()["access_token"]
    response = plain.api(f"{ME}?access_token={token}", token)
    assert says(response, 401, 124)
    assert "query parameter" in response.json()["message"]


def test_an_altered_token_is_dead(plain: PlainClient) -> None:
    """Nobody can write other claims into a token."""
    head, body, mac = plain.install()["access_token"].split(".")
    assert 401 == plain.api(ME, f"{head}.{body[:-4]}AAAA.{mac}").status_code


# ---------------------------------------------------------------- meetings


def test_meetings_are_created_read_changed_and_deleted(plain: PlainClient) -> None:
    """What an app creates it finds again, in the list and by number, until it deletes it."""
    token = grant(plain, "meeting:read:meeting", "meeting:write:meeting")
    path = f"{ME}/meetings"
    created = plain.api(path, token, "POST", json={"topic": "Standup", "host_id": "forged"})
    assert 201 == created.status_code
    content = created.json()
    assert ("Standup", JANE, "waiting") == tuple(
        content[name] for name in ("topic", "host_id", "status")
    )
    one = f"/v2/meetings/{content['id']}"
    assert content == plain.api(one, token).json()
    assert [content["id"]] == [row["id"] for row in plain.api(path, token).json()["meetings"]]
    assert 204 == plain.api(one, token, "PATCH", json={"topic": "Later"}).status_code
    assert "Later" == plain.api(one, token).json()["topic"]
    assert 204 == plain.api(one, token, "DELETE").status_code
    assert says(plain.api(one, token), 404, 3001)


def test_meetings_of_others_do_not_exist(plain: PlainClient) -> None:
    """An app of one user does not see another's meeting; one of the account does."""
    plain.zoom.consent("approve", RAVI)
    ravis = grant(plain, "meeting:write:meeting", "meeting:read:meeting")
    number = plain.api(f"{ME}/meetings", ravis, "POST", json={}).json()["id"]
    plain.zoom.consent("approve", JANE)
    janes = grant(plain, "meeting:read:meeting")
    assert says(plain.api(f"/v2/meetings/{number}", janes), 404, 3001)
    admins = grant(plain, "meeting:read:meeting:admin")
    assert 200 == plain.api(f"/v2/meetings/{number}", admins).status_code


def test_meetings_of_other_accounts_do_not_exist(plain: PlainClient) -> None:
    """Not even for an app that sees its whole account."""
    token = grant(plain, "meeting:write:meeting:admin", "meeting:read:meeting:admin")
    number = plain.api(f"{ME}/meetings", token, "POST", json={}).json()["id"]
    assert 200 == plain.api(f"/v2/meetings/{number}", token).status_code
    plain.zoom.user.account_id = "another"
    assert says(plain.api(f"/v2/meetings/{number}", token), 404, 3001)


@pytest.mark.parametrize("body", [b"{", b"[]", b"[" * 100_000, b"\xff", b'{"topic":' + b"9" * 5000])
def test_a_broken_body_is_an_error_of_the_caller(plain: PlainClient, body: bytes) -> None:
    """400 with code 300, whatever the bytes."""
    token = grant(plain, "meeting:write:meeting")
    assert says(plain.api(f"{ME}/meetings", token, "POST", content=body), 400, 300)


@pytest.mark.parametrize("number", ["x", "٣", "9" * 5000, "-1", "0"])
def test_a_strange_number_is_no_meeting(plain: PlainClient, number: str) -> None:
    """404, and never more than a piece of it comes back."""
    token = grant(plain, "meeting:read:meeting")
    response = plain.api(f"/v2/meetings/{number}", token)
    assert says(response, 404, 3001)
    assert len(response.text) < 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2/nothing"), ("PUT", ME), ("GET", "/v2/"), ("POST", "/v2/users")],
)
def test_what_is_no_resource(plain: PlainClient, method: str, path: str) -> None:
    """404 with code 2300 in JSON, for paths and methods."""
    assert says(plain.http.request(method, path), 404, 2300)


# ---------------------------------------------------------------- limits and faults


def test_the_limit_of_a_second(plain: PlainClient) -> None:
    """429 with the header family of short limits: the reset in epoch seconds of the real clock."""
    token = plain.install()["access_token"]
    plain.zoom.simulator.faults.switch_on("api_rate_limited", {"times": 1})
    before = time.time()
    response = plain.api(ME, token)
    assert says(response, 429, 429)
    assert ("QPS", "0") == tuple(
        response.headers[f"x-ratelimit-{name}"] for name in ("type", "remaining")
    )
    assert before <= int(response.headers["x-ratelimit-reset"]) <= time.time() + 1
    assert "retry-after" not in response.headers
    assert 200 == plain.api(ME, token).status_code


def test_the_limit_of_a_day(plain: PlainClient) -> None:
    """429 with Retry-After as an ISO 8601 date: the next midnight in UTC."""
    token = plain.install()["access_token"]
    plain.zoom.simulator.faults.switch_on("api_daily_limit", {"times": 1})
    response = plain.api(ME, token)
    assert says(response, 429, 429)
    assert "Daily-limit" == response.headers["x-ratelimit-type"]
    again = datetime.strptime(response.headers["retry-after"], "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007
    left = (again.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()
    assert (0, 0, 0) == (again.hour, again.minute, again.second)
    assert 0 < left <= 86400


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        ("api_unavailable", lambda a: a.status_code == 503),
        ("api_token_expired", lambda a: "expired" in a.json()["message"]),
        ("user_unavailable", lambda a: a.status_code == 503),
        ("user_unauthorized", lambda a: says(a, 401, 124)),
        ("user_forbidden", lambda a: a.status_code == 403),
        ("user_html", lambda a: a.headers["content-type"].startswith("text/html")),
        ("user_redirect", lambda a: a.status_code == 302),
        ("user_without_id", lambda a: "id" not in a.json()),
        ("user_id_other_case", lambda a: a.json()["id"] == JANE.swapcase()),
        ("user_id_twin", lambda a: a.json()["id"] == f"\uff2b{JANE[1:]}"),
        ("user_verified_absent", lambda a: "verified" not in a.json()),
        (
            "api_concurrency_limit",
            lambda a: a.status_code == 429 and "concurrent" in a.json()["message"],
        ),
        ("user_id_padded", lambda a: a.json()["id"] == f"{JANE} "),
        ("user_other_account", lambda a: a.json()["account_id"] == "AnotherAccountOfZoom01"),
        ("user_of_another", lambda a: a.json()["id"] != JANE),
        ("user_same_email", lambda a: a.json()["email"] == "jane@example.com"),
        ("user_half_character", lambda a: a.json()["display_name"] == "Jane \ud83d"),
        ("user_error_half_character", lambda a: a.json()["message"].endswith("\ud83d")),
        ("user_long_name", lambda a: len(a.json()["display_name"]) == 10_000),
    ],
)
def test_faults_of_the_api(plain: PlainClient, fault: str, holds: Any) -> None:
    """A fault spoils one answer, and the next one is good again."""
    token = plain.install()["access_token"]
    good = plain.api(ME, token).json()
    plain.zoom.simulator.faults.switch_on(fault, {"times": 1})
    assert holds(plain.api(ME, token))
    assert good == plain.api(ME, token).json()


def test_a_regional_api(plain: PlainClient) -> None:
    """api_url names what the world says, and this simulator answers for every name."""
    plain.zoom.world.zoom.api_url = "https://api-eu.zoom.us"
    tokens = plain.install()
    assert "https://api-eu.zoom.us" == tokens["api_url"]
    headers = {"authorization": f"Bearer {tokens['access_token']}", "host": "api-eu.zoom.us"}
    assert 200 == plain.http.get(ME, headers=headers).status_code
