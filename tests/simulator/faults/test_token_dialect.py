"""Token responses in the spellings of other providers: each fault does what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from simulator.plain_client import PlainClient

Holds = Callable[[httpx.Response], bool]
SCOPES = ["user:read:user", "meeting:read:meeting", "cloud_recording:read:recording"]


def says(name: str, value: Any) -> Holds:
    """A member of the response has this value, of this type."""
    return lambda a: (a.json()[name], type(a.json()[name])) == (value, type(value))


DIALECT: dict[str, Holds] = {
    "token_type_null": says("token_type", None),
    "token_type_capital": says("token_type", "Bearer"),
    "token_expires_in_float": says("expires_in", 3599.5),
    "token_expires_in_zero": says("expires_in", 0),
    "token_expires_in_null": says("expires_in", None),
    "token_scope_list": says("scope", SCOPES),
    "token_scope_null": says("scope", None),
    "token_scope_reordered": says("scope", "  ".join(reversed(SCOPES))),
    "token_refresh_token_null": says("refresh_token", None),
    "token_refresh_token_empty": says("refresh_token", ""),
    "token_extra_members": lambda a: {"id_token", "user", "ok", "created_at"} <= set(a.json()),
    "token_form_encoded": lambda a: parse_qs(a.text)["scope"] == [" ".join(SCOPES)],
    "token_byte_order_mark": lambda a: a.content.startswith(b"\xef\xbb\xbf{"),
    "token_indented": lambda a: a.text.endswith("\n}\n") and "access_token" in a.json(),
    "token_created": lambda a: a.status_code == 201,
}


@pytest.mark.parametrize("name", DIALECT)
def test_each_spelling(plain: PlainClient, name: str) -> None:
    """The fault spells one response its way; the refresh token that it gave out works."""
    tokens = plain.install()
    plain.zoom.simulator.faults.switch_on(name, {"times": 1})
    response = plain.refresh(tokens["refresh_token"])
    assert DIALECT[name](response)
    (grant,) = plain.zoom.simulator.ledger.grants.values()
    assert 200 == plain.refresh(grant.refresh_token).status_code


def test_a_reason_with_half_a_character(plain: PlainClient) -> None:
    """An error may end in a lone surrogate, written as an escape."""
    plain.zoom.simulator.faults.switch_on("token_refused_half_character", {"times": 1})
    response = plain.exchange(plain.code())
    assert (400, "invalid_grant") == (response.status_code, response.json()["error"])
    assert response.text.count("\\ud83d") == 1
