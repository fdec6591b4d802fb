"""Receives what paraph forwards: verified, and each event once. Standard library alone.

Start it with `FORWARD_SECRETS=whsec_… python receiver.py`. PORT and DATABASE are optional. While a
secret is being replaced, FORWARD_SECRETS holds both, with a blank between them.
"""

import base64
import hmac
import json
import os
import sqlite3
import time
import traceback
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DATABASE = os.environ.get("DATABASE", "receiver.db")
LONGEST = 4 << 20
TOLERANCE = 300  # seconds


def key_of(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"))
    return secret.encode()


KEYS = [key_of(secret) for secret in os.environ["FORWARD_SECRETS"].split()]


def is_genuine(event_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Verify as the Standard Webhooks specification says: over id, time and raw body."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    signed = f"{event_id}.{timestamp}.".encode() + body
    expected = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in KEYS]
    given = [one.removeprefix("v1,") for one in signatures.split() if one.startswith("v1,")]
    return any(hmac.compare_digest(a, b.encode("utf-8")) for a in expected for b in given)


def handle(db: sqlite3.Connection, kind: str, data: dict[str, Any]) -> None:
    """Do the work of your product, with the same transaction."""
    if kind == "installation.removed":
        db.execute("DELETE FROM meetings WHERE subject = ?", [data["installation"]["subject"]])
    if kind == "zoom.meeting.ended":
        topic = data["event"]["payload"].get("object", {}).get("topic", "")
        rows = [[one["subject"], topic] for one in data["installations"]]
        db.executemany("INSERT INTO meetings VALUES (?, ?)", rows)


def keep(event_id: str, body: bytes) -> bool:
    """Handle an event unless it was handled before; return whether it is new."""
    event = json.loads(body)
    with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS handled (event_id TEXT PRIMARY KEY)")
        db.execute("CREATE TABLE IF NOT EXISTS meetings (subject TEXT, topic TEXT)")
        # The id and the work are committed together: after a crash both are missing.
        new = db.execute("INSERT OR IGNORE INTO handled VALUES (?)", [event_id]).rowcount == 1
        if new:
            handle(db, event["type"], event["data"])
    return new


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what was handled, now or before; paraph sends everything else again."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Receive one event."""
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= LONGEST):
            self.close_connection = True
            self.respond(413)
            return
        body = self.rfile.read(int(length))
        event_id = self.headers.get("webhook-id", "")
        timestamp = self.headers.get("webhook-timestamp", "")
        if not is_genuine(event_id, timestamp, self.headers.get("webhook-signature", ""), body):
            self.respond(401)
            return
        try:
            new = keep(event_id, body)
        except Exception:  # noqa: BLE001 - Any failure is tried again.
            traceback.print_exc()
            self.respond(500)
            return
        self.say(f"{'handled' if new else 'repeated'} {event_id}")
        self.respond(204)

    def respond(self, status: int) -> None:
        """Send a response without a body."""
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Write no line for each request."""

    @staticmethod
    def say(text: str) -> None:
        """Write one line."""
        os.write(1, f"{text}\n".encode())


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8300"))), Receiver)
    Receiver.say(f"listening http://127.0.0.1:{server.server_port}/")
    server.serve_forever()
