"""The protocol of an install as generators: each yields what it needs, and receives the response.

`finish` yields first `UseState` and then requests to Zoom. A driver stores the state, sends the
requests, and sends the responses back; it throws a `TransportError` where Zoom did not respond. So
the order of the checks is written once, and tests drive it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from paraph import errors
from paraph.installs.app import App
from paraph.installs.browser import deleted
from paraph.installs.pending_authorization import (
    PendingAuthorization,
    open_pending,
    used_state_hash,
)
from paraph.installs.refusals import (
    AuthorizationExpired,
    CodeRefused,
    ConsentDenied,
    InstallRefused,
    IssuerMismatch,
    OwnerUnknown,
    ResponseInvalid,
    ScopesMissing,
    SiteMisconfigured,
    StatelessCode,
    StateMismatch,
    StateStoreUnavailable,
    StateUsed,
    SubjectChanged,
    ZoomUnavailable,
)
from paraph.installs.result import InstallResult, Tokens
from paraph.oauth import exchange
from paraph.oauth.authorization_response import (
    AuthorizationResponse,
    ValidatedAuthorizationResponse,
    parse_authorization_response,
    validate_authorization_response,
)
from paraph.oauth.messages import Request, Response
from paraph.oauth.roles import Client
from paraph.oauth.token_endpoint import TokenSet
from paraph.outgoing.failure import Cause
from paraph.secret import Secret
from paraph.values import Proof, ZoomPerson
from paraph.zoom.user import build_user_request, parse_user

# As long as the service keeps them: a state is refused by its age long before.
USED_STATE_SECONDS = 3600
# Answers to a token request that no person can change by starting again.
_MISCONFIGURED = frozenset(
    {"invalid_client", "invalid_request", "unauthorized_client", "unsupported_grant_type"}
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UseState:
    """The state has to be stored, once. The response is True, False, or the exception.

    Attributes:
        state_hash: SHA-256 of the state, in 64 hexadecimal digits.
        expires_at: the row can be deleted then, in epoch seconds.
    """

    state_hash: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Signed:
    """The signed-in account of the browser that returned; `is_known` is false if not told."""

    subject: str | None = None
    is_known: bool = False


Steps: TypeAlias = Generator[UseState | Request, Any, T]
Exchange: TypeAlias = Generator[Request, Response, T]


def finish(
    app: App, raw_query: bytes, cookies: Sequence[tuple[str, str]], signed: Signed
) -> Steps[InstallResult]:
    """Verify an authorization response, then exchange its code and read the owner.

    Raises:
        InstallRefused: the response is refused, or Zoom failed.
    """
    pending, response = _recognise(app, raw_query, cookies)
    clear = deleted(pending.cookie_name)
    subject = pending.wish.subject if pending.wish else ""
    if signed.is_known and signed.subject != subject:
        raise SubjectChanged("another account is signed in than the one that started")
    validated = _validate(app, pending, response)
    yield from _use_state(app, pending)
    if isinstance(validated, errors.AuthorizationErrorResponse):
        raise ConsentDenied(validated.error, set_cookie=clear)
    proofs = [_proof(app, "state")]
    try:
        token_set = yield from _with_each_secret(
            app, lambda client: exchange.exchange_code(app.server, client, validated)
        )
    except (errors.PeerError, errors.TransportError) as error:
        raise _refused_by_zoom(error, clear) from None
    tokens = tokens_of(app, token_set)
    proofs += [_proof(app, "pkce"), _proof(app, "exchange")]
    try:
        owner = yield from owner_of(app, tokens)
    except (errors.PeerError, errors.TransportError) as error:
        raise OwnerUnknown(error.detail, tokens=tokens, set_cookie=clear) from None
    proofs.append(_proof(app, "identity"))
    _demand_scopes(app, tokens, owner, clear)
    return InstallResult(
        user_id=owner.user_id,
        account_id=owner.account_id,
        email=owner.email,
        display_name=owner.display_name,
        scopes=tokens.scopes,
        tokens=tokens,
        subject=subject,
        return_to=pending.wish.return_to if pending.wish else "",
        proofs=(*proofs, _proof(app, "scopes")),
        set_cookie=clear,
    )


def refresh(app: App, refresh_token: str) -> Exchange[Tokens]:
    """Use up a refresh token, and return the next tokens.

    Raises:
        InvalidGrant, TokenErrorResponse, PeerUnavailable, MessageMalformed: Zoom refused or failed.
        UsageError: there is no token.
    """
    secret = _token(refresh_token)
    token_set = yield from _with_each_secret(
        app, lambda client: exchange.refresh(app.server, client, secret)
    )
    return tokens_of(app, token_set)


def revoke(app: App, token: str) -> Exchange[None]:
    """Revoke a token.

    Raises:
        TokenErrorResponse, PeerUnavailable, MessageMalformed: Zoom refused or failed.
        UsageError: there is no token.
    """
    secret = _token(token)
    yield from _with_each_secret(app, lambda client: exchange.revoke(app.server, client, secret))


def owner_of(app: App, tokens: Tokens) -> Exchange[ZoomPerson]:
    """Read the owner of an access token from an allowed host.

    Raises:
        ResourceErrorResponse, PeerUnavailable, MessageMalformed: Zoom refused or failed.
    """
    response = yield build_user_request(
        app.api_server(tokens.api_server), access_token=Secret(tokens.access_token)
    )
    user = parse_user(response, now=app.now())
    return ZoomPerson(user.user_id, user.account_id, user.email, user.display_name)


def tokens_of(app: App, token_set: TokenSet) -> Tokens:
    """Return the tokens of a response, for one of the allowed hosts."""
    refresh_token = token_set.refresh_token
    return Tokens(
        access_token=token_set.access_token.reveal(),
        refresh_token=None if refresh_token is None else refresh_token.reveal(),
        expires_at=app.now() + token_set.expires_in,
        scopes=tuple(sorted(token_set.scopes or ())),
        api_server=app.api_server(token_set.api_url),
    )


def _token(text: str) -> Secret:
    if type(text) is not str or not text:
        raise errors.UsageError(
            "the token is missing", remedy="Pass tokens.refresh_token or tokens.access_token."
        )
    return Secret(text)


def _recognise(
    app: App, raw_query: bytes, cookies: Sequence[tuple[str, str]]
) -> tuple[PendingAuthorization, AuthorizationResponse]:
    """Find the flow of this browser, without I/O: random requests end here."""
    try:
        response = parse_authorization_response(raw_query)
        if response.state is None and response.error is None:
            raise StatelessCode(app.start_url)
        if response.state is None:
            raise StateMismatch("an error response has no state")
        return open_pending(app, state=response.state, cookies=cookies), response
    except errors.MessageMalformed as error:
        raise ResponseInvalid(error.detail) from None
    except InstallRefused:
        raise
    except errors.AuthorizationExpired as error:
        raise AuthorizationExpired(error.detail) from None
    except errors.StateMismatch as error:
        raise StateMismatch(error.detail, reason=getattr(error, "reason", "")) from None


def _validate(
    app: App, pending: PendingAuthorization, response: AuthorizationResponse
) -> ValidatedAuthorizationResponse | errors.AuthorizationErrorResponse:
    """Validate the response; a refusal at Zoom is returned, because it uses up the state, too."""
    clear = deleted(pending.cookie_name)
    try:
        return validate_authorization_response(
            response, pending.request, server=app.server, now=app.now()
        )
    except errors.AuthorizationErrorResponse as error:
        return error
    except errors.AuthorizationExpired as error:
        raise AuthorizationExpired(error.detail, set_cookie=clear) from None
    except errors.IssuerMismatch as error:
        raise IssuerMismatch(error.detail, set_cookie=clear) from None
    except errors.StateMismatch as error:
        raise StateMismatch(error.detail) from None
    except errors.AuthorizationResponseInvalid as error:
        raise ResponseInvalid(error.detail, set_cookie=clear) from None


def _use_state(app: App, pending: PendingAuthorization) -> Steps[None]:
    """Have the state stored before anything is sent to Zoom."""
    state_hash = used_state_hash(pending.request.state).hex()
    stored = yield UseState(state_hash, app.now() + USED_STATE_SECONDS)
    if isinstance(stored, Exception):
        raise StateStoreUnavailable(f"use_state raised {type(stored).__name__}") from stored
    if stored is False:
        raise StateUsed("the state was used", set_cookie=deleted(pending.cookie_name))
    if stored is not True:
        raise StateStoreUnavailable(f"use_state returned {type(stored).__name__}, not a bool")


def _with_each_secret(app: App, begin: Callable[[Client], Exchange[T]]) -> Exchange[T]:
    """Repeat an exchange with the next older client secret while Zoom refuses the client itself.

    Zoom checks the client before it looks at a code or a token, so neither is used up.
    """
    *newer, oldest = app.clients
    for client in newer:
        try:
            return (yield from begin(client))
        except errors.TokenErrorResponse as error:
            if error.error != "invalid_client":
                raise
    return (yield from begin(oldest))


def _refused_by_zoom(error: errors.ParaphError, clear: str) -> InstallRefused:
    if isinstance(error, errors.InvalidGrant):
        return CodeRefused(error.detail, set_cookie=clear)
    if isinstance(error, errors.TokenErrorResponse) and error.error in _MISCONFIGURED:
        return SiteMisconfigured(error.detail, set_cookie=clear)
    if isinstance(error, errors.TransportError) and error.cause:
        if not Cause(error.cause).may_pass:
            return SiteMisconfigured(error.detail, remedy=error.remedy, set_cookie=clear)
        return ZoomUnavailable(error.detail, remedy=error.remedy, set_cookie=clear)
    return ZoomUnavailable(error.detail, set_cookie=clear)


def _demand_scopes(app: App, tokens: Tokens, owner: ZoomPerson, clear: str) -> None:
    missing = sorted(app.required_scopes.difference(tokens.scopes))
    if missing:
        raise ScopesMissing(
            missing,
            granted=tokens.scopes,
            owner=(owner.account_id, owner.user_id),
            tokens=tokens,
            set_cookie=clear,
        )


def _proof(app: App, name: str) -> Proof:
    return Proof(name, app.now(), "paraph")
