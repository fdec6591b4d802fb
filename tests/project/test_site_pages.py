"""Every page of the documentation site in a browser: axe, two widths, and no other host."""

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
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Route,
    sync_playwright,
)

from programs import BROWSERS, need_program

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.browser]
# The pages at the top of the site, and those of each folder.
FOLDERS = ("", "tutorials", "how-to", "reference", "explanation", "examples", "project")
# Only the contrasts depend on the colours.
RULES: dict[str, dict[str, object]] = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
# A diagram is drawn in its own shadow tree; before that the page shows its source in a `pre`.
DRAWN = "() => !document.querySelector('pre.mermaid')"
# The menu slides in or out after a change of the width.
FITS = "width => document.documentElement.scrollWidth <= width"
# axe needs long for each element, and the longest pages repeat the same parts: their first ones do.
MOST_ELEMENTS = 3000
SHORTENED = """most => {
  const parts = [...document.querySelectorAll('article > *')];
  while (document.all.length > most && parts.length) parts.pop().remove();
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
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


def problems_of(page: Page, options: dict[str, object]) -> list[object]:
    """Return the widths at which an open page scrolls sideways, and the findings of axe."""
    found: list[object] = []
    page.wait_for_function(DRAWN)
    # Colours in the middle of a transition are those of no page.
    page.add_style_tag(content="*, ::before, ::after { transition: none !important; }")
    for width in (400, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        try:
            page.wait_for_function(FITS, arg=width, timeout=60_000)
        except Error:
            found.append(width)
    page.evaluate(SHORTENED, MOST_ELEMENTS)
    options = {"resultTypes": ["violations"], **options}
    violations = Axe().run(page, options=options).response["violations"]
    nodes = [[node["html"][:200] for node in one["nodes"][:3]] for one in violations]
    return [*found, *zip([one["id"] for one in violations], nodes, strict=True)]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used(
    site: Path, origin: str, browser: Browser, scheme: Literal["light", "dark"], folder: str
) -> None:
    """No page has findings of axe, scrolls sideways, fails, or needs another host to be drawn."""
    wrong: dict[str, list[object]] = {}
    with browser.new_context(color_scheme=scheme) as context:
        context.set_default_timeout(120_000)
        foreign = keep_from_other_hosts(context, origin)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.setdefault(page.url, []).append(str(error)))
        for file in (site / folder).glob("**/*.html" if folder else "*.html"):
            place = file.relative_to(site).as_posix()
            page.goto(f"{origin}/{place}")
            if found := problems_of(page, RULES[scheme]):
                wrong.setdefault(place, []).extend(found)
        # Requests of the last page may be under way.
        context.unroute_all(behavior="ignoreErrors")
    assert {} == wrong
    assert [] == foreign


def test_every_folder_is_walked(site: Path) -> None:
    """No page stands outside the walked folders."""
    walked = {file.relative_to(site).parts[0] for file in site.glob("*/**/*.html")}
    assert set(FOLDERS[1:]) == walked
