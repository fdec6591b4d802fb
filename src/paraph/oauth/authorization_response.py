"""The authorization response (RFC 6749 section 4.1.2, RFC 9207).

Only `validate_authorization_response` can make the `ValidatedAuthorizationResponse` that a
token request is built from: skipping a check is not a mistake that can be made by omission.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from paraph.errors import (
    AuthorizationErrorResponse,
    AuthorizationExpired,
    AuthorizationResponseInvalid,
    IssuerMismatch,
    MessageMalformed,
    PeerError,
    StateMismatch,
)
from paraph.oauth.authorization_request import AuthorizationRequest
from paraph.oauth.messages import parse_query
from paraph.oauth.roles import AuthorizationServer
from paraph.secret import Secret

MAX_STATE = 1024
MAX_CODE = 2048
# Replicas whose clocks are this far apart finish the flows that the others began.
CLOCK_TOLERANCE_SECONDS = 120

_PARAMETERS = frozenset({"code", "state", "error", "iss"})
# RFC 6749 section 4.1.2.1 and the IANA registry's error codes for this endpoint.
_REGISTERED_ERRORS = frozenset(
    {
        "access_denied",
        "invalid_request",
        "invalid_scope",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
    }
)


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """What stood in the query. None is absent; an empty value is present, and will not pass."""

    code: Secret | None
    state: Secret | None
    error: str | None
    issuer: str | None


@dataclass(frozen=True, slots=True)
class ValidationStep:
    """One check: its name, what it proves once passed, and the errors that it ends in."""

    name: str
    proves: str
    errors: tuple[type[PeerError], ...]


VALIDATION_STEPS = (
    ValidationStep(
        "shape",
        "the query has each parameter once, in printable ASCII, within the limits",
        (MessageMalformed,),
    ),
    ValidationStep(
        "state",
        "this browser holds the pending authorization that the state belongs to",
        (StateMismatch,),
    ),
    ValidationStep("age", "the request is at most ten minutes old", (AuthorizationExpired,)),
    ValidationStep("issuer", "no other authorization server sent this response", (IssuerMismatch,)),
    ValidationStep(
        "consent", "the authorization server did not say no", (AuthorizationErrorResponse,)
    ),
    ValidationStep("code", "there is a code to exchange", (AuthorizationResponseInvalid,)),
)


def step_of(error: PeerError) -> ValidationStep | None:
    """The step that an error arose at; None when it is none of these."""
    kind = type(error)
    return next((step for step in VALIDATION_STEPS if kind in step.errors), None)


class ValidatedAuthorizationResponse:
    """A code that answers a request of ours, in the browser that made it.

    Attributes:
        code: to be exchanged, once.
        request: the authorization request that it answers.
    """

    __slots__ = ("code", "request")

    def __init__(self, proof: object, code: Secret, request: AuthorizationRequest) -> None:
        if proof is not _PROOF:
            raise TypeError("only validate_authorization_response() makes this value")
        self.code = code
        self.request = request

    def __repr__(self) -> str:
        return "ValidatedAuthorizationResponse(***)"


_PROOF = object()


def parse_authorization_response(raw_query: bytes) -> AuthorizationResponse:
    """Read the query of the redirection endpoint; unknown parameters are ignored.

    Raises:
        MessageMalformed: too long, a parameter twice, or not printable ASCII.
    """
    found = parse_query(raw_query, once=_PARAMETERS)
    code, state = found.get("code"), found.get("state")
    if code is not None and len(code) > MAX_CODE:
        raise MessageMalformed("the code is too long")
    if state is not None and len(state) > MAX_STATE:
        raise MessageMalformed("the state is too long")
    return AuthorizationResponse(
        code=None if code is None else Secret(code),
        state=None if state is None else Secret(state),
        error=found.get("error"),
        issuer=found.get("iss"),
    )


def validate_authorization_response(
    response: AuthorizationResponse,
    request: AuthorizationRequest,
    *,
    server: AuthorizationServer,
    now: int,
) -> ValidatedAuthorizationResponse:
    """Judge a response against the request that this browser made.

    Args:
        response: as parsed.
        request: from the browser's own pending authorization.
        server: to whom the request went.
        now: epoch seconds.

    Raises:
        StateMismatch: missing or foreign state. Missing equals mismatch.
        AuthorizationExpired: older than ten minutes, or from the future.
        IssuerMismatch: another issuer, or none where one is promised.
        AuthorizationErrorResponse: the server said no, also where a code came along.
        AuthorizationResponseInvalid: neither error nor code.
    """
    _demand_state(response.state, request.state)
    if not request.issued_at - CLOCK_TOLERANCE_SECONDS <= now <= request.expires_at:
        raise AuthorizationExpired("the authorization request is older than ten minutes")
    _demand_issuer(response.issuer, server)
    if response.error is not None:
        known = response.error if response.error in _REGISTERED_ERRORS else "unknown"
        raise AuthorizationErrorResponse(known)
    if not response.code:
        raise AuthorizationResponseInvalid("the response holds neither error nor code")
    return ValidatedAuthorizationResponse(_PROOF, response.code, request)


def _demand_state(presented: Secret | None, expected: Secret) -> None:
    # An empty expectation must not be met by an empty presentation: undefined is not undefined.
    if not presented or not expected:
        raise StateMismatch("the response has no state")
    if not hmac.compare_digest(
        presented.reveal().encode("utf-8", "surrogatepass"),
        expected.reveal().encode("utf-8", "surrogatepass"),
    ):
        raise StateMismatch("the state is another one")


def _demand_issuer(presented: str | None, server: AuthorizationServer) -> None:
    if presented is None:
        if server.sends_issuer:
            raise IssuerMismatch("the response lacks the issuer that the server promises")
    elif presented != server.issuer:
        raise IssuerMismatch("the response names another issuer")
