"""Responses of the service as values."""

from __future__ import annotations

import pytest

from paraph.client import types
from paraph.values import Claim, Replaced, ZoomIds


def test_a_response_is_parsed_by_its_fields() -> None:
    """Members are converted, also nested and optional ones; unknown ones are ignored."""
    zoom = {"user_id": "u", "account_id": "a"}
    claim = {
        "claim": "c",
        "subject": "s",
        "zoom": {**zoom, "email": "e", "display_name": "d", "new_member": 1},
        "scopes": ["one", "two"],
        "expires_at": 5,
        "replaces": [{"installation_id": "i", "subject": "s", "zoom": zoom}],
    }
    parsed = types.parser(Claim)(claim)
    assert ("one", "two") == parsed.scopes
    assert (Replaced("i", "s", ZoomIds("u", "a")),) == parsed.replaces
    verdict = {"whole": True, "entries": 2, "head": "h", "broken_at": None, "why": ""}
    assert types.Verdict(whole=True, entries=2, head="h", broken_at=None, why="") == types.parser(
        types.Verdict
    )(verdict)
    with pytest.raises(KeyError):
        types.parser(Claim)({"claim": "c"})


def test_an_installation_of_version_0_1_has_no_reason() -> None:
    """The missing member is an empty text."""
    zoom = {"user_id": "u", "account_id": "a", "email": "", "display_name": ""}
    found = types.installation_of(
        {"id": "i", "subject": "s", "phase": "active", "zoom": zoom, "scopes": []}
        | {"installed_at": 1, "proofs": [{"name": "state", "held_at": 1, "word": "paraph"}]}
    )
    assert ("", "state") == (found.reason, found.proofs[0].name)
