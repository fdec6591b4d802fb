"""The extra `service`: the whole service in this process, and one installation.

The extras `postgres` and `nats` run the same with their database and their event stream.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx

from paraph import Zoom

words = [sys.executable, "-m", "paraph", "keys", "new"]
key = subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()


async def main() -> None:
    """Install as a browser does."""
    zoom = Zoom(
        client_id=os.environ["CLIENT_ID"],
        client_secret=os.environ["CLIENT_SECRET"],
        webhook_secrets=[os.environ["WEBHOOK_SECRET"]],
        public_url=os.environ["PUBLIC_URL"],
        database_url=os.environ.get("DATABASE_URL", f"sqlite:///{Path.cwd()}/paraph.db"),
        events_url=os.environ.get("EVENTS_URL", ""),
        encryption_keys=[key],
        linking="none",
        required_scopes=["user:read:user"],
        authorization_server=os.environ["ZOOM"],
        api_servers=[os.environ["ZOOM"]],
    )
    app = httpx.ASGITransport(zoom.asgi)
    async with zoom, httpx.AsyncClient(transport=app, base_url=os.environ["PUBLIC_URL"]) as browser:
        started = await browser.get("/install")
        assert 303 == started.status_code, started.text
        async with httpx.AsyncClient() as network:
            consent = await network.get(started.headers["location"])
        installed = await browser.get(consent.headers["location"])
        assert installed.is_success or installed.is_redirect, installed.text
        assert 1 == len([one async for one in zoom.installations()])


asyncio.run(main())
