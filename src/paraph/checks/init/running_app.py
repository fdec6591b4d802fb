"""Facts that a running app shows to a browser that follows its links."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, urljoin, urlsplit

from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.markup import links_of
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender
from paraph.checks.harness.ownership import is_loopback
from paraph.checks.init.target_file import ZOOM_PORT, Facts
from paraph.errors import ConfigurationError
from paraph.simulator.browser.browser_url import INVALID, resolved

_STARTS = (
    *("/install", "/connect", "/auth/zoom", "/login/zoom", "/zoom/connect", "/zoom/login"),
    *("/oauth/zoom", "/accounts/zoom/login/", "/login", "/authorize", "/zoomapp/install"),
    *("/zoom/install", "/oauth/start", "/start"),
)
_WEBHOOKS = (
    *("/webhook", "/webhooks/zoom", "/webhook/zoom", "/zoom/webhook", "/zoom/events"),
    *("/webhooks", "/events", "/api/webhook", "/api/webhooks/zoom", "/api/zoom/webhook"),
)
_PAGES = ("/account", "/profile", "/dashboard", "/me", "/home")
_MAX_PAGES = 40
_UNSAFE = ("logout", "signout", "sign-out", "delete", "remove", "disconnect", "revoke")
_ABSENT = {0, 404, 405, 501}


def read_app(base: str) -> Facts:
    """Follow the links of an app, and request usual URLs; only what every browser could send.

    Args:
        base: the URL of the app, on this machine.

    Raises:
        ConfigurationError: the app is not on this machine, or does not respond.
    """
    if not is_loopback(base):
        raise ConfigurationError(
            [f"{base} is not this machine"],
            remedy="Write the target file by hand: docs/reference/check.md.",
        )
    sender = Sender("", lambda _response: None, timeout=5)
    parts = urlsplit(base)
    origin = f"{parts.scheme}://{parts.netloc}"
    browser = Browser(sender, [origin])
    try:
        front = browser.request("GET", urljoin(base, "/"))
        if not front.status:
            raise ConfigurationError(
                [f"{base} does not respond: {front.problem}"],
                remedy="Start the app, or pass --framework to write the file from its source.",
            )
        facts = Facts(base=origin)
        _follow(browser, base, facts)
        facts.webhook = _webhook(sender, base)
        facts.pages = [one for one in _PAGES if _is_page(browser, urljoin(base, one))]
    finally:
        sender.close()
    return facts


def _follow(browser: Browser, base: str, facts: Facts) -> None:
    """Open pages until one leads to an authorization page; note where it leads."""
    waiting = [base, *(urljoin(base, one) for one in _STARTS)]
    seen: set[str] = set()
    while waiting and len(seen) < _MAX_PAGES and not facts.start:
        url = waiting.pop(0)
        if url in seen or not browser.is_ours(url) or any(one in url for one in _UNSAFE):
            continue
        seen.add(url)
        page = browser.request("GET", url)
        shown = [page.location] if page.location else links_of(page) if page.is_html else []
        if asked := next((one for one in shown if _is_authorization(one)), ""):
            _note(facts, page, asked)
            return
        # The links of a page come before guessed URLs.
        waiting = [*shown, *waiting]


def _is_authorization(url: str) -> bool:
    return urlsplit(url).path.endswith("/oauth/authorize")


def _note(facts: Facts, page: Response, asked: str) -> None:
    parts = urlsplit(asked)
    query = dict(parse_qsl(parts.query))
    facts.start = urlsplit(page.url).path
    redirect = resolved(page.url, query.get("redirect_uri") or INVALID)
    facts.redirect = "" if redirect == INVALID else urlsplit(redirect).path
    facts.client_id = query.get("client_id", "")
    here = is_loopback(f"{parts.scheme}://{parts.netloc}")
    facts.zoom_port = (parts.port or ZOOM_PORT) if here else ZOOM_PORT
    facts.knows_zoom_only = not here


def _webhook(sender: Sender, base: str) -> str:
    """Return the first usual path whose POST has another result than a path that is not there."""
    absent = _posted(sender, urljoin(base, f"/{os.urandom(6).hex()}"))
    statuses = ((one, _posted(sender, urljoin(base, one))) for one in _WEBHOOKS)
    return next((p for p, status in statuses if status not in {absent, *_ABSENT}), "")


def _posted(sender: Sender, url: str) -> int:
    headers = [("content-type", "application/json")]
    return sender.send("POST", url, headers=headers, body=b"{}").status


def _is_page(browser: Browser, url: str) -> bool:
    return 200 <= browser.request("GET", url).status < 404
