"""The install of an example product in the system's Chromium."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from examples.products import Product, fill


def install_in_browser(
    product: Product, page: Page, *, user: str = "", subject: str = "ada"
) -> None:
    """Sign in, connect, consent at Zoom and confirm, as a person does; then call Zoom.

    Args:
        product: the product; it needs a sign-in page, a home page and a confirmation page.
        page: the page of a new browser profile.
        user: the Zoom user: its id or e-mail address; "" for the first one of the world.
        subject: the local account.
    """
    example, person = product.example, product.zoom.world.chosen_user(user)
    page.goto(product.at(example.sign_in))
    for name, value in example.sign_in_fields.items():
        page.locator(f"[name={name}]").fill(fill(value, {"subject": subject}))
    page.get_by_role("button", name=example.sign_in_button).click()
    page.goto(product.at(example.home))
    # A link that looks like a button, or a button.
    page.locator("a, button").filter(has_text=re.compile(f"^\\s*{example.connect}\\s*$")).click()
    page.get_by_label(re.compile(re.escape(person.display_name))).check()
    page.get_by_role("button", name="Allow").click()
    expect(page.locator("body")).to_contain_text(person.email)
    page.get_by_role("button", name=example.confirm, exact=True).click()
    page.wait_for_load_state()
    page.goto(product.at(example.profile))
    expect(page.locator("body")).to_contain_text(person.display_name)
