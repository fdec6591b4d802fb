"""The Django example in this process: its settings, and browsers that talk to its handler."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from databases import new_sqlite
from paraph.sealing.encryption_key import new_encryption_key
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.webhooks.webhook_sender import sign

PUBLIC_URL = "https://localhost"
EXAMPLE = Path(__file__).parents[1] / "examples" / "django"
SECRET_KEY = "jx1-kW0qz8Rn4vUc7bYt2mPs5dLf9hGa3eXo6iKr"
PREFIX = "/integrations/zoom"


def paraph_values(zoom: SimulatedZoom, folder: Path) -> dict[str, Any]:
    """The setting `PARAPH` of a project that uses a simulated Zoom."""
    return {
        "CLIENT_ID": zoom.app.client_id,
        "CLIENT_SECRET": zoom.app.client_secret,
        "WEBHOOK_SECRETS": [zoom.app.webhook_secret],
        "PUBLIC_URL": PUBLIC_URL,
        "DATABASE_URL": new_sqlite(folder / "zoom.sqlite3"),
        "ENCRYPTION_KEYS": [new_encryption_key()],
        "REQUIRED_SCOPES": ["user:read:user"],
        "AUTHORIZATION_SERVER": zoom.url,
        "API_SERVERS": [zoom.url],
        "APP_NAME": "Tidemark",
    }


@dataclass
class Site:
    """The running project with its Zoom."""

    zoom: SimulatedZoom

    def browser(self, user: str = "") -> Any:
        """A browser profile that checks CSRF tokens; signed in if a user is named."""
        from django.contrib.auth.models import User
        from django.test import Client

        client = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
        if user:
            client.force_login(User.objects.get_or_create(username=user)[0])
        return client

    def at_zoom(self, browser: Any) -> str:
        """Begin in a browser, agree at Zoom; return the URL to which Zoom sends the browser."""
        begun = browser.get(f"{PREFIX}/start", secure=True)
        assert 303 == begun.status_code, begun.content
        sent = browser.get(path_of(begun["Location"]), secure=True)
        assert 303 == sent.status_code, sent.content
        answer = httpx.get(sent["Location"])
        assert 302 == answer.status_code, answer.text
        return path_of(answer.headers["location"])

    def handoff(self, browser: Any) -> str:
        """Walk from the start to the confirmation page; return its path with the handoff."""
        back = browser.get(self.at_zoom(browser), secure=True)
        assert 303 == back.status_code, back.content
        return path_of(back["Location"])

    def install(self, browser: Any, decision: str = "confirm") -> Any:
        """The whole way through in one browser."""
        page = browser.get(self.handoff(browser), secure=True)
        assert 200 == page.status_code, page.content
        return self.decide(browser, page, decision)

    def decide(self, browser: Any, page: Any, decision: str = "confirm", **fields: str) -> Any:
        """Send the form of a confirmation page."""
        data = {**hidden_fields(page), decision: "yes", **fields}
        headers = {"referer": f"{PUBLIC_URL}{PREFIX}/link"}
        return browser.post(f"{PREFIX}/link", data, secure=True, headers=headers)

    def post_webhook(self, event: str, payload: dict[str, Any], **headers: str) -> Any:
        """A delivery, signed as Zoom signs."""
        content = {"event": event, "event_ts": int(time.time() * 1000), "payload": payload}
        raw = json.dumps(content, separators=(",", ":")).encode()
        at = str(int(time.time()) + (130 if event == "app_deauthorized" else 0))
        signed = {
            "x-zm-signature": sign(self.zoom.app.webhook_secret, at, raw),
            "x-zm-request-timestamp": at,
            **headers,
        }
        return self.browser().post(
            f"{PREFIX}/webhook", raw, "application/json", secure=True, headers=signed
        )


def path_of(url: str) -> str:
    """The path and query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def hidden_fields(page: Any) -> dict[str, str]:
    """The hidden fields of the form on a page."""
    pattern = r'<input type="hidden" name="([^"]+)" value="([^"]*)">'
    return dict(re.findall(pattern, page.content.decode()))
