"""A running app shows its URLs to a browser that follows its links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from paraph.checks.harness.listener import Listener
from paraph.checks.init.running_app import read_app
from paraph.checks.init.target_file import Facts, target_text
from paraph.checks.target import load_target
from paraph.errors import ConfigurationError

ASKED = (
    "http://localhost:8123/oauth/authorize?client_id=abc&redirect_uri=http%3A%2F%2Fx%2Fzoom%2Fcb"
)


async def front(_request: Request) -> Response:
    """A page with a link to the settings, and one that signs out."""
    return HTMLResponse('<a href="/logout">x</a> <a href="/settings">Settings</a>')


async def settings(_request: Request) -> Response:
    """A page with a button to the start."""
    return HTMLResponse('<a class="btn" href="/integrations/zoom/begin">Connect Zoom</a>')


async def begin(_request: Request) -> Response:
    """A start that nobody would guess."""
    return RedirectResponse(ASKED)


async def brackets(_request: Request) -> Response:
    """A page with links that no program can take apart, and one to an authorization page."""
    asked = "http://localhost:8123/oauth/authorize?redirect_uri=http://[::1"
    return HTMLResponse(f'<a href="x://[a">x</a> <a href="http://[b">x</a> <a href="{asked}">x</a>')


async def events(_request: Request) -> Response:
    """A webhook that fails at an event without its fields, as tutorials do."""
    return PlainTextResponse("KeyError", 500)


async def sign_out(_request: Request) -> Response:
    """A link that must not be followed."""
    raise AssertionError


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The URL of an app whose start is two links away from its front page."""
    routes = [
        Route("/", front),
        Route("/settings", settings),
        Route("/integrations/zoom/begin", begin),
        Route("/zoom/events", events, methods=["POST"]),
        Route("/account", front),
        Route("/logout", sign_out),
        Route("/brackets", brackets),
    ]
    listener = Listener(Starlette(routes=routes), host="127.0.0.1")
    listener.start()
    yield listener.url
    listener.stop()


def test_links_lead_to_the_start_and_the_redirect_uri(base: str) -> None:
    """The authorization request names the redirect URI, the client id and Zoom's port."""
    found = read_app(base)
    assert ("/integrations/zoom/begin", "/zoom/cb") == (found.start, found.redirect)
    assert ("abc", 8123, False) == (found.client_id, found.zoom_port, found.knows_zoom_only)


def test_a_path_whose_post_differs_from_an_absent_one_is_the_webhook(base: str) -> None:
    """A webhook that does not verify signatures is found too."""
    found = read_app(base)
    assert ("/zoom/events", ["/account"]) == (found.webhook, found.pages)


def test_links_that_are_no_urls_are_passed_over(base: str) -> None:
    """A broken link does not end the search, and a broken redirect URI is unknown."""
    found = read_app(f"{base}/brackets")
    assert ("/brackets", "") == (found.start, found.redirect)


@pytest.mark.parametrize("url", ["http://10.255.255.1", "http://127.0.0.1:9"])
def test_an_app_that_cannot_be_looked_at_is_named(url: str) -> None:
    """Only a running app on this machine is looked at."""
    with pytest.raises(ConfigurationError, match=url):
        read_app(url)


def test_an_app_that_knows_zooms_address_only_must_be_started_by_the_check(tmp_path: Path) -> None:
    """Only a process that the check starts sees the simulator: the file asks for a command."""
    file = tmp_path / "app.toml"
    text = target_text(Facts(base="http://127.0.0.1:1", redirect="/cb", knows_zoom_only=True))
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match="say how to start the app"):
        load_target(file)
    file.write_text(text.replace("command = []", 'command = ["node", "app.js"]'), "utf-8")
    target = load_target(file)
    assert (True, "") == (target.impersonate, target.urls.base)
