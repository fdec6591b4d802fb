"""Zoom's two clouds: each has its own API hosts, and settings must not mix them."""

from __future__ import annotations

import pytest

from paraph.settings.clouds import REGIONAL_API_SERVERS, default_api_servers, mixed_clouds

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
