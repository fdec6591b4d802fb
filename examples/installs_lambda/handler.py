"""A product as one AWS Lambda function behind API Gateway (HTTP API) or a function URL.

Here its tables are in SQLite, so that it runs anywhere. On AWS keep them in DynamoDB or RDS.
"""

import base64
import hmac
import html
import json
import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from cryptography.fernet import Fernet

from paraph.installs import InstallFlow, InstallRefused
from paraph.integrations.aws_lambda import lambda_webhook
from paraph.webhooks import Received, Webhooks

CLIENT_ID, KEY = os.environ["ZOOM_CLIENT_ID"], os.environ["SECRET_KEY"].encode()
SIGN_IN = "<form method=post action=/sign-in><input name=user><button>Sign in</button></form>"
CONNECT = "<form method=post action=/zoom/start><button>Connect Zoom</button></form>"
vault = Fernet(os.environ["VAULT_KEY"])


def connect() -> Any:
    return closing(sqlite3.connect(os.environ.get("DATABASE", "product.db"), timeout=10))


def sql(statement: str, *values: object) -> Any:
    """Run one statement on a connection of its own, and commit it."""
    with connect() as db, db:
        done = db.execute(statement, values)
        return done.fetchall() if done.description else done.rowcount


sql("CREATE TABLE IF NOT EXISTS used_states (state_hash TEXT PRIMARY KEY, expires_at INTEGER)")
sql("CREATE TABLE IF NOT EXISTS events (event_id TEXT PRIMARY KEY, body TEXT)")
sql("""CREATE TABLE IF NOT EXISTS installs (subject TEXT PRIMARY KEY, account_id TEXT, user_id TEXT,
    name TEXT, tokens BLOB, installed_at INTEGER, UNIQUE (account_id, user_id))""")


def use_state(state_hash: str, expires_at: int) -> bool:
    sql("DELETE FROM used_states WHERE expires_at < ?", time.time())
    added = sql("INSERT OR IGNORE INTO used_states VALUES (?, ?)", state_hash, expires_at)
    return bool(added == 1)


flow = InstallFlow(
    client_id=CLIENT_ID,
    client_secret=os.environ["ZOOM_CLIENT_SECRET"],
    redirect_uri=os.environ["ZOOM_REDIRECT_URI"],
    sealing_key=os.environ["SEALING_KEY"],
    required_scopes=["user:read:user"],
    use_state=use_state,
    authorization_server=os.environ.get("ZOOM_URL", "https://zoom.us"),
    api_servers=[os.environ["ZOOM_URL"]] if "ZOOM_URL" in os.environ else [],
    ca_file=os.environ.get("CA_FILE", ""),
)


@lambda_webhook(Webhooks(os.environ["ZOOM_WEBHOOK_SECRET"], client_id=CLIENT_ID))
def on_event(received: Received) -> None:
    users = json.dumps(received.concerned_users)
    ours = """SELECT 1 FROM installs
        WHERE account_id = ? OR user_id IN (SELECT value FROM json_each(?))"""
    event = (received.event_id, json.dumps(received.event))
    # One transaction: an event is stored and has its effect, or Zoom sends it again.
    with connect() as db, db:
        if not db.execute(ours, (received.account_id, users)).fetchall():
            return
        # The unique id makes a retry or a replay one event.
        added = db.execute("INSERT OR IGNORE INTO events VALUES (?, ?)", event).rowcount
        if added and (removed := received.deauthorization):
            # A removal that comes late does not concern a newer install.
            older = """DELETE FROM installs
                WHERE account_id = ? AND user_id = ? AND installed_at <= ?"""
            db.execute(older, (removed.account_id, removed.user_id, received.removed_until))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Serve one request of the gateway."""
    request = event["requestContext"]["http"]
    route = (request["method"], event["rawPath"])
    if event["rawPath"] == "/zoom/webhook":
        return on_event(event, context)
    subject = subject_of(event)
    if route[1] == "/zoom/callback":
        return callback(event, request["method"], subject)
    if route == ("POST", "/sign-in"):  # In your product this asks for a password.
        user = form_of(event).get("user")
        if not user:
            return respond(400)
        session = signed(user)
        cookie = f"__Host-session={session}; Path=/; Secure; HttpOnly; SameSite=Lax"
        return respond(303, [("Location", "/"), ("Set-Cookie", cookie)])
    # No other site can send the session with a POST: its cookie is SameSite=Lax.
    if route == ("POST", "/zoom/start") and subject:
        return respond(303, flow.start(subject, cookies=cookies_of(event)).headers)
    if route == ("GET", "/"):
        return respond(200, body=home(subject))
    return respond(403 if route == ("POST", "/zoom/start") else 404)


def home(subject: str | None) -> str:
    if subject is None:
        return SIGN_IN
    rows = sql("SELECT name FROM installs WHERE subject = ?", subject)
    found = f"Zoom user {html.escape(rows[0][0])} is" if rows else "Zoom is not"
    return f"<p>{found} connected.</p>{CONNECT}"


def callback(event: dict[str, Any], method: str, subject: str | None) -> dict[str, Any]:
    url = f"{event['rawPath']}?{event['rawQueryString']}"
    sent: dict[str, Any] = {"method": method, "headers": event["headers"]}
    try:
        done = flow.finish(url, cookies_of(event), subject=subject, **sent)
    except InstallRefused as refused:
        return respond(refused.status, refused.headers, html.escape(refused.page_text))
    tokens = vault.encrypt(json.dumps(asdict(done.tokens)).encode())
    zoom_user = (done.account_id, done.user_id)
    # A Zoom user has one token set: these have replaced the tokens of an earlier install.
    known = """UPDATE installs SET tokens = ?, installed_at = ?
        WHERE account_id = ? AND user_id = ? RETURNING subject"""
    if any(row != (subject,) for row in sql(known, tokens, done.installed_at, *zoom_user)):
        return respond(409, done.headers, "This Zoom user is connected to another account.")
    upsert = """INSERT INTO installs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE SET
        account_id = excluded.account_id, user_id = excluded.user_id, name = excluded.name,
        tokens = excluded.tokens, installed_at = excluded.installed_at"""
    sql(upsert, subject, *zoom_user, done.display_name, tokens, done.installed_at)
    return respond(303, [("Location", "/"), *done.headers])


def respond(status: int, headers: Iterable[tuple[str, str]] = (), body: str = "") -> dict[str, Any]:
    """Return a response; the gateway takes cookies apart from the other headers."""
    others = {name: value for name, value in headers if name != "Set-Cookie"}
    return {
        "statusCode": status,
        "headers": {"Content-Type": "text/html", **others},
        "cookies": [value for name, value in headers if name == "Set-Cookie"],
        "body": body,
    }


def form_of(event: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a form, whose body the gateway may have encoded."""
    body = (event.get("body") or "").encode("utf-8", "replace")
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def cookies_of(event: dict[str, Any]) -> str:
    return "; ".join(event.get("cookies", []))


def signed(subject: str) -> str:
    mac = hmac.new(KEY, subject.encode(), "sha256").hexdigest()
    return f"{quote(subject, safe='')}.{mac}"


def subject_of(event: dict[str, Any]) -> str | None:
    """Return the signed-in account, None if no account is."""
    for cookie in event.get("cookies", []):
        name, _, value = cookie.partition("=")
        if name == "__Host-session" and value.isascii():
            subject = unquote(value.rpartition(".")[0])
            if hmac.compare_digest(signed(subject).encode(), value.encode()):
                return subject
    return None
