"""The base installation: verify a delivery, refuse a forged one, answer the challenge, explain."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import time
from pathlib import Path

from paraph import MissingExtra
from paraph.webhooks import WebhookRejected, Webhooks

SECRET = "zm-7hTq2LwX9fKd"


def delivery(event: dict[str, object]) -> tuple[dict[str, str], bytes]:
    """A delivery as Zoom signs it."""
    body, now = json.dumps(event, separators=(",", ":")).encode(), str(int(time.time()))
    mac = hmac.new(SECRET.encode(), f"v0:{now}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-zm-request-timestamp": now, "x-zm-signature": f"v0={mac}"}, body


def paraph(*words: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "paraph", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


webhooks = Webhooks(secret=SECRET)
headers, body = delivery({"event": "meeting.ended", "event_ts": 1, "payload": {}})
assert "meeting.ended" == webhooks.receive(headers, body).name
try:
    webhooks.receive(headers, body + b" ")
except WebhookRejected as rejected:
    assert 401 == rejected.status
else:
    raise AssertionError("a forged delivery was accepted")
token = "qgg8vlvZRS6UYooatFL8Aw"
challenge = webhooks.receive(
    *delivery({"event": "endpoint.url_validation", "payload": {"plainToken": token}})
)
assert challenge.response is not None
assert token == json.loads(challenge.response)["plainToken"]

head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
Path("request").write_bytes(f"POST /webhook HTTP/1.1\r\n{head}\r\n".encode() + body)
assert "signature" in paraph("explain", "webhook", "request", "--secret", SECRET)
assert paraph("--version").startswith("paraph ")
assert "explain" in paraph("-h")
try:
    from paraph import Zoom
except MissingExtra as missing:
    assert str(missing).endswith('pip install "paraph[service]"')
else:
    raise AssertionError(f"{Zoom} needs packages that the base does not have")
