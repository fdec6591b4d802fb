"""Scopes that can never be granted."""

from __future__ import annotations

from typing import Literal

import pytest

from paraph.settings.consistency import never_granted


@pytest.mark.parametrize(
    ("level", "scope", "instead"),
    [
        ("user", "user:read:user:admin", "user:read:user"),
        ("user", "meeting:read:admin", "meeting:read"),
        ("user", "report:read:admin", "report:read"),
        ("user", "user:read:user:master", "user:read:user"),
        ("account", "user:read:user", "user:read:user:admin"),
        ("account", "user:read", "user:read:admin"),
        ("account", "cloud_recording:read:recording", "cloud_recording:read:recording:admin"),
        ("account", "webinar:write", "webinar:write:admin"),
    ],
)
def test_a_scope_of_the_other_level_is_named_with_its_right_form(
    level: Literal["user", "account"], scope: str, instead: str
) -> None:
    """The sentence names the scope and the one to write instead."""
    (said,) = never_granted([scope], level=level)
    assert scope in said
    assert f"write {instead}," in said


@pytest.mark.parametrize(
    ("level", "scope"),
    [
        ("user", "user:read:user"),
        ("user", "zoomapp:inmeeting"),
        ("user", "imchat:bot"),
        ("account", "user:read:user:admin"),
        ("account", "user:read:user:master"),
        ("account", "meeting:read:admin"),
        ("account", "zoomapp:inmeeting"),
        ("account", "imchat:bot"),
        ("account", "marketplace:read:websocket_connection"),
        ("account", "user_profile"),
        ("account", "something:new"),
    ],
)
def test_only_what_is_certain_is_refused(level: Literal["user", "account"], scope: str) -> None:
    """A scope that may be granted at this level is no problem."""
    assert [] == list(never_granted([scope], level=level))
