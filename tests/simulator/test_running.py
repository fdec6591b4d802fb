"""The app under test: served, installed and configured by a simulated Zoom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from paraph import SimulatedZoom
from paraph.errors import UsageError
from paraph.settings.loading import load_settings


def get(url: str) -> str:
    """The body of a page."""
    return httpx.get(url, trust_env=False).text


def wsgi(text: str) -> Any:
    """A WSGI application that answers with a text and the path."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        return [f"{text} {environ['PATH_INFO']}".encode()]

    return app


class Product:
    """An app without paraph: it starts at /connect, and /callback exchanges the code."""

    def __init__(self, registered: dict[str, str]) -> None:
        self.registered = registered
        self.profile: dict[str, Any] = {}
        self.is_up = False
        self.app = Starlette(
            routes=[Route("/connect", self.connect), Route("/callback", self.callback)],
            lifespan=self.lifespan,
        )

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Note that it runs."""
        self.is_up = True
        yield
        self.is_up = False

    async def connect(self, _request: Request) -> RedirectResponse:
        """To Zoom."""
        known = self.registered
        query = f"client_id={known['client_id']}&redirect_uri={known['redirect_uri']}"
        return RedirectResponse(f"{known['authorize_url']}?{query}", 303)

    async def callback(self, request: Request) -> PlainTextResponse:
        """Back from Zoom."""
        known = self.registered
        form = {"grant_type": "authorization_code", "code": request.query_params["code"]}
        async with httpx.AsyncClient(trust_env=False) as client:
            tokens = await client.post(
                known["token_url"],
                data={**form, "redirect_uri": known["redirect_uri"]},
                auth=(known["client_id"], known["client_secret"]),
            )
            bearer = {"authorization": f"Bearer {tokens.json()['access_token']}"}
            self.profile = (await client.get(f"{known['api_url']}/users/me", headers=bearer)).json()
        return PlainTextResponse("installed")


def test_any_app_is_installed_in_one_call(simulated_zoom: SimulatedZoom) -> None:
    """`install` starts the app, consents as the user, and returns the page where it ends."""
    product = Product(simulated_zoom.registration(redirect="/callback"))
    page = simulated_zoom.install(product.app, "ravi@example.com", start="/connect")
    assert (200, "installed", "/callback") == (page.status_code, page.text, page.url.path)
    assert "ravi@example.com" == product.profile["email"]
    assert product.is_up
    url = f"{simulated_zoom.app_url}/connect"
    assert "installed" == simulated_zoom.install(url).text
    assert "jane@example.com" == product.profile["email"]
    simulated_zoom.release()
    assert not product.is_up


def test_an_install_that_does_not_reach_zoom_says_where_it_ended(
    simulated_zoom: SimulatedZoom,
) -> None:
    """The error names the page and its status, and the consent setting is as before."""
    simulated_zoom.consent("approve")
    with pytest.raises(UsageError, match=r"/install .* status 404") as raised:
        simulated_zoom.install(Product({}).app)
    assert "sign in first" in raised.value.remedy
    assert "approve" == simulated_zoom.simulator.consent.auto


def test_a_wsgi_app_is_served(simulated_zoom: SimulatedZoom) -> None:
    """The address is known beforehand, another app takes it over, and the end frees it."""
    url = simulated_zoom.app_url
    first = wsgi("first")
    assert url == simulated_zoom.serve(first) == simulated_zoom.serve(first)
    assert "first /a" == get(f"{url}/a")
    simulated_zoom.serve(wsgi("second"))
    assert "second /a" == get(f"{url}/a")
    simulated_zoom.release()
    with pytest.raises(httpx.ConnectError):
        get(url)


def test_an_app_that_does_not_start_is_an_error(simulated_zoom: SimulatedZoom) -> None:
    """The exception of its lifespan is the cause."""

    @asynccontextmanager
    async def broken(app: Starlette) -> AsyncIterator[None]:
        if app.routes == []:
            raise ValueError("no database")
        yield

    with pytest.raises(RuntimeError, match="did not start") as raised:
        simulated_zoom.serve(Starlette(lifespan=broken))
    assert "no database" == str(raised.value.__cause__)
    assert "up /" == get(simulated_zoom.serve(wsgi("up")) + "/")


def test_settings_fit_and_register_the_app(
    simulated_zoom: SimulatedZoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`environment` is a complete configuration; overrides win; the URLs are registered."""
    given = simulated_zoom.environment(linking="none", app_name="Tidemark")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (simulated_zoom.app_url, "Tidemark") == (settings.public_url, settings.app_name)
    assert simulated_zoom.app.redirect_uris[1] == settings.redirect_uri
    assert f"{simulated_zoom.app_url}/webhook" == simulated_zoom.app.event_url
    below = simulated_zoom.settings(prefix="/zoom", public_url="http://127.0.0.1:7")
    assert "/zoom" == below["prefix"]
    assert "http://127.0.0.1:7/zoom/oauth/redirect" == simulated_zoom.app.redirect_uris[1]
    assert "http://127.0.0.1:7/zoom/webhook" == simulated_zoom.app.deauthorization_url


def test_waiting_ends(simulated_zoom: SimulatedZoom) -> None:
    """`wait_until` returns once its condition holds, and raises when it never does."""
    simulated_zoom.wait_until(iter([False, 0, "yes"]).__next__)
    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        simulated_zoom.wait_until(lambda: False, seconds=0.05)


class TestTheNextTest:
    """Nothing of one test reaches the next one."""

    urls: ClassVar[list[str]] = []

    def test_one_serves(self, simulated_zoom: SimulatedZoom) -> None:
        """An app is served and registered."""
        self.urls.append(simulated_zoom.serve(wsgi("left over")))
        simulated_zoom.registration(redirect="/mine")

    def test_the_next_is_fresh(self, zoom: SimulatedZoom) -> None:
        """The app is gone and so is its registration; the short name is the same fixture."""
        assert zoom.app.redirect_uris[0].endswith("/marketplace")
        for url in self.urls:
            with pytest.raises(httpx.ConnectError):
                get(url)
