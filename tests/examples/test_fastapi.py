"""The FastAPI product: a stranger's way through it, in a browser, and the attacks on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from examples.attacked import check_product
from examples.in_browser import install_in_browser
from examples.products import EXAMPLES, Example, running, walk_through
from paraph.simulator.running import SimulatedZoom

PRODUCT = Example(
    "fastapi",
    ("{python}", "-m", "uvicorn", "app:app", "--http", "h11", "--port", "{port}"),
    folder=EXAMPLES / "fastapi",
    prefix="/zoom",
)


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
    assert [] == check_product(PRODUCT)
