"""Every page of the documentation site in a browser: axe, narrow and wide windows, no other host."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from programs import BROWSERS, need_program

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.browser]
# A diagram is drawn in its own shadow tree; before that the page shows its source in a `pre`.
DRAWN = "() => !document.querySelector('pre.mermaid')"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    return folder


@pytest.fixture(scope="module")
def origin(site: Path) -> Iterator[str]:
    """The origin of the served site."""
    handler = partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, if it is installed."""
    found = need_program(*BROWSERS)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield made
        made.close()


def keep_from_other_hosts(context: BrowserContext, origin: str) -> list[str]:
    """Refuse requests to other hosts; return the list that collects them."""
    foreign: list[str] = []

    def decide(route: Route) -> None:
        if route.request.url.startswith((origin, "data:", "blob:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    context.route("**/*", decide)
    return foreign


def too_wide(page: Page) -> list[int]:
    """Return the window widths at which the page scrolls sideways."""
    found = []
    for width in (400, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(width)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used(
    site: Path, origin: str, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    """axe finds nothing, no page scrolls sideways, and every diagram is drawn without a network."""
    wrong: list[object] = []
    with browser.new_context(color_scheme=scheme) as context:
        context.set_default_timeout(300_000)
        foreign = keep_from_other_hosts(context, origin)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append((page.url, str(error))))
        for file in sorted(site.rglob("*.html")):
            place = file.relative_to(site).as_posix()
            page.goto(f"{origin}/{place}")
            page.wait_for_function(DRAWN)
            wrong += [(place, width) for width in too_wide(page)]
            for one in Axe().run(page).response["violations"]:
                nodes = [node["html"][:200] for node in one["nodes"][:3]]
                wrong.append((place, one["id"], nodes))
    assert [] == wrong
    assert [] == foreign
