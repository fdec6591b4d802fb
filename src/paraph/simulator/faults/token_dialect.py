"""Faults of the token response's spelling: forms that other OAuth providers were seen to use.

Most of them are unambiguous. A client may refuse them, but not silently: the response to a refresh
is the only copy of the next refresh token.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

from paraph.simulator.response import Answer
from paraph.simulator.state.fault_registry import fault


@fault("token")
def token_type_null(answer: Answer) -> None:
    """The token type is null."""
    answer.change(token_type=None)


@fault("token")
def token_type_capital(answer: Answer) -> None:
    """The token type is `Bearer`, as most providers write it."""
    answer.change(token_type="Bearer")


@fault("token")
def token_expires_in_float(answer: Answer, *, seconds: float = 3599.5) -> None:
    """expires_in is a number with a fraction."""
    answer.change(expires_in=seconds)


@fault("token")
def token_expires_in_zero(answer: Answer) -> None:
    """expires_in is 0."""
    answer.change(expires_in=0)


@fault("token")
def token_expires_in_null(answer: Answer) -> None:
    """expires_in is null."""
    answer.change(expires_in=None)


@fault("token")
def token_scope_list(answer: Answer) -> None:
    """The scopes are a list of strings."""
    content = answer.content() or {}
    answer.change(scope=str(content.get("scope", "")).split())


@fault("token")
def token_scope_null(answer: Answer) -> None:
    """The scope is null."""
    answer.change(scope=None)


@fault("token")
def token_scope_reordered(answer: Answer) -> None:
    """The scopes stand in the reverse order, with two blanks between them."""
    content = answer.content() or {}
    answer.change(scope="  ".join(reversed(str(content.get("scope", "")).split())))


@fault("token")
def token_refresh_token_null(answer: Answer) -> None:
    """The refresh token is null."""
    answer.change(refresh_token=None)


@fault("token")
def token_refresh_token_empty(answer: Answer) -> None:
    """The refresh token is an empty string."""
    answer.change(refresh_token="")


@fault("token")
def token_extra_members(answer: Answer) -> None:
    """The response has members that no standard knows, some of them null."""
    answer.change(id_token=None, created_at=1_790_000_000, user={"id": "another"}, ok=True)


@fault("token")
def token_form_encoded(answer: Answer) -> None:
    """The response is form-encoded and says so, against RFC 6749 5.1."""
    content = answer.content()
    if content is not None:
        fields = {name: value for name, value in content.items() if value is not None}
        form = "application/x-www-form-urlencoded"
        answer.replace(answer.status, urlencode(fields).encode(), form)


@fault("token")
def token_byte_order_mark(answer: Answer) -> None:
    """The JSON text begins with a byte order mark."""
    if answer.content() is not None:
        answer.body = b"\xef\xbb\xbf" + answer.body


@fault("token")
def token_indented(answer: Answer) -> None:
    """The JSON text is indented and ends with a line end."""
    content = answer.content()
    if content is not None:
        answer.body = json.dumps(content, indent=2).encode() + b"\n"


@fault("token")
def token_created(answer: Answer) -> None:
    """The token response has status 201."""
    if answer.content() is not None:
        answer.status = 201
