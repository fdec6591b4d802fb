"""The token endpoint: what is sent, and what is believed."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.exchange_kit import CLIENT, SERVER, validated
from paraph.errors import InvalidGrant, PeerError, PeerUnavailable, TokenErrorResponse, UsageError
from paraph.oauth.messages import Response
from paraph.oauth.token_endpoint import (
    DEFAULT_EXPIRES_IN,
    build_refresh_request,
    build_revocation_request,
    build_token_request,
    parse_refresh_response,
    parse_revocation_response,
    parse_token_response,
)
from paraph.secret import Secret
from vector_files import cases


def response(body: bytes, *, status: int = 200, content_type: str = "application/json") -> Response:
    """A response with a Date of Zoom's."""
    headers = (("content-type", content_type), ("date", "Sun, 06 Nov 1994 08:49:37 GMT"))
    return Response(status, headers, body)


@pytest.mark.parametrize("case", cases("token_response"))
def test_vectors(case: dict[str, Any]) -> None:
    """Each vector is a token set, or the error that its result names."""
    answer = response(
        case["body"].encode(), status=case["status"], content_type=case["content_type"]
    )
    if case["result"] == "valid":
        token_set = parse_token_response(answer)
        assert (Secret("at"), 784111777) == (token_set.access_token, token_set.issued_at_server)
        return
    with pytest.raises(PeerError) as caught:
        parse_token_response(answer)
    assert case["result"] == caught.value.code
    assert "abc" not in f"{caught.value} {caught.value.detail} {caught.value.remedy}"


def test_the_token_request() -> None:
    """POST with Basic, everything in the body, the verifier and the same redirect URI."""
    request = build_token_request(SERVER, CLIENT, validated())
    credentials = base64.b64encode(b"cid:client-credential").decode()
    assert ("POST", SERVER.token_endpoint) == (request.method, request.url)
    assert ("authorization", f"Basic {credentials}") in request.headers
    assert {
        "grant_type": ["authorization_code"],
        "code": ["abc"],
        "redirect_uri": [CLIENT.redirect_uri],
        "code_verifier": ["v" * 43],
    } == parse_qs(request.body.decode())
    assert "abc" not in repr(request)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (replace(CLIENT, client_id="other"), SERVER),
        (replace(CLIENT, redirect_uri="https://app.example/other"), SERVER),
        (CLIENT, replace(SERVER, issuer="https://other.example")),
    ],
)
def test_a_code_goes_to_its_server_only(client: Any, server: Any) -> None:
    """A code of one client, redirect URI or server is never sent as another's."""
    with pytest.raises(UsageError):
        build_token_request(server, client, validated())


def test_an_unvalidated_response_makes_no_request() -> None:
    """The request is built from a validated response only."""
    with pytest.raises(UsageError):
        build_token_request(SERVER, CLIENT, "abc")  # type: ignore[arg-type]


def test_refresh_and_revocation_requests() -> None:
    """Both carry their token in the body and nowhere else."""
    refresh = build_refresh_request(SERVER, CLIENT, refresh_token=Secret("rt"))
    revoke = build_revocation_request(SERVER, CLIENT, token=Secret("at"))
    assert b"grant_type=refresh_token&refresh_token=rt" == refresh.body
    assert (SERVER.revocation_endpoint, b"token=at") == (revoke.url, revoke.body)


def test_without_a_new_refresh_token_the_old_one_stays() -> None:
    """RFC 6749 section 6."""
    plain = b'{"access_token":"a","token_type":"bearer"}'
    kept = parse_refresh_response(response(plain), previous=Secret("old"))
    new = b'{"access_token":"a","token_type":"bearer","refresh_token":"new"}'
    rotated = parse_refresh_response(response(new), previous=Secret("old"))
    assert (Secret("old"), Secret("new")) == (kept.refresh_token, rotated.refresh_token)
    assert DEFAULT_EXPIRES_IN == kept.expires_in


def test_a_token_that_is_dead_already_is_revoked() -> None:
    """Zoom says so with a 400 or 401; wrong credentials are another matter."""
    parse_revocation_response(response(b'{"status":"success"}'))
    parse_revocation_response(response(b'{"reason":"x","error":"invalid_request"}', status=400))
    parse_revocation_response(response(b'{"code":124,"message":"x"}', status=401))
    with pytest.raises(TokenErrorResponse):
        parse_revocation_response(response(b'{"error":"invalid_client"}', status=400))
    with pytest.raises(PeerUnavailable):
        parse_revocation_response(response(b"", status=502))


@given(st.integers(100, 599), st.binary(max_size=200), st.sampled_from(["application/json", "x"]))
def test_any_response_is_a_value_or_a_peer_error(status: int, body: bytes, kind: str) -> None:
    """Whatever the token endpoint answers: a token set, or a PeerError."""
    with suppress(PeerError):
        parse_token_response(response(body, status=status, content_type=kind))


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\ude00", b"\xf0\x9f"])
def test_broken_text_beside_an_error_hides_nothing(half: bytes) -> None:
    """A dead code is known as one, whatever text Zoom cut in half beside it."""
    body = b'{"reason":"Invalid Token! %b","error":"invalid_grant"}' % half
    with pytest.raises(InvalidGrant):
        parse_token_response(response(body, status=400))
    with pytest.raises(PeerError):
        parse_token_response(response(b'{"access_token":"a%b","token_type":"bearer"}' % half))
