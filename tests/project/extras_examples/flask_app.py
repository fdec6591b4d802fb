"""The extra `flask`: a Flask view that asks the service in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from flask import Flask

from paraph import SyncZoom

words = [sys.executable, "-m", "paraph", "keys", "new"]
key = subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()
zoom = SyncZoom(
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    webhook_secrets=[os.environ["WEBHOOK_SECRET"]],
    public_url=os.environ["PUBLIC_URL"],
    database_url=f"sqlite:///{Path.cwd()}/flask.db",
    encryption_keys=[key],
    linking="none",
    authorization_server=os.environ["ZOOM"],
    api_servers=[os.environ["ZOOM"]],
)
app = Flask(__name__)


@app.get("/installations")
def installations() -> list[str]:
    """The installations of this product."""
    return [one.id for one in zoom.installations()]


with zoom:
    assert [] == app.test_client().get("/installations").get_json()
