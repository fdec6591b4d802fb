"""Reads the app's manifest from a file, or from Zoom with a token of the team."""

from __future__ import annotations

import re
from pathlib import Path

from paraph.errors import MessageMalformed, TransportError
from paraph.oauth.messages import Request
from paraph.operations.probes.facts import ManifestFacts
from paraph.remote.plain_request import send_plain
from paraph.secret import Secret
from paraph.settings.model import Settings
from paraph.zoom.manifest import parse_manifest

_APP_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_BYTES = 1 << 20


def manifest_file_facts(path: Path) -> ManifestFacts:
    """Read a manifest that was exported in Zoom's build flow, or written by `paraph init`."""
    try:
        with path.open("rb") as opened:
            return _parsed(str(path), opened.read(_MAX_BYTES))
    except OSError as error:
        return ManifestFacts(str(path), failure=error.strerror or type(error).__name__)


async def manifest_at_zoom_facts(settings: Settings, app_id: str, token: Secret) -> ManifestFacts:
    """Fetch the manifest of a General App (Zoom: GET /v2/marketplace/apps/{appId}/manifest).

    Args:
        settings: checked settings; the first of `api_servers` is asked.
        app_id: the id of the app at Zoom, which is not its client id.
        token: an access token with the scope marketplace:read:app.
    """
    source = f"app {app_id}"
    if not _APP_ID.fullmatch(app_id):
        return ManifestFacts("app", failure="the app id has characters that no id has")
    url = f"{settings.api_servers[0]}/v2/marketplace/apps/{app_id}/manifest"
    headers = (("authorization", f"Bearer {token.reveal()}"), ("accept", "application/json"))
    try:
        response = await send_plain(Request("GET", url, headers, b""), route=settings.outgoing)
    except TransportError as error:
        return ManifestFacts(source, failure=error.detail)
    if response.status != 200:
        # Zoom exports drafts of General Apps only, and says so with 404 and code 1500.
        return ManifestFacts(source, failure=f"Zoom answered {response.status}")
    return _parsed(source, response.body)


def _parsed(source: str, body: bytes) -> ManifestFacts:
    try:
        return ManifestFacts(source, manifest=parse_manifest(body))
    except MessageMalformed as error:
        return ManifestFacts(source, failure=error.detail)
