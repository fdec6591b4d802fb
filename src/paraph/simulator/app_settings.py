"""Registers the app under test at a simulated Zoom, and returns the settings that the app needs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paraph.simulator.engine import Simulator


def paraph_settings(simulator: Simulator, folder: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords for `paraph.Zoom`, and register the URLs that they result in.

    Args:
        simulator: the simulated Zoom; its first app is registered.
        folder: the folder for the database.
        given: settings that are set already; `public_url` among them.
    """
    app = simulator.world.apps[0]
    public = str(given["public_url"]).rstrip("/") + str(given.get("prefix", "")).rstrip("/")
    app.redirect_uris = [f"{public}/marketplace", f"{public}/oauth/redirect"]
    app.event_url = app.deauthorization_url = f"{public}/webhook"
    name = simulator.ledger.random_text(12)
    found: dict[str, Any] = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "webhook_secrets": [app.webhook_secret],
        "authorization_server": _as_localhost(simulator.origin),
        "api_servers": [simulator.origin, _as_localhost(simulator.origin)],
        "encryption_keys": [_encryption_key(simulator)],
        "database_url": f"sqlite:///{Path(folder) / name}.db",
        "receipts_folder": str(Path(folder) / name),
        "required_scopes": list(app.scopes),
        "level": app.level,
    }
    return found | dict(given)


def register(simulator: Simulator, public_url: str, redirect: str, webhook: str) -> dict[str, str]:
    """Register the URLs of an app without paraph; return its credentials and Zoom's URLs.

    Args:
        simulator: the simulated Zoom; its first app is registered.
        public_url: the origin of the app.
        redirect: the path of its redirect URI.
        webhook: the path at which it receives events.
    """
    app = simulator.world.apps[0]
    app.redirect_uris = [f"{public_url}{redirect}"]
    app.event_url = app.deauthorization_url = f"{public_url}{webhook}"
    zoom = _as_localhost(simulator.origin)
    return {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "webhook_secret": app.webhook_secret,
        "public_url": public_url,
        "redirect_uri": app.redirect_uris[0],
        "authorize_url": f"{zoom}/oauth/authorize",
        "token_url": f"{zoom}/oauth/token",
        "revoke_url": f"{zoom}/oauth/revoke",
        "api_url": f"{zoom}/v2",
    }


def _as_localhost(origin: str) -> str:
    parts = urlsplit(origin)
    return f"{parts.scheme}://localhost:{parts.port}"


def _encryption_key(simulator: Simulator) -> str:
    key = base64.urlsafe_b64encode(simulator.random_bytes(32)).rstrip(b"=").decode()
    return f"simulated:{key}"
