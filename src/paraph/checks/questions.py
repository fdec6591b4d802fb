"""`paraph check init`: writes a target file from a running app and a few questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urljoin, urlsplit

from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender
from paraph.checks.harness.ownership import is_loopback
from paraph.errors import ConfigurationError

_STARTS = (
    *("/install", "/connect", "/auth/zoom", "/login/zoom", "/zoom/connect", "/zoom/login"),
    *("/oauth/zoom", "/accounts/zoom/login/", "/login", "/authorize", "/zoomapp/install", "/"),
)
_WEBHOOKS = ("/webhook", "/webhooks/zoom", "/zoom/webhook", "/webhooks", "/events", "/api/webhook")
_PAGES = ("/account", "/profile", "/dashboard", "/me", "/home")

_ENVIRONMENT = (
    "environment = { PORT = '{port}', ZOOM_URL = '{zoom}', ZOOM_CLIENT_ID = '{client_id}', "
    "ZOOM_CLIENT_SECRET = '{client_secret}', ZOOM_WEBHOOK_SECRET = '{webhook_secret}' }"
)
Ask = Callable[[str, str], str]


@dataclass(slots=True)
class Found:
    """Facts about a running app that its responses reveal."""

    start: str = ""
    redirect: str = ""
    client_id: str = ""
    webhook: str = ""
    pages: tuple[str, ...] = ()


def read_app(base: str) -> Found:
    """Request an app's usual URLs; only requests that every browser could send.

    Raises:
        ConfigurationError: the app is not on this machine.
    """
    if not is_loopback(base):
        raise ConfigurationError(
            [f"{base} is not this machine"], remedy="Response the questions instead."
        )
    sender = Sender("", lambda _response: None, timeout=5)
    found = Found()
    try:
        for path in _STARTS:
            if not found.start:
                _note_start(found, path, sender.send("GET", urljoin(base, path)))
        found.webhook = next((p for p in _WEBHOOKS if _refuses(sender, urljoin(base, p))), "")
        statuses = {p: sender.send("GET", urljoin(base, p)).status for p in _PAGES}
        found.pages = tuple(p for p, status in statuses.items() if 200 <= status < 404)
    finally:
        sender.close()
    return found


def _note_start(found: Found, path: str, response: Response) -> None:
    where = urlsplit(response.location)
    if where.path.endswith("/oauth/authorize"):
        query = dict(parse_qsl(where.query))
        found.start = path
        found.redirect = urlsplit(query.get("redirect_uri", "")).path
        found.client_id = query.get("client_id", "")


def _refuses(sender: Sender, url: str) -> bool:
    response = sender.send("POST", url, headers=[("content-type", "application/json")], body=b"{}")
    return response.status in {400, 401, 403, 415, 422}


def target_text(ask: Ask) -> str:
    """Build a target file; every question has a default that fits many apps."""
    name = ask("What is the app called?", "my app")
    command = ask("Which command starts it? (empty: it runs already)", "")
    base = ask("Which URL does it run at?", "http://127.0.0.1:3000")
    found = Found() if command else read_app(base)
    start = ask("Which path begins an installation?", found.start or "/install")
    redirect = ask("Which path is the redirect URI?", found.redirect or "/oauth/callback")
    webhook = ask("Which path takes webhooks? (empty: none)", found.webhook)
    lines = [f"name = {json.dumps(name)}", ""]
    if command:
        lines += [
            "[start]",
            f"command = {json.dumps(command.split())}",
            _ENVIRONMENT,
            "",
        ]
    lines.append("[urls]")
    lines += [] if command else [f"base = {json.dumps(base)}"]
    lines += [f"start = {json.dumps(start)}", f"redirect = {json.dumps(redirect)}"]
    lines += [f"webhook = {json.dumps(webhook)}"] if webhook else []
    lines += [f"pages = {json.dumps(list(found.pages))}"] if found.pages else []
    if not command:
        client = ask("Which client id was it given?", found.client_id)
        lines += [
            "",
            "# The simulated Zoom that the app talks to; give it the same values.",
            "[zoom]",
            "port = 8100",
            f"client_id = {json.dumps(client)}",
            'client_secret = "the-same-as-in-the-app"',
            'webhook_secret = "the-same-as-in-the-app-2"',
        ]
    lines += [
        "",
        "# Each hook makes more cases apply: docs/reference/check.md lists them.",
        "[hooks]",
        "",
    ]
    return "\n".join(lines)
