"""An operator before the pages of a running service: sign-in, a dead letter, its redelivery."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from end_to_end.running_demo import RunningDemo
from end_to_end.test_browser import consent
from end_to_end.test_console import _CONTRAST

pytestmark = pytest.mark.browser

_PAGES = (
    "events",
    "events?status=dead&name=meeting.ended",
    "events?user_id=unknown",
    "installations",
    "apps",
    "search",
    "search?id=unknown",
    "audit",
    "settings",
    "nowhere",
)
CAUSE = "peer_unavailable: the other side answered 503"


@pytest.fixture(scope="module")
def operated(plain_demo: RunningDemo, browser: Browser) -> RunningDemo:
    """A demo with an installation and an event of its account."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{plain_demo.service}/install")
    consent(page)
    expect(page.get_by_role("heading")).to_have_text("Installed")
    context.close()
    order = {
        "client_id": plain_demo.client_id,
        "event": "meeting.ended",
        "payload": {"account_id": "AbcDEFghiJKLmnoPQRst01", "object": {"topic": "canary-topic"}},
    }
    plain_demo.ask_zoom("POST", "/events", order)
    return plain_demo


def new_key(demo: RunningDemo) -> str:
    """As an operator makes it, where the service runs."""
    config = ("--config", str(demo.folder / "paraph.toml"))
    command = ("api-keys", "create", "--label", "operator", "--scope", "read", *config)
    done = subprocess.run(
        [sys.executable, "-m", "paraph.cli.main", *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def bury(demo: RunningDemo) -> None:
    """Let the event have died, as twelve attempts at a host that is down would end."""
    connection = sqlite3.connect(demo.folder / "paraph.db", timeout=30)
    try:
        for _ in range(300):
            with connection:
                done = connection.execute(
                    "UPDATE kept_events SET status = 'dead', attempts = 12, failure = ?,"
                    " handed_on_at = NULL WHERE name = 'meeting.ended' AND status != 'received'",
                    (CAUSE,),
                )
            if done.rowcount:
                return
            time.sleep(0.1)
    finally:
        connection.close()
    raise AssertionError("the event was not handed on")


def sign_in(page: Page, demo: RunningDemo, key: str, path: str = "/admin/") -> None:
    """Through the form."""
    page.goto(f"{demo.private}{path}")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
def test_a_dead_letter_is_redelivered_by_page(operated: RunningDemo, page: Page) -> None:
    """Sign in, see it and its cause, hand it on again, see it handed on, sign out."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    bury(operated)
    sign_in(page, operated, new_key(operated))
    expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    expect(page.locator(".backlog")).to_contain_text(
        re.compile(r"waiting\s*0.*dead letter\s*1", re.DOTALL)
    )
    page.get_by_role("link", name="Dead letters").click()
    expect(page.locator(".rows li")).to_have_count(1)
    expect(page.locator(".cause")).to_have_text(CAUSE)
    page.get_by_role("link", name="meeting.ended").click()
    expect(page.get_by_text(CAUSE)).to_be_visible()
    assert "canary-topic" not in page.content()

    page.get_by_role("button", name="Redeliver").click()
    expect(page.get_by_role("status")).to_have_text(
        "It will be delivered again, from the first attempt."
    )
    for _ in range(100):
        if page.locator("h1 + .badge").text_content() == "delivered":
            break
        page.wait_for_timeout(100)
        page.reload()
    expect(page.locator("h1 + .badge")).to_have_text("delivered")
    page.get_by_role("link", name="Audit").click()
    expect(page.locator(".entry", has_text="event.redelivered").first).to_be_visible()
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_role("status")).to_contain_text("The chain is whole")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto(f"{operated.private}/admin/events")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert [] == problems


@pytest.mark.slow
def test_all_that_are_shown_by_keyboard(operated: RunningDemo, page: Page) -> None:
    """Every dead letter of a page with one press, and nothing but a keyboard."""
    bury(operated)
    page.goto(f"{operated.private}/admin/")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(new_key(operated))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    page.goto(f"{operated.private}/admin/events?status=dead")
    page.get_by_role("button", name="Redeliver the one shown").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 event is being delivered again")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


@pytest.mark.slow
def test_a_revoked_key_ends_the_session(operated: RunningDemo, page: Page) -> None:
    """Revoked by command in another process, the next page is the form."""
    key = new_key(operated)
    sign_in(page, operated, key, "/admin/installations")
    expect(page.get_by_role("heading", level=1)).to_have_text("Installations")
    config = ("--config", str(operated.folder / "paraph.toml"))
    command = ("api-keys", "revoke", key.split("_")[1], *config)
    subprocess.run([sys.executable, "-m", "paraph.cli.main", *command], check=True)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def _press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_its_window_and_axe_finds_nothing(
    operated: RunningDemo, browser: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No page scrolls sideways; contrast, names and keyboard access are right (WCAG 2.2)."""
    bury(operated)
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, accept_downloads=True
    )
    page = context.new_page()

    def look() -> None:
        page.wait_for_load_state()  # A click returns before the stylesheet is there.
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width, page.url
        assert [] == page.evaluate(_CONTRAST), page.url
        found = Axe().run(page).response["violations"]
        assert [] == [(one["id"], one["nodes"][0]["html"]) for one in found], page.url

    sign_in(page, operated, "paraph_nothing")
    expect(page.get_by_role("alert")).to_contain_text("does not open these pages")
    look()
    sign_in(page, operated, new_key(operated))
    expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    for path in _PAGES:
        page.goto(f"{operated.private}/admin/{path}")
        look()
    page.goto(f"{operated.private}/admin/events")
    page.get_by_label("Id of an installation").fill("AbcDEFghiJKLmnoPQRst01")
    _press(page, "Find")
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    look()
    with page.expect_download():
        _press(page, "Export all data of this user")
    page.goto(f"{operated.private}/admin/events?status=dead")
    _press(page, "Pause forwarding")
    expect(page.get_by_text("Forwarding is paused")).to_be_visible()
    look()
    _press(page, "Resume")
    expect(page.get_by_text("Forwarding is paused")).to_be_hidden()
    page.goto(f"{operated.private}/admin/events?status=dead")
    page.get_by_role("link", name="meeting.ended").click()
    expect(page.locator("h1 + .badge")).to_be_visible()
    look()
    _press(page, "Redeliver")
    expect(page.get_by_role("status")).to_be_visible()
    look()
    context.close()
