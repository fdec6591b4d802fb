"""Faults of the token response's form: unusual forms, seen from other OAuth providers.

Most of them are unambiguous. A client that refuses one must not do so silently: the response to a
refresh is the only copy of the next refresh token.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.fault_registry import fault


@fault("token")
def token_type_null(response: ResponseDraft) -> None:
    """The token type is null."""
    response.change(token_type=None)


@fault("token")
def token_type_capital(response: ResponseDraft) -> None:
    """The token type is `Bearer`, as most providers write it."""
    response.change(token_type="Bearer")


@fault("token")
def token_expires_in_float(response: ResponseDraft, *, seconds: float = 3599.5) -> None:
    """expires_in is a number with a fraction."""
    response.change(expires_in=seconds)


@fault("token")
def token_expires_in_zero(response: ResponseDraft) -> None:
    """expires_in is 0."""
    response.change(expires_in=0)


@fault("token")
def token_expires_in_null(response: ResponseDraft) -> None:
    """expires_in is null."""
    response.change(expires_in=None)


@fault("token")
def token_scope_list(response: ResponseDraft) -> None:
    """The scopes are a list of strings."""
    content = response.content() or {}
    response.change(scope=str(content.get("scope", "")).split())


@fault("token")
def token_scope_null(response: ResponseDraft) -> None:
    """The scope is null."""
    response.change(scope=None)


@fault("token")
def token_scope_reordered(response: ResponseDraft) -> None:
    """The scopes are in reverse order, with two spaces between them."""
    content = response.content() or {}
    response.change(scope="  ".join(reversed(str(content.get("scope", "")).split())))


@fault("token")
def token_refresh_token_null(response: ResponseDraft) -> None:
    """The refresh token is null."""
    response.change(refresh_token=None)


@fault("token")
def token_refresh_token_empty(response: ResponseDraft) -> None:
    """The refresh token is an empty string."""
    response.change(refresh_token="")


@fault("token")
def token_extra_members(response: ResponseDraft) -> None:
    """The response has members that no standard defines, some of them null."""
    response.change(id_token=None, created_at=1_790_000_000, user={"id": "another"}, ok=True)


@fault("token")
def token_form_encoded(response: ResponseDraft) -> None:
    """The response is form-encoded and says so, against RFC 6749 5.1."""
    content = response.content()
    if content is not None:
        fields = {name: value for name, value in content.items() if value is not None}
        form = "application/x-www-form-urlencoded"
        response.replace(response.status, urlencode(fields).encode(), form)


@fault("token")
def token_byte_order_mark(response: ResponseDraft) -> None:
    """The JSON text begins with a byte order mark."""
    if response.content() is not None:
        response.body = b"\xef\xbb\xbf" + response.body


@fault("token")
def token_indented(response: ResponseDraft) -> None:
    """The JSON text is indented and ends with a line end."""
    content = response.content()
    if content is not None:
        response.body = json.dumps(content, indent=2).encode() + b"\n"


@fault("token")
def token_created(response: ResponseDraft) -> None:
    """The token response has status 201."""
    if response.content() is not None:
        response.status = 201
