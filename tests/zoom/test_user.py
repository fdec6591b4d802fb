"""Who consented, as users/me says it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import MessageMalformed, PeerUnavailable, ResourceErrorResponse, UsageError
from paraph.oauth.messages import Response
from paraph.secret import Secret
from paraph.zoom.user import ZoomUser, build_user_request, parse_user

USER = {
    "id": "z9jkdsfsdfjhdkfjQ",
    "account_id": "EabCDEFghiLHMA",
    "email": "someone@example.com",
    "display_name": "Some One",
}


def parse(**changes: Any) -> ZoomUser:
    """The user in a good answer with these members changed."""
    return parse_user(Response(status=200, headers=(), body=json.dumps(USER | changes).encode()))


def test_the_access_token_goes_into_the_header_only() -> None:
    """Zoom refuses a bearer in the query, and logs would keep one there."""
    request = build_user_request("https://api.zoom.us", access_token=Secret("canary"))
    assert request.method == "GET"
    assert request.url == "https://api.zoom.us/v2/users/me"
    assert request.body == b""
    assert ("authorization", "Bearer canary") in request.headers


@pytest.mark.parametrize("token", ["", "a b", "a\r\nx-evil: 1", "a\n", "é", "a\0", "x" * 8193])
def test_a_token_that_no_header_can_carry_is_not_sent(token: str) -> None:
    """A line break in a peer's access token must not become a header of its choice."""
    with pytest.raises(UsageError):
        build_user_request("https://api.zoom.us", access_token=Secret(token))


def test_a_user_is_two_ids_and_two_texts() -> None:
    """The ids identify, the texts are for people."""
    expected = ZoomUser("z9jkdsfsdfjhdkfjQ", "EabCDEFghiLHMA", "someone@example.com", "Some One")
    assert expected == parse()


@pytest.mark.parametrize("name", ["id", "account_id"])
@pytest.mark.parametrize(
    "value",
    [None, "", 7, True, ["a"], {"a": "b"}, "a b", "a\n", " a", "é", "x" * 65, "a\0"],
)
def test_ids_are_exact_or_the_response_is_malformed(name: str, value: Any) -> None:
    """An id that had to be repaired could be somebody else's."""
    with pytest.raises(MessageMalformed):
        parse(**{name: value})


@pytest.mark.parametrize("name", ["email", "display_name"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (7, ""),
        (["x"], ""),
        ("", ""),
        ("  Zoë  ", "Zoë"),
        ("x" * 300, "x" * 256),
        ("a\0b\nc\x1bd\x9be", "abcde"),
        ("admin\u202e\u2066gro.\u2069\u200e", "admingro."),
        ("a\u2028b\u2029c\ufeff", "abc"),
        ("\u202e" * 2000 + "x", ""),
        ("می\u200cنو", "می\u200cنو"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
)
def test_texts_are_cut_and_cleaned_of_what_cannot_be_shown(
    name: str,
    value: Any,
    expected: str,
) -> None:
    """Controls and bidirectional overrides go, the letters of every script stay."""
    user = parse(**{name: value})
    assert expected == getattr(user, name)


def test_texts_may_be_absent() -> None:
    """Scopes may hide e-mail address and name; the identity does not need them."""
    body = json.dumps({"id": "u", "account_id": "a"}).encode()
    assert ZoomUser("u", "a", "", "") == parse_user(Response(status=200, headers=(), body=body))


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"<html>", b'{"id":"a","id":"b","account_id":"c"}', b"\xff"],
)
def test_nonsense_with_200_is_malformed(body: bytes) -> None:
    """A good status does not make a user of what is none."""
    with pytest.raises(MessageMalformed):
        parse_user(Response(status=200, headers=(), body=body))


def test_other_statuses_become_errors_of_the_api() -> None:
    """Refusals are told apart by the classifier."""
    body = (
        b'{"code":4711,"message":"Invalid access token, does not contain scopes:[user:read:user]."}'
    )
    with pytest.raises(ResourceErrorResponse) as refusal:
        parse_user(Response(status=400, headers=(), body=body))
    assert refusal.value.kind == "scope_missing"


@pytest.mark.parametrize("status", [204, 301, 302])
def test_no_other_success_is_a_user(status: int) -> None:
    """Only 200 carries a user; a redirect is not followed with a bearer."""
    with pytest.raises(ResourceErrorResponse):
        parse_user(Response(status=status, headers=(), body=json.dumps(USER).encode()))


def test_waits_in_seconds_count_from_now_or_from_the_answers_date() -> None:
    """Without a clock of the caller, the answer's own Date says when it was made."""
    headers = (("date", "Mon, 20 Jan 2025 12:00:00 GMT"), ("retry-after", "60"))
    answer = Response(status=429, headers=headers, body=b"")
    with pytest.raises(PeerUnavailable) as refusal:
        parse_user(answer)
    assert refusal.value.retry_at == 1737374460
    with pytest.raises(PeerUnavailable) as refusal:
        parse_user(answer, now=1737374500.0)
    assert refusal.value.retry_at == 1737374560


def test_a_user_shows_no_personal_data() -> None:
    """Ids, address and name stay out of logs."""
    assert repr(parse()) == "ZoomUser()"


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_response_is_a_user_or_malformed(body: bytes) -> None:
    """No body with 200 makes the parser fail in another way."""
    with pytest.raises(MessageMalformed):
        parse_user(Response(status=200, headers=(), body=body))
