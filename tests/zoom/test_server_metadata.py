"""Where requests go: never where a token response alone says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import ConfigurationError
from paraph.oauth.roles import AuthorizationServer
from paraph.settings.clouds import REGIONAL_API_SERVERS
from paraph.zoom.server_metadata import api_server_for, zoom_authorization_server


@pytest.mark.parametrize("base_url", ["https://zoom.us", "https://zoom.us/"])
def test_endpoints_stand_below_the_base_url(base_url: str) -> None:
    """Zoom publishes no discovery document, so its three paths are known here."""
    expected = AuthorizationServer(
        issuer="https://zoom.us",
        authorization_endpoint="https://zoom.us/oauth/authorize",
        token_endpoint="https://zoom.us/oauth/token",
        revocation_endpoint="https://zoom.us/oauth/revoke",
        sends_issuer=False,
    )
    assert expected == zoom_authorization_server(base_url)


@pytest.mark.parametrize("server", REGIONAL_API_SERVERS)
def test_documented_servers_are_chosen_when_named(server: str) -> None:
    """A regional server that the settings allow is used for the grant that names it."""
    assert server == api_server_for(server, allowed=REGIONAL_API_SERVERS)


@pytest.mark.parametrize(
    "api_url",
    [
        "https://API-EU.zoom.us",
        "HTTPS://api-eu.zoom.us/",
        "https://api-eu.zoom.us:443",
        "https://api-eu.zoom.us:443/",
    ],
)
def test_an_origin_has_one_spelling(api_url: str) -> None:
    """Case, default port and trailing slash make no other origin (RFC 6454 section 4)."""
    assert api_server_for(api_url, allowed=REGIONAL_API_SERVERS) == "https://api-eu.zoom.us"


@pytest.mark.parametrize(
    "api_url",
    [
        None,
        "",
        "https://evil.example",
        "http://api-eu.zoom.us",
        "https://api-eu.zoom.us.evil.example",
        "https://evil.example/api-eu.zoom.us",
        "https://api-eu.zoom.us@evil.example",
        "https://evil.example@api-eu.zoom.us",
        "https://evil.example#@api-eu.zoom.us",
        "https://evil.example\\@api-eu.zoom.us",
        "https://api-eu.zoom.us:8443",
        "https://api-eu.zoom.us.",
        "https://api-eu.zoom.us/v2",
        "https://api-eu.zoom.us?x",
        "https://api-eu.zoom.us\n",
        "https://api-eu\t.zoom.us",
        " https://api-eu.zoom.us",
        "//api-eu.zoom.us",
        "api-eu.zoom.us",
        "https://api-eu.zoom.u\u017f",  # A long s, which folds to s.
        "http\u017f://api-eu.zoom.us",
        "https://127.0.0.1",
        "https://[::1]",
        "https://vanity.zoom.us",
        "https://xapi-eu.zoom.us",
        "file:///etc/passwd",
    ],
)
def test_a_hostile_api_url_leads_nowhere(api_url: str | None) -> None:
    """What is not exactly an allowed origin is ignored, and the preferred server is used."""
    assert api_server_for(api_url, allowed=REGIONAL_API_SERVERS) == "https://api.zoom.us"


def test_loopback_servers_work_when_allowed() -> None:
    """A simulated Zoom on this machine is an allowed origin like any other."""
    allowed = ["http://localhost:8100/", "http://[::1]:8100"]
    assert api_server_for("http://[::1]:8100", allowed=allowed) == "http://[::1]:8100"
    assert api_server_for(None, allowed=allowed) == "http://localhost:8100"


@pytest.mark.parametrize("allowed", [[], ["https://api.zoom.us/v2"], ["https://ok.example", "x"]])
def test_the_allowed_list_is_a_list_of_origins(allowed: list[str]) -> None:
    """An empty or misspelled list is the operator's mistake, and is said so."""
    with pytest.raises(ConfigurationError):
        api_server_for(None, allowed=allowed)


@given(st.text(max_size=60))
def test_any_named_host_gives_an_allowed_one(api_url: str) -> None:
    """No api_url makes a bearer go to a server outside the list."""
    assert api_server_for(api_url, allowed=REGIONAL_API_SERVERS) in REGIONAL_API_SERVERS
