"""Faults of the token response's shape: successes that a client should not accept unchanged.

`token_dialect` has the unusual forms that OAuth providers really use.
"""

from __future__ import annotations

from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.fault_registry import check, fault

check(
    "token_claims_of_another",
    "The access token's claims name another user; the API still acts for the real one.",
)
check("token_claims_other_client", "The access token's claims name another client.")


@fault("token")
def token_type_unknown(response: ResponseDraft, *, value: str = "mac") -> None:
    """The token type is `value`."""
    response.change(token_type=value)


@fault("token")
def token_type_missing(response: ResponseDraft) -> None:
    """The token type is left out."""
    response.drop("token_type")


@fault("token")
def token_type_list(response: ResponseDraft) -> None:
    """The token type is an empty list."""
    response.change(token_type=[])


@fault("token")
def token_type_upper_case(response: ResponseDraft) -> None:
    """The token type is `BEARER`, which is the same type (RFC 6749 5.1)."""
    response.change(token_type="BEARER")


@fault("token")
def token_scope_missing(response: ResponseDraft) -> None:
    """The response grants no scope at all."""
    response.change(scope="")


@fault("token")
def token_scope_reduced(response: ResponseDraft, *, scope: str = "user:read:user") -> None:
    """The response names only `scope`."""
    response.change(scope=scope)


@fault("token")
def token_scope_absent(response: ResponseDraft) -> None:
    """The response has no scope, as was seen from Zoom shortly after an app is created."""
    response.drop("scope")


@fault("token")
def token_api_url_hostile(response: ResponseDraft, *, url: str = "http://169.254.169.254") -> None:
    """api_url names `url`, by default a metadata address."""
    response.change(api_url=url)


@fault("token")
def token_api_url_absent(response: ResponseDraft) -> None:
    """api_url is left out, as it was before 2024."""
    response.drop("api_url")


@fault("token")
def token_access_token_missing(response: ResponseDraft) -> None:
    """The access token is left out."""
    response.drop("access_token")


@fault("token")
def token_access_token_null(response: ResponseDraft) -> None:
    """The access token is null."""
    response.change(access_token=None)


@fault("token")
def token_access_token_number(response: ResponseDraft) -> None:
    """The access token is a number."""
    response.change(access_token=12345)


@fault("token")
def token_access_token_header(response: ResponseDraft) -> None:
    """The access token contains a line break and a header."""
    response.change(access_token="token\r\nx-injected: 1")


@fault("token")
def token_refresh_token_missing(response: ResponseDraft) -> None:
    """The refresh token is left out."""
    response.drop("refresh_token")


@fault("token")
def token_expires_in_missing(response: ResponseDraft) -> None:
    """expires_in is left out."""
    response.drop("expires_in")


@fault("token")
def token_expires_in_text(response: ResponseDraft) -> None:
    """expires_in is a string of digits."""
    response.change(expires_in="3600")


@fault("token")
def token_expires_in_negative(response: ResponseDraft) -> None:
    """expires_in is -1."""
    response.change(expires_in=-1)


@fault("token")
def token_expires_in_huge(response: ResponseDraft) -> None:
    """expires_in is 1e18."""
    response.change(expires_in=10**18)


@fault("token")
def token_expires_in_nan(response: ResponseDraft) -> None:
    """expires_in is NaN, which is not JSON."""
    response.change(expires_in=float("nan"))


@fault("token")
def token_expires_in_short(response: ResponseDraft, *, seconds: int = 5) -> None:
    """expires_in is `seconds`."""
    response.change(expires_in=seconds)


@fault("token")
def token_array(response: ResponseDraft) -> None:
    """The response is inside a list."""
    if response.content() is not None:
        response.body = b"[" + response.body + b"]"


@fault("token")
def token_duplicate_key(response: ResponseDraft) -> None:
    """The access token appears twice, with two values."""
    if response.content() is not None:
        response.body = response.body[:-1] + b',"access_token":"another-access-token"}'


@fault("token")
def token_trailing_junk(response: ResponseDraft) -> None:
    """The object is followed by another one."""
    response.body += b"{}"


@fault("token")
def token_utf16(response: ResponseDraft) -> None:
    """The response is written in UTF-16."""
    response.body = response.body.decode("utf-8", "replace").encode("utf-16")


@fault("token")
def token_truncated(response: ResponseDraft) -> None:
    """The second half of the JSON text is missing."""
    response.body = response.body[: len(response.body) // 2]


@fault("token")
def token_nested(response: ResponseDraft, *, depth: int = 100_000) -> None:
    """The response has `depth` nested lists."""
    depth = min(max(depth, 0), 1_000_000)
    if response.content() is not None:
        response.body = response.body[:-1] + b',"extra":' + b"[" * depth + b"]" * depth + b"}"


@fault("token")
def token_media_type(response: ResponseDraft, *, value: str = "text/plain") -> None:
    """The content type of the response is `value`."""
    response.headers["content-type"] = value.encode("ascii", "ignore").decode().replace("\n", "")


@fault("token")
def token_error_200(response: ResponseDraft) -> None:
    """An error has status 200."""
    response.status = 200
    response.body = b'{"reason":"Invalid Token!","error":"invalid_grant"}'
