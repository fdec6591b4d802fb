"""The Marketplace's listings: where their three links lead."""

from __future__ import annotations

import re

import httpx

from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import App


def links(zoom: SimulatedZoom, client_id: str) -> dict[str, httpx.URL]:
    """The links of a listing, by their words."""
    page = httpx.get(f"{zoom.url}/marketplace/{client_id}", trust_env=False)
    assert 200 == page.status_code
    found = re.findall(r'<a class="button[^"]*" href="([^"]*)">([^<]*)</a>', page.text)
    return {words: httpx.URL(url.replace("&amp;", "&")) for url, words in found}


def test_every_link_is_the_plain_authorization_url(simulated: SimulatedZoom) -> None:
    """Add, Local Test and Share carry no state and no challenge, and name the primary URI."""
    found = links(simulated, simulated.app.client_id)

    assert ["Add", "Local Test", "Share"] == list(found)
    for url in found.values():
        assert "/oauth/authorize" == url.path
        assert {
            "response_type": "code",
            "client_id": simulated.app.client_id,
            "redirect_uri": simulated.app.redirect_uris[0],
        } == dict(url.params)


def test_a_landing_page_app_is_added_on_its_own_site(simulated: SimulatedZoom) -> None:
    """Only Add goes to the landing page; without one there is no such link."""
    simulated.app.install_type = "LANDING_PAGE"
    assert ["Local Test", "Share"] == list(links(simulated, simulated.app.client_id))

    simulated.app.landing_url = "https://app.example/start"
    found = links(simulated, simulated.app.client_id)
    assert "https://app.example/start" == str(found["Visit Site to Add"])
    assert "/oauth/authorize" == found["Local Test"].path == found["Share"].path


def test_a_server_to_server_app_has_no_listing(simulated: SimulatedZoom) -> None:
    """Nobody can add it, so there is no such page; nor is there one of an unknown app."""
    server = App(kind="server-to-server", client_id="server", client_secret="a-long-secret")
    simulated.world.apps.append(server)
    for client_id in ("server", "nobody"):
        page = httpx.get(f"{simulated.url}/marketplace/{client_id}", trust_env=False)
        assert 404 == page.status_code
