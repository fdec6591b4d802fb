"""Settings that are valid alone and wrong together: clouds that mix, scopes that never come."""

from __future__ import annotations

from typing import Literal

import pytest

from paraph.settings.consistency import (
    REGIONAL_API_SERVERS,
    default_api_servers,
    mixed_clouds,
    never_granted,
)

GOVERNMENT, COMMERCIAL = "https://api.zoomgov.com", "https://api.zoom.us"


@pytest.mark.parametrize(
    ("authorization_server", "expected"),
    [
        ("https://zoom.us", REGIONAL_API_SERVERS),
        ("https://zoomgov.com", (GOVERNMENT,)),
        ("https://www.zoomgov.com", (GOVERNMENT,)),
        ("https://zoomgov.com.evil.example", REGIONAL_API_SERVERS),
        ("https://notzoomgov.com", REGIONAL_API_SERVERS),
        ("http://127.0.0.1:8100", REGIONAL_API_SERVERS),
        ("https://[", REGIONAL_API_SERVERS),
    ],
)
def test_each_cloud_has_its_own_api_hosts(
    authorization_server: str, expected: tuple[str, ...]
) -> None:
    """The authorization server decides which hosts may see a token by default."""
    assert expected == tuple(default_api_servers(authorization_server))


@pytest.mark.parametrize(
    ("authorization_server", "api_servers", "said"),
    [
        ("https://zoom.us", [COMMERCIAL, "https://eu01api.zoom.us"], ""),
        ("https://zoomgov.com", [GOVERNMENT], ""),
        ("http://127.0.0.1:8100", ["http://127.0.0.1:8100"], ""),
        ("http://127.0.0.1:8100", [COMMERCIAL], ""),
        ("https://zoomgov.com", [COMMERCIAL], "api_servers[0] belongs to Zoom's commercial cloud"),
        ("https://zoomgov.com", [GOVERNMENT, COMMERCIAL], "api_servers[1] belongs to Zoom's comm"),
        ("https://zoom.us", [GOVERNMENT], "api_servers[0] belongs to Zoom for Government"),
        ("https://zoom.us", ["https://API.ZOOMGOV.COM"], "api_servers[0] belongs to Zoom for G"),
        ("https://zoom.us", ["https://api.zoomgov.com."], "api_servers[0] belongs to Zoom for G"),
        ("http://127.0.0.1:1", [COMMERCIAL, GOVERNMENT], "api_servers[1] belongs to Zoom for G"),
    ],
)
def test_a_mixture_is_named(authorization_server: str, api_servers: list[str], said: str) -> None:
    """Each host of the other cloud is one line that says what to write."""
    problems = mixed_clouds(authorization_server, api_servers)
    assert bool(said) == bool(problems)
    assert "\n".join(problems).startswith(said)


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
