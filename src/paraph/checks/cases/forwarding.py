"""Group J, part 4: genuine and spoofed headers in which proxies describe the client."""

from __future__ import annotations

import os

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import try_begin
from paraph.checks.harness.webhook_steps import marked_delivery, post
from paraph.checks.verdict import HookMissingError

_CLIENT, _NEAR_PROXY = "203.0.113.7", "127.0.0.2"
_STARTS = 400
_SPOOFED = 12
_CLAIMS = (
    *("x-forwarded-for", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"),
    *("forwarded", "x-forwarded-for: list"),
)


def _delivered(t: CaseContext, schemes: str, addresses: str) -> Response:
    """Send an honest delivery as the last proxy would forward it."""
    delivery = marked_delivery(t)[1]
    delivery.more = [("x-forwarded-proto", schemes), ("x-forwarded-for", addresses)]
    return post(t, delivery)


def _accepted(response: Response) -> bool:
    return 200 <= response.status < 300


@case("net-forwarded-list", variant="behind_proxies")
def _list(t: CaseContext) -> None:
    t.url("webhook")
    one = _delivered(t, "https", _CLIENT)
    t.control(_accepted(one), f"behind one proxy an honest delivery got status {one.status}")
    chain = f"{_CLIENT}, {_NEAR_PROXY}"
    for schemes in ("https, http", "https,http", "https , http", "https, https", "HTTPS, HTTP"):
        response = _delivered(t, schemes, chain)
        t.expect(
            _accepted(response),
            f"behind two proxies ({schemes}) an honest delivery got status {response.status}",
        )
    if _accepted(_delivered(t, "http", _CLIENT)):
        return
    # Each proxy appends, so values that the client forged come before the genuine ones.
    for addresses in (f"127.0.0.1, {_CLIENT}", f"198.51.100.1, {_CLIENT}"):
        response = _delivered(t, "https, http", addresses)
        t.expect(not _accepted(response), "a client's own X-Forwarded-Proto is believed")


def _start(t: CaseContext, browser: Browser) -> bool:
    """Begin an authorization; return False if the app reports that its rate limit is reached."""
    if try_begin(t, browser):
        return True
    page = browser.page
    limited = page is not None and page.status in {429, 503}
    t.control(limited, "the start neither leads to Zoom nor says that it is limited")
    return False


def _until_limited(t: CaseContext, browser: Browser) -> bool:
    browser.more = []
    return any(not _start(t, browser) for _ in range(_STARTS))


def _claim(name: str) -> tuple[str, str]:
    """Return a header in which the client claims another address."""
    address = f"203.0.{os.urandom(1)[0]}.{os.urandom(1)[0]}"
    if name == "forwarded":
        return name, f"for={address}"
    if name.endswith("list"):
        return "x-forwarded-for", f"{address}, 127.0.0.1"
    return name, address


@case("net-forwarded-limits")
def _limits(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    if not _until_limited(t, browser):
        raise HookMissingError(f"no limit is seen within {_STARTS} starts of one address")
    for name in _CLAIMS:
        for _ in range(2):
            t.control(_until_limited(t, browser), "the limit of starts is not reached again")
            passed = 0
            for _ in range(_SPOOFED):
                browser.more = [_claim(name)]
                passed += _start(t, browser)
            if passed < _SPOOFED:
                break
            # The rate limit may have expired in between, but hardly twice in a row.
        t.expect(passed < _SPOOFED, f"a client that names itself in {name} is not limited")
