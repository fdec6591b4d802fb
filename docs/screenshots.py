"""Takes the pictures: a demo with an installation, attacks withstood, its Zoom, its operators."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from end_to_end.conftest import ARGUMENTS  # noqa: E402 - The path comes first.
from end_to_end.running_demo import start_demo  # noqa: E402 - The same.
from end_to_end.test_browser import install_from_marketplace  # noqa: E402 - The same.
from end_to_end.test_operator_pages import bury, new_key, sign_in  # noqa: E402 - The same.
from programs import BROWSERS, need_program  # noqa: E402


def main() -> None:
    """Run a demo and write docs/images/demo.png, console.png and operators.png."""
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
        target = ROOT / "docs" / "images" / "demo.png"
        target.parent.mkdir(exist_ok=True)
        page.screenshot(path=target, full_page=True)
        page.set_viewport_size({"width": 1180, "height": 900})
        page.goto(demo.zoom)
        page.screenshot(path=target.with_name("console.png"))
        for name in ("meeting.started", "meeting.ended", "meeting.started"):
            demo.ask_zoom("POST", "/events", {**order, "event": name})
        bury(demo)
        sign_in(page, demo, new_key(demo))
        expect(page.get_by_role("heading", level=1)).to_have_text("Events")
        page.set_viewport_size({"width": 1080, "height": 620})
        page.screenshot(path=target.with_name("operators.png"))
        browser.close()
    demo.stop()


if __name__ == "__main__":
    main()
