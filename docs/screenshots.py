"""Takes the pictures: a demo with an installation, attacks withstood, its Zoom, its operators.

Each picture is taken in light and dark colours, on a desktop and on a phone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from end_to_end.conftest import ARGUMENTS  # noqa: E402 - The path comes first.
from end_to_end.running_demo import start_demo  # noqa: E402 - The same.
from end_to_end.test_browser import install_from_marketplace  # noqa: E402 - The same.
from end_to_end.test_operator_pages import bury, new_key, sign_in  # noqa: E402 - The same.
from programs import BROWSERS, need_program  # noqa: E402

IMAGES = ROOT / "docs" / "images"
PHONE = 400


def take(page: Page, name: str, *, width: int, height: int, full_page: bool = False) -> None:
    """Write NAME.png, NAME-dark.png, NAME-phone.png and NAME-phone-dark.png.

    Raises:
        SystemExit: the page is wider than its window.
    """
    for suffix, window in (("", (width, height)), ("-phone", (PHONE, 800))):
        page.set_viewport_size({"width": window[0], "height": window[1]})
        if page.evaluate("document.documentElement.scrollWidth") > window[0]:
            sys.exit(f"{name}: the page is wider than {window[0]} pixels")
        page.emulate_media(color_scheme="light")
        page.screenshot(path=IMAGES / f"{name}{suffix}.png", full_page=full_page)
        page.emulate_media(color_scheme="dark")
        page.screenshot(path=IMAGES / f"{name}{suffix}-dark.png", full_page=full_page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": width, "height": height})


def main() -> None:
    """Run a demo and write the pictures of its product, its Zoom and its operator pages."""
    demo = start_demo("host")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=need_program(*BROWSERS), args=ARGUMENTS
        )
        page = browser.new_page(viewport={"width": 1080, "height": 900})
        install_from_marketplace(page, demo, "Ada Lund")
        order = {
            "client_id": demo.client_id,
            "event": "meeting.ended",
            "payload": {
                "account_id": "AbcDEFghiJKLmnoPQRst01",
                "object": {"topic": "Weekly tide table"},
            },
        }
        demo.ask_zoom("POST", "/events", order)
        expect(page.locator("#feed")).to_contain_text("meeting.ended")
        for name in ("stateless-code", "signing-oracle"):
            page.locator(f"#{name}").get_by_role("button", name="Attack").click()
        expect(page.locator("#signing-oracle .verdict")).to_be_visible()
        take(page, "demo", width=1080, height=900, full_page=True)
        page.goto(demo.zoom)
        take(page, "console", width=1180, height=900)
        for name in ("meeting.started", "meeting.ended", "meeting.started"):
            demo.ask_zoom("POST", "/events", {**order, "event": name})
        bury(demo)
        sign_in(page, demo, new_key(demo))
        expect(page.get_by_role("heading", level=1)).to_have_text("Events")
        take(page, "operators", width=1080, height=620)
        browser.close()
    demo.stop()


if __name__ == "__main__":
    main()
