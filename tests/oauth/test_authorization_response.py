"""The authorization response: the order of the checks, and what each refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth.exchange_kit import NOW, SERVER, request_at, validated
from paraph.errors import (
    AuthorizationErrorResponse,
    AuthorizationExpired,
    IssuerMismatch,
    PeerError,
)
from paraph.oauth.authorization_response import (
    VALIDATION_STEPS,
    ValidatedAuthorizationResponse,
    parse_authorization_response,
    step_of,
    validate_authorization_response,
)
from paraph.secret import Secret
from vector_files import cases

GOOD = f"code=abc&state={'A' * 43}".encode()


def validate(
    query: bytes, *, now: int = NOW + 100, **server: Any
) -> ValidatedAuthorizationResponse:
    """Parse and validate against the request of the kit."""
    return validate_authorization_response(
        parse_authorization_response(query),
        request_at(),
        server=replace(SERVER, **server),
        now=now,
    )


@pytest.mark.parametrize("case", cases("authorization_response"))
def test_vectors(case: dict[str, Any]) -> None:
    """Each vector is accepted, or refused with its code, at a step that `explain` can name."""
    query = case["query"].encode()
    if case["result"] == "valid":
        assert Secret("abc") == validate(query).code
        return
    with pytest.raises(PeerError) as caught:
        validate(query)
    assert case["result"] == caught.value.code
    assert step_of(caught.value) in VALIDATION_STEPS


@pytest.mark.parametrize(("now", "fine"), [(600, True), (601, False), (-120, True), (-121, False)])
def test_age(now: int, fine: bool) -> None:  # noqa: FBT001 - A parameter of the test.
    """Ten minutes back and two minutes of clock difference ahead."""
    if fine:
        validate(GOOD, now=NOW + now)
    else:
        with pytest.raises(AuthorizationExpired):
            validate(GOOD, now=NOW + now)


def test_a_promised_issuer_must_come() -> None:
    """Where the server promises `iss`, a response without it is refused (RFC 9207)."""
    with pytest.raises(IssuerMismatch):
        validate(GOOD, sends_issuer=True)
    validate(GOOD + b"&iss=https://zoom.us", sends_issuer=True)


def test_the_peers_words_do_not_pass() -> None:
    """Of an error only registered codes are named."""
    with pytest.raises(AuthorizationErrorResponse) as caught:
        validate(f"error=%3Cb%3E&state={'A' * 43}".encode())
    assert "unknown" == caught.value.error


def test_only_the_validation_makes_a_validated_response() -> None:
    """Skipping validation is not a mistake that can be made by omission."""
    with pytest.raises(TypeError):
        ValidatedAuthorizationResponse(object(), Secret("abc"), request_at())
    assert "abc" not in repr(validated())


@given(st.binary(max_size=400))
def test_any_bytes_give_a_value_or_a_refusal(query: bytes) -> None:
    """Whatever bytes arrive: refused, since nobody guesses the state."""
    with pytest.raises(PeerError):
        validate(query)
