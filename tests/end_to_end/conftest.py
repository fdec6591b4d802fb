"""One demo of each kind of linking for a module, and a browser where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from end_to_end.running_demo import RunningDemo, start_demo
from programs import BROWSERS, need_program

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Patient: what is slow on a busy machine is not wrong.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def host_demo() -> Iterator[RunningDemo]:
    """A demo with linking to the host's accounts."""
    demo = start_demo("host")
    yield demo
    demo.stop()


@pytest.fixture(scope="module")
def plain_demo() -> Iterator[RunningDemo]:
    """A demo without linking."""
    demo = start_demo("none")
    yield demo
    demo.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium.

    For a module, not for the session: Playwright keeps an event loop running in this thread,
    beside which no asynchronous test could run.
    """
    found = need_program(*BROWSERS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser profile with one page."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()
