"""The token and revocation endpoints (RFC 6749 sections 4.1.3, 5 and 6; RFC 7009).

Client authentication is HTTP Basic. Parameters are sent in the body only, because URLs are logged.
Responses are parsed strictly. Of an error, only registered codes and Zoom's documented numbers are
kept, because Zoom's error text repeats the code that it refused.

Unusual but unambiguous values are accepted: a lifetime as a string of digits or with a fraction,
scopes as a list, null for an absent member. Any other response to a code is refused. A refresh
response is the only copy of the next refresh token. So an unreadable lifetime or scope list, or a
missing token type, does not end the grant there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

from paraph.errors import (
    InvalidGrant,
    MessageMalformed,
    PeerUnavailable,
    TokenErrorResponse,
    UsageError,
)
from paraph.oauth.authorization_response import ValidatedAuthorizationResponse
from paraph.oauth.messages import Request, Response
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.secret import Secret
from paraph.strict_json import parse_json_object

# RFC 6749 section 5.1 only recommends `expires_in`. Too short a default costs a refresh, too long
# a default a 401.
DEFAULT_EXPIRES_IN = 1800
MAX_EXPIRES_IN = 10 * 365 * 86400
MAX_TOKEN = 8192

T = TypeVar("T")

_TOKEN = re.compile(rf"[\x21-\x7e]{{1,{MAX_TOKEN}}}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_ERRORS = frozenset(
    {
        "authorization_pending",
        "access_denied",
        "expired_token",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "slow_down",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_token_type",
    }
)
# Zoom's documented numbers of token errors, which its error text may contain.
_ZOOM_NUMBER = re.compile(r"(?<![0-9])4,?7[0-4][0-9](?![0-9])")
# Numbers that mean an invalid grant, whatever RFC 6749 error accompanies them: the user is deleted,
# or the token is unknown, disabled, used too often, or superseded.
_DEAD_GRANT = frozenset({"4735", "4737", "4738", "4740", "4741"})


@dataclass(frozen=True, slots=True)
class TokenSet:
    """A successful token response (RFC 6749 section 5.1).

    Attributes:
        access_token: sent to the resource server.
        refresh_token: valid for one use; None without one.
        expires_in: seconds from the response.
        scopes: the granted scopes; None if the response names none.
        api_url: the resource server that Zoom names, unchecked.
        issued_at_server: the response's `Date` in epoch seconds; None if it is missing.
    """

    access_token: Secret
    refresh_token: Secret | None
    expires_in: int
    scopes: frozenset[str] | None
    api_url: str | None
    issued_at_server: int | None


def build_token_request(
    server: AuthorizationServer, client: Client, validated: ValidatedAuthorizationResponse
) -> Request:
    """Build the token request for a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

    Raises:
        UsageError: the response was not validated, or belongs to another client or redirect URI.
    """
    if not isinstance(validated, ValidatedAuthorizationResponse):
        raise UsageError("a token request is built from a validated response only")
    request = validated.request
    if (request.client_id, request.redirect_uri, request.issuer) != (
        client.client_id,
        client.redirect_uri,
        server.issuer,
    ):
        raise UsageError("the response belongs to another client, redirect URI or server")
    return build_client_request(
        server.token_endpoint,
        client,
        {
            "grant_type": "authorization_code",
            "code": validated.code.reveal(),
            "redirect_uri": request.redirect_uri,
            "code_verifier": request.code_verifier.reveal(),
        },
    )


def build_refresh_request(
    server: AuthorizationServer, client: Client, *, refresh_token: Secret
) -> Request:
    """Build the refresh request (RFC 6749 section 6)."""
    return build_client_request(
        server.token_endpoint,
        client,
        {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()},
    )


def build_revocation_request(
    server: AuthorizationServer, client: Client, *, token: Secret
) -> Request:
    """Build the revocation request (RFC 7009 section 2.1)."""
    return build_client_request(server.revocation_endpoint, client, {"token": token.reveal()})


def build_client_request(url: str, client: Client, parameters: dict[str, str]) -> Request:
    """Build a form with client authentication. Only probes build a token request by it directly."""
    # Id and secret are form-encoded before Basic joins them (RFC 6749 section 2.3.1). Zoom's have
    # only letters, digits, "_" and "-", which stay unchanged.
    name, password = quote_plus(client.client_id), quote_plus(client.client_secret.reveal())
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode("ascii")
    return Request(
        "POST",
        url,
        (
            ("authorization", f"Basic {credentials}"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "application/json"),
        ),
        urlencode(parameters).encode("ascii"),
    )


def parse_token_response(response: Response) -> TokenSet:
    """Parse a token response (RFC 6749 sections 5.1 and 5.2).

    Raises:
        InvalidGrant: the code or the refresh token is not valid any more.
        TokenErrorResponse: the server refused for another reason.
        PeerUnavailable: 5xx or 429.
        MessageMalformed: the response is not a valid token response.
    """
    content = _content(response)
    token_type = content.get("token_type")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise MessageMalformed("the token type is not bearer")
    return _token_set(response, content, expires_in=_expires_in(content), scopes=_scopes(content))


def parse_refresh_response(response: Response, *, previous: Secret) -> TokenSet:
    """Parse a refresh response (RFC 6749 section 6).

    Without a new refresh token, `previous` is kept. The response is the only copy of a rotated
    token, so an unreadable lifetime or scope list counts as absent. A missing token type counts as
    bearer.

    Raises:
        InvalidGrant: the refresh token is not valid any more.
        TokenErrorResponse: the server refused for another reason.
        PeerUnavailable: 5xx or 429.
        MessageMalformed: the response is not a valid token response.
    """
    content = _content(response)
    token_type = content.get("token_type")
    if isinstance(token_type, str) and token_type.lower() not in {"", "bearer"}:
        raise MessageMalformed("the token type is not bearer")
    token_set = _token_set(
        response,
        content,
        expires_in=_or_absent(_expires_in, content, DEFAULT_EXPIRES_IN),
        scopes=_or_absent(_scopes, content, None),
    )
    return token_set if token_set.refresh_token else replace(token_set, refresh_token=previous)


def parse_revocation_response(response: Response) -> None:
    """Return if the token is revoked (RFC 7009 section 2.2).

    A token that the server does not know counts as revoked: the RFC requires 200, Zoom sends
    400 or 401. Wrong client credentials do not count as that.

    Raises:
        PeerUnavailable: 5xx or 429.
        TokenErrorResponse: the server refused for another reason.
        MessageMalformed: the response has another status, or no reason.
    """
    if response.status == 200:
        return
    error = _refusal(response)
    dead = isinstance(error, TokenErrorResponse) and error.error in {
        "invalid_grant",
        "invalid_request",
        "invalid_token",
    }
    if not dead:
        raise error


def _refusal(response: Response) -> Exception:
    if response.status == 429 or response.status >= 500:
        return PeerUnavailable(response.status)
    if response.status not in {400, 401, 403}:
        return MessageMalformed(f"the token endpoint answered {response.status}")
    try:
        content = parse_json_object(_json_body(response))
    except MessageMalformed:
        return MessageMalformed(f"the token endpoint answered {response.status} without its reason")
    error, reason = content.get("error"), content.get("reason")
    reason = reason if isinstance(reason, str) else ""
    number = _zoom_number(reason, content.get("errorCode"), content.get("code"))
    detail = f"Zoom error {number}" if number else ""
    # Zoom's older responses use invalid_request for an invalid code or refresh token.
    dead = error == "invalid_request" and (
        reason.startswith(("Invalid authorization code", "Invalid Token!"))
    )
    if error == "invalid_grant" or dead or number in _DEAD_GRANT:
        return InvalidGrant(detail)
    if error == "invalid_token" or content.get("code") == 124:
        return TokenErrorResponse("invalid_token", detail)
    known = error if isinstance(error, str) and error in _ERRORS else "unknown"
    return TokenErrorResponse(known, detail)


def _zoom_number(reason: str, *codes: object) -> str:
    """Return the first of Zoom's numbers in an error text or in a separate member."""
    for text in (reason, *(str(one) for one in codes if isinstance(one, int | str))):
        found = _ZOOM_NUMBER.search(text[:1000])
        if found:
            return found[0].replace(",", "")
    return ""


def _content(response: Response) -> dict[str, Any]:
    if response.status not in {200, 201}:
        raise _refusal(response)
    # Senders must not add a byte order mark; receivers may ignore one (RFC 8259 section 8.1).
    return parse_json_object(_json_body(response).removeprefix(b"\xef\xbb\xbf"))


def _token_set(
    response: Response,
    content: dict[str, Any],
    *,
    expires_in: int,
    scopes: frozenset[str] | None,
) -> TokenSet:
    has_refresh_token = content.get("refresh_token") not in {None, ""}
    api_url = content.get("api_url")
    return TokenSet(
        access_token=_token(content, "access_token"),
        refresh_token=_token(content, "refresh_token") if has_refresh_token else None,
        expires_in=expires_in,
        scopes=scopes,
        api_url=api_url if isinstance(api_url, str) else None,
        issued_at_server=response.date(),
    )


def _or_absent(read: Callable[[dict[str, Any]], T], content: dict[str, Any], absent: T) -> T:
    try:
        return read(content)
    except MessageMalformed:
        return absent


def _json_body(response: Response) -> bytes:
    media_type = (response.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise MessageMalformed("the response is not JSON")
    return response.body


def _token(content: dict[str, Any], name: str) -> Secret:
    value = content.get(name)
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise MessageMalformed(f"{name} is missing or does not have the form of a token")
    return Secret(value)


def _expires_in(content: dict[str, Any]) -> int:
    value = content.get("expires_in")
    if value is None:
        return DEFAULT_EXPIRES_IN
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    # bool is an int in Python.
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise MessageMalformed("expires_in is not a number of seconds")
    if not 1 <= value <= MAX_EXPIRES_IN:
        raise MessageMalformed("expires_in is out of range")
    return int(value)


def _scopes(content: dict[str, Any]) -> frozenset[str] | None:
    value = content.get("scope")
    names = value.split(" ") if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MessageMalformed("scope is neither a string nor a list of strings")
    named = [name for name in names if name]
    if not all(_SCOPE.fullmatch(name) for name in named):
        raise MessageMalformed("scope contains invalid characters")
    return frozenset(named) if named else None
