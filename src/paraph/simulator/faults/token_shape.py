"""Faults of the token response's shape: successes that a client should not accept unchanged.

`token_dialect` has unusual forms that OAuth providers really use.
"""

from __future__ import annotations

from paraph.simulator.response import Answer
from paraph.simulator.state.fault_registry import check, fault

check(
    "token_claims_of_another",
    "The access token's claims name another user; the API still answers for the real one.",
)
check("token_claims_other_client", "The access token's claims name another client.")


@fault("token")
def token_type_unknown(answer: Answer, *, value: str = "mac") -> None:
    """The token type is `value`."""
    answer.change(token_type=value)


@fault("token")
def token_type_missing(answer: Answer) -> None:
    """The token type is left out."""
    answer.drop("token_type")


@fault("token")
def token_type_list(answer: Answer) -> None:
    """The token type is an empty list."""
    answer.change(token_type=[])


@fault("token")
def token_type_upper_case(answer: Answer) -> None:
    """The token type is `BEARER`, which is the same type (RFC 6749 5.1)."""
    answer.change(token_type="BEARER")


@fault("token")
def token_scope_missing(answer: Answer) -> None:
    """The response grants no scope at all."""
    answer.change(scope="")


@fault("token")
def token_scope_reduced(answer: Answer, *, scope: str = "user:read:user") -> None:
    """The response names only `scope`."""
    answer.change(scope=scope)


@fault("token")
def token_scope_absent(answer: Answer) -> None:
    """The response does not speak of scopes, as Zoom does shortly after an app is made."""
    answer.drop("scope")


@fault("token")
def token_api_url_hostile(answer: Answer, *, url: str = "http://169.254.169.254") -> None:
    """api_url names `url`, by default a metadata address."""
    answer.change(api_url=url)


@fault("token")
def token_api_url_absent(answer: Answer) -> None:
    """api_url is left out, as it was before 2024."""
    answer.drop("api_url")


@fault("token")
def token_access_token_missing(answer: Answer) -> None:
    """The access token is left out."""
    answer.drop("access_token")


@fault("token")
def token_access_token_null(answer: Answer) -> None:
    """The access token is null."""
    answer.change(access_token=None)


@fault("token")
def token_access_token_number(answer: Answer) -> None:
    """The access token is a number."""
    answer.change(access_token=12345)


@fault("token")
def token_access_token_header(answer: Answer) -> None:
    """The access token holds a line break and a header."""
    answer.change(access_token="token\r\nx-injected: 1")


@fault("token")
def token_refresh_token_missing(answer: Answer) -> None:
    """The refresh token is left out."""
    answer.drop("refresh_token")


@fault("token")
def token_expires_in_missing(answer: Answer) -> None:
    """expires_in is left out."""
    answer.drop("expires_in")


@fault("token")
def token_expires_in_text(answer: Answer) -> None:
    """expires_in is a string of digits."""
    answer.change(expires_in="3600")


@fault("token")
def token_expires_in_negative(answer: Answer) -> None:
    """expires_in is -1."""
    answer.change(expires_in=-1)


@fault("token")
def token_expires_in_huge(answer: Answer) -> None:
    """expires_in is 1e18."""
    answer.change(expires_in=10**18)


@fault("token")
def token_expires_in_nan(answer: Answer) -> None:
    """expires_in is NaN, which is no JSON."""
    answer.change(expires_in=float("nan"))


@fault("token")
def token_expires_in_short(answer: Answer, *, seconds: int = 5) -> None:
    """expires_in says `seconds`."""
    answer.change(expires_in=seconds)


@fault("token")
def token_array(answer: Answer) -> None:
    """The response stands in a list."""
    if answer.content() is not None:
        answer.body = b"[" + answer.body + b"]"


@fault("token")
def token_duplicate_key(answer: Answer) -> None:
    """The access token stands twice, with two values."""
    if answer.content() is not None:
        answer.body = answer.body[:-1] + b',"access_token":"another-access-token"}'


@fault("token")
def token_trailing_junk(answer: Answer) -> None:
    """The object is followed by another one."""
    answer.body += b"{}"


@fault("token")
def token_utf16(answer: Answer) -> None:
    """The response is written in UTF-16."""
    answer.body = answer.body.decode("utf-8", "replace").encode("utf-16")


@fault("token")
def token_truncated(answer: Answer) -> None:
    """The second half of the JSON text is missing."""
    answer.body = answer.body[: len(answer.body) // 2]


@fault("token")
def token_nested(answer: Answer, *, depth: int = 100_000) -> None:
    """The response holds `depth` lists within each other."""
    depth = min(max(depth, 0), 1_000_000)
    if answer.content() is not None:
        answer.body = answer.body[:-1] + b',"extra":' + b"[" * depth + b"]" * depth + b"}"


@fault("token")
def token_media_type(answer: Answer, *, value: str = "text/plain") -> None:
    """The response says that it is `value`."""
    answer.headers["content-type"] = value.encode("ascii", "ignore").decode().replace("\n", "")


@fault("token")
def token_error_200(answer: Answer) -> None:
    """An error comes with status 200."""
    answer.status = 200
    answer.body = b'{"reason":"Invalid Token!","error":"invalid_grant"}'
