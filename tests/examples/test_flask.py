"""The Flask product: a stranger's way through it, in a browser, and the attacks on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page

from examples.attacked import check_product
from examples.in_browser import install_in_browser
from examples.products import EXAMPLES, Example, running, walk_through
from paraph.simulator.running import SimulatedZoom

PRODUCT = Example(
    "flask",
    (
        *("{python}", "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--no-control-socket"),
        *("--workers", "2", "--threads", "8", "app:app"),
    ),
    folder=EXAMPLES / "flask",
    environment={"SECRET_KEY": "pL0_made-up-for-a-test", "DATABASE": "{folder}/tidemark.db"},
    prefix="/zoom",
)


@pytest.mark.slow
def test_everything_works_as_its_page_says(simulated_zoom: SimulatedZoom, tmp_path: Path) -> None:
    """Denied, connected, an event, a dead grant, a removal, a disconnection."""
    with running(PRODUCT, simulated_zoom, tmp_path) as product:
        walk_through(product)


@pytest.mark.browser
@pytest.mark.slow
def test_a_browser_connects(simulated_zoom: SimulatedZoom, tmp_path: Path, page: Page) -> None:
    """Chromium keeps the cookies, follows the form and its redirects, and shows both accounts."""
    with running(PRODUCT, simulated_zoom, tmp_path) as product:
        install_in_browser(product, page)


@pytest.mark.every_attack
@pytest.mark.slow
def test_every_attack_fails() -> None:
    """`paraph check` finds no failure."""
    # Without a proxy that buffers bodies, each of its 200 stalled senders occupies a thread. And it
    # begins once the port is open: with --preload the workers are there soon after.
    command = tuple("250" if part == "8" else part for part in PRODUCT.command)
    attacked = replace(PRODUCT, command=(*command, "--preload"), connect="/zoom/start")
    assert [] == check_product(attacked)


def test_the_tutorial_shows_this_product() -> None:
    """The file that the tutorial writes is the one that is tested here."""
    tutorial = (EXAMPLES.parent / "docs" / "tutorials" / "flask.md").read_text()
    assert f"cat > app.py <<'EOF'\n{(PRODUCT.folder / 'app.py').read_text()}EOF\n" in tutorial
