"""The authorization response (RFC 6749 section 4.1.2, RFC 9207).

A token request is built from a `ValidatedAuthorizationResponse`, and only
`validate_authorization_response` can make one. So no code path can skip the checks by mistake.
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
from paraph.oauth.authorization_request import LIFETIME_SECONDS, AuthorizationRequest
from paraph.oauth.messages import parse_query
from paraph.oauth.roles import AuthorizationServer
from paraph.secret import Secret

MAX_STATE = 1024
MAX_CODE = 2048
# Replicas with clocks up to this far apart can finish each other's flows.
CLOCK_TOLERANCE_SECONDS = 120

_PARAMETERS = frozenset({"code", "state", "error", "iss"})
# The error codes of RFC 6749 section 4.1.2.1 and of the IANA registry for this endpoint.
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
    """The parameters of the query (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207 section 2).

    None means absent; an empty value is present and refused.
    """

    code: Secret | None
    state: Secret | None
    error: str | None
    issuer: str | None


@dataclass(frozen=True, slots=True)
class ValidationStep:
    """One check of an authorization response.

    Attributes:
        name: short and stable, for output and tests.
        proves: the fact that holds once the check has passed.
        errors: the errors that it raises.
    """

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
        "consent", "the response is not an error response", (AuthorizationErrorResponse,)
    ),
    ValidationStep("code", "there is a code to exchange", (AuthorizationResponseInvalid,)),
)


def step_of(error: PeerError) -> ValidationStep | None:
    """Return the step that raises an error; None if no step does."""
    steps = (
        step for kind in type(error).__mro__ for step in VALIDATION_STEPS if kind in step.errors
    )
    return next(steps, None)


class ValidatedAuthorizationResponse:
    """The code of a valid response to our request, from the browser that made the request.

    Attributes:
        code: the authorization code; exchange it once.
        request: the authorization request that the response belongs to.
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
    """Parse the query of the redirection endpoint; unknown parameters are ignored.

    Raises:
        MessageMalformed: the query is too long, repeats a parameter, or is not printable ASCII.
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
    """Validate a response against the pending request of this browser (RFC 6749 section 10.12).

    Args:
        response: the parsed response.
        request: the request in the pending authorization of this browser.
        server: the server that the request was sent to.
        now: the current time in epoch seconds.

    Raises:
        StateMismatch: the state is missing or is not this browser's.
        AuthorizationExpired: the request is older than ten minutes, or from the future.
        IssuerMismatch: the issuer differs, or is missing although the server always sends it.
        AuthorizationErrorResponse: the response has an `error`, even beside a code.
        AuthorizationResponseInvalid: the response has neither `error` nor `code`.
    """
    _demand_state(response.state, request.state)
    if not request.issued_at - CLOCK_TOLERANCE_SECONDS <= now <= request.expires_at:
        raise AuthorizationExpired(describe_age(request.issued_at, now))
    _demand_issuer(response.issuer, server)
    if response.error is not None:
        known = response.error if response.error in _REGISTERED_ERRORS else "unknown"
        raise AuthorizationErrorResponse(known)
    if not response.code:
        raise AuthorizationResponseInvalid("the response has neither an error nor a code")
    return ValidatedAuthorizationResponse(_PROOF, response.code, request)


def describe_age(issued_at: int, now: int) -> str:
    """Return how long ago an authorization request expired, or that it is from the future.

    Args:
        issued_at: the time at which it began, in epoch seconds.
        now: the current time in epoch seconds.
    """
    late = now - issued_at - LIFETIME_SECONDS
    if late > 0:
        return f"the authorization request expired {late} s ago"
    return f"the authorization request is dated {issued_at - now} s ahead of this clock"


def _demand_state(presented: Secret | None, expected: Secret) -> None:
    # Two missing values must not match: an empty expected state refuses every response.
    if not presented or not expected:
        raise StateMismatch("the response has no state")
    if not hmac.compare_digest(
        presented.reveal().encode("utf-8", "surrogatepass"),
        expected.reveal().encode("utf-8", "surrogatepass"),
    ):
        raise StateMismatch("the state is not the one that was sent")


def _demand_issuer(presented: str | None, server: AuthorizationServer) -> None:
    if presented is None:
        if server.sends_issuer:
            raise IssuerMismatch("the response has no issuer, although the server always sends one")
    elif presented != server.issuer:
        raise IssuerMismatch("the response names another issuer")
