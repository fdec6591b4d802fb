"""The REST API's refusals, told apart by text and status."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import PeerUnavailable, ResourceErrorResponse
from paraph.oauth import token_endpoint
from paraph.oauth.messages import Response
from paraph.zoom.api_errors import (
    GRANT_ERRORS,
    ApiErrorKind,
    RateLimit,
    classify_api_error,
    explain_grant_error,
    kind_of_response,
    parse_rate_limit,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rate_limit.json").read_bytes())
NOW = 1737331000.0


def comment_of(vector: dict[str, Any]) -> str:
    """The vector's own words as the name of the test."""
    return str(vector["comment"])


def response(status: int, content: Any = None, *headers: tuple[str, str]) -> Response:
    """A response of the resource server with a JSON body."""
    return Response(status=status, headers=headers, body=json.dumps(content).encode())


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (401, 124, "Invalid access token.", ApiErrorKind.ACCESS_TOKEN_INVALID),
        (401, 124, "Invalid access token", ApiErrorKind.ACCESS_TOKEN_INVALID),
        (400, 124, "Invalid access token.", ApiErrorKind.ACCESS_TOKEN_INVALID),
        (400, 4735, "User does not exist.", ApiErrorKind.ACCESS_TOKEN_INVALID),
        (403, 4738, "Disabled by the admin.", ApiErrorKind.ACCESS_TOKEN_INVALID),
        (404, 4735, "User does not exist.", ApiErrorKind.NOT_FOUND),
        (400, 1001, "User does not exist: 4735.", ApiErrorKind.REFUSED),
        (401, 124, "Access token is expired.", ApiErrorKind.ACCESS_TOKEN_EXPIRED),
        (401, 124, "Access token has expired.", ApiErrorKind.ACCESS_TOKEN_EXPIRED),
        (
            401,
            124,
            "Invalid access token, this access token is not supported as query parameter string.",
            ApiErrorKind.REFUSED,
        ),
        (
            400,
            4711,
            "Invalid access token, does not contain scopes:[user:read:user].",
            ApiErrorKind.SCOPE_MISSING,
        ),
        (
            400,
            201,
            "Invalid access token, does not contain scopes:[user:read:user].",
            ApiErrorKind.SCOPE_MISSING,
        ),
        (
            401,
            124,
            "Invalid access token, does not contain scopes:[user:read:user].",
            ApiErrorKind.SCOPE_MISSING,
        ),
        (
            403,
            4700,
            "Invalid access token, does not contain scopes.",
            ApiErrorKind.SCOPE_MISSING,
        ),
        (400, 4711, "Something else entirely", ApiErrorKind.REFUSED),
        (401, 4711, "Something else entirely", ApiErrorKind.ACCESS_TOKEN_INVALID),
        (404, 1001, "User does not exist: someone@example.com.", ApiErrorKind.NOT_FOUND),
        (400, 300, "Validation Failed.", ApiErrorKind.REFUSED),
        (403, 1, "No permission.", ApiErrorKind.REFUSED),
        (409, 1, "Conflict.", ApiErrorKind.REFUSED),
        (302, 1, "Moved.", ApiErrorKind.REFUSED),
        (
            429,
            429,
            "You have reached the maximum per-second rate limit for this API.",
            ApiErrorKind.RATE_LIMITED,
        ),
        (429, 429, "Too many concurrent requests.", ApiErrorKind.RATE_LIMITED),
        (500, 124, "Invalid access token.", ApiErrorKind.UNAVAILABLE),
        (503, 1, "", ApiErrorKind.UNAVAILABLE),
    ],
)
def test_text_and_status_decide_and_the_code_does_not(
    status: int,
    code: int,
    message: str,
    expected: ApiErrorKind,
) -> None:
    """The same code stands for several things at Zoom, so it decides nothing."""
    assert expected is kind_of_response(response(status, {"code": code, "message": message}))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, ApiErrorKind.ACCESS_TOKEN_INVALID),
        (404, ApiErrorKind.NOT_FOUND),
        (400, ApiErrorKind.REFUSED),
        (502, ApiErrorKind.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"message":7,"code":"x"}'])
def test_without_a_message_the_status_decides(
    status: int,
    expected: ApiErrorKind,
    body: bytes,
) -> None:
    """A proxy's error page has a status and nothing more to say."""
    assert expected is kind_of_response(Response(status=status, headers=(), body=body))


def test_a_refusal_carries_status_kind_and_code() -> None:
    """The caller acts on kind and status; the operator reads Zoom's code."""
    error = classify_api_error(
        response(401, {"code": 124, "message": "Access token is expired."}),
        now=NOW,
    )
    assert isinstance(error, ResourceErrorResponse)
    assert (error.peer_status, error.kind) == (401, "access_token_expired")
    assert "code 124" in error.detail


def test_missing_scopes_are_named() -> None:
    """The operator reads which scopes the grant lacks."""
    message = (
        "Invalid access token, does not contain scopes:[user:read:user, meeting:read:meeting]."
    )
    error = classify_api_error(response(400, {"code": 4711, "message": message}), now=NOW)
    assert "missing: user:read:user meeting:read:meeting" in error.detail


@pytest.mark.parametrize(
    ("listed", "missing"),
    [
        ('scopes:["calendar:read:admin","calendar:read"]', "calendar:read:admin calendar:read"),
        ("scopes:['a:b', 'c:d:e'].", "a:b c:d:e"),
        ('scopes : [ "a:b" , "c:d" ]', "a:b c:d"),
        ('scopes:[\\"a:b\\",\\"c:d\\"]', "a:b c:d"),
        ("scopes:[a:b c:d]", "a:b c:d"),
        ("scopes:[a:b;c:d]", "a:b c:d"),
        ("scopes: {a:b}", "a:b"),
        ("scopes (a:b, c:d)", "a:b c:d"),
        ("scopes:a:b,c:d.", "a:b c:d"),
        ("scopes: 'a:b', \"c:d\"", "a:b c:d"),
        ("scopes \u201ca:b\u201d, \u2018c:d\u2019", "a:b c:d"),
        ("scopes: a:b. Please ask your administrator", "a:b"),
        ("scope:[imchat:userapp]", "imchat:userapp"),
        ("Scopes:[a:b, a:b]", "a:b"),
        ("one of the scopes:[a:b, c:d]", "a:b c:d"),
        ("the required scopes: a:b or c:d", "a:b c:d"),
        ("scopes:[&quot;a:b&quot;,&quot;c:d&quot;]", "a:b c:d"),
        ("scopes:[a:b|c:d]", "a:b c:d"),
        ("scopes:\n- a:b\n- c:d", "a:b c:d"),
        ("scopes:[[a:b]]", "a:b"),
    ],
)
def test_missing_scopes_are_named_in_every_writing(listed: str, missing: str) -> None:
    """Zoom lists scopes with and without quotes, blanks and brackets."""
    message = f"Invalid access token, does not contain {listed}"
    error = classify_api_error(response(400, {"code": 104, "message": message}), now=NOW)
    assert isinstance(error, ResourceErrorResponse)
    assert "scope_missing" == error.kind
    assert error.detail.endswith(f", missing: {missing}")


@pytest.mark.parametrize(
    "listed", ["scopes.", "scopes:[]", "scopes of the app", "scopes:['']", "scopes: none of them"]
)
def test_words_are_not_taken_for_scopes(listed: str) -> None:
    """Where no scope is named, none is reported."""
    message = f"Invalid access token, does not contain {listed}"
    error = classify_api_error(response(400, {"code": 104, "message": message}), now=NOW)
    assert "missing" not in error.detail.partition("code 104")[2]


@pytest.mark.parametrize(
    "message",
    [
        "User does not exist: canary@example.com.",
        "Invalid access token, does not contain scopes: canary@example.com",
        "Invalid access token, does not contain scopes: canary:x@example.com",
        "Invalid access token, does not contain scopes:[canary:x@example.com]",
        'Invalid access token, does not contain scopes:["a:b","<canary>"]',
        "Invalid access token, does not contain scopes:[<canary>].",
        "Invalid access token canary",
    ],
)
def test_the_message_itself_is_not_passed_on(message: str) -> None:
    """Messages quote e-mail addresses and requests, so nothing of their words is kept."""
    error = classify_api_error(response(400, {"code": 1, "message": message}), now=NOW)
    assert "canary" not in error.detail


def test_too_many_requests_become_a_time_to_ask_again() -> None:
    """429 is "later", with the time that the headers give."""
    error = classify_api_error(response(429, {}, ("X-RateLimit-Reset", "1737331002")), now=NOW)
    assert isinstance(error, PeerUnavailable)
    assert (error.peer_status, error.retry_at) == (429, 1737331002)


def test_a_failed_server_may_say_nothing_about_when() -> None:
    """5xx without headers is "later", at no particular time."""
    error = classify_api_error(response(503), now=NOW)
    assert isinstance(error, PeerUnavailable)
    assert error.retry_at is None


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=comment_of)
def test_rate_limits_are_read_in_three_styles(vector: dict[str, Any]) -> None:
    """Epoch seconds, ISO 8601 or RFC 9110: readable and near is believed, all else is None."""
    headers = tuple((name, value) for name, value in vector["headers"])
    found = parse_rate_limit(Response(status=429, headers=headers, body=b""), now=vector["now"])
    expected = None if vector["expected"] is None else RateLimit(**vector["expected"])
    assert expected == found


@given(
    status=st.integers(min_value=300, max_value=599),
    body=st.binary(max_size=100) | st.text(max_size=100).map(str.encode),
    value=st.text(st.characters(max_codepoint=255), max_size=40),
)
def test_any_response_becomes_an_error(status: int, body: bytes, value: str) -> None:
    """No answer makes the classifier fail, and no time that it gives is out of reach."""
    headers = (("Retry-After", value), ("X-RateLimit-Reset", value))
    error = classify_api_error(Response(status=status, headers=headers, body=body), now=NOW)
    if isinstance(error, PeerUnavailable) and error.retry_at is not None:
        assert NOW <= error.retry_at <= NOW + 2 * 86_400


@pytest.mark.parametrize("number", sorted(GRANT_ERRORS))
def test_a_documented_number_is_told_with_its_meaning(number: str) -> None:
    """A person learns why, not only that."""
    assert f"{number}: {GRANT_ERRORS[number]}" == explain_grant_error(f"Zoom error {number}")


@pytest.mark.parametrize("detail", ["", "Zoom error 4799", "xZoom error 4741", "no refresh token"])
def test_anything_else_stays_as_it_is(detail: str) -> None:
    """No meaning is made up."""
    assert detail == explain_grant_error(detail)


def test_the_token_endpoint_knows_the_same_dead_grants() -> None:
    """A number that ends a grant at one server ends it at the other."""
    assert token_endpoint._DEAD_GRANT == GRANT_ERRORS.keys()
