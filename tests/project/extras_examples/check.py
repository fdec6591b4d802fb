"""The extra `check`: a case against the app that the package brings along to test itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

command = json.dumps([sys.executable, "-m", "paraph.checks.twin"])
Path("target.toml").write_text(
    f"""
name = "the twin"

[start]
command = {command}

[start.environment]
TWIN_ZOOM = "{{zoom}}"
TWIN_CLIENT_ID = "{{client_id}}"
TWIN_CLIENT_SECRET = "{{client_secret}}"
TWIN_WEBHOOK_SECRET = "{{webhook_secret}}"
TWIN_REDIRECT_URI = "{{redirect_uri}}"
TWIN_FOLDER = "{{folder}}"
TWIN_PORT = "{{port}}"
TWIN_HOOK_KEY = "a-key-of-this-example"
TWIN_KEYS = "twin-key-of-yesterday"

[urls]
start = "/connect"
redirect = "/redirect"
webhook = "/webhook"

[hooks]
sign_in = {{ url = "{{url}}/sign-in", form = {{ user = "{{subject}}" }} }}
"""
)
words = ["check", "target.toml", "--only", "cb-state-missing", "--format", "json"]
subprocess.run([sys.executable, "-m", "paraph", *words], check=True)
