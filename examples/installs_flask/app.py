"""A Flask product with its own sessions and tables that connects its users to Zoom."""

import json
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict
from typing import Any

from cryptography.fernet import Fernet
from flask import Flask, Response, abort, request, session
from markupsafe import escape

from paraph.installs import InstallFlow, InstallRefused
from paraph.integrations.webhook_views import flask_webhook
from paraph.webhooks import Received, Webhooks

app = Flask(__name__)
# Lax: no other site can press a button here, and Zoom's redirect finds the session.
app.config.update(SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_SAMESITE="Lax")
app.config.update(SESSION_COOKIE_SECURE=True, SECRET_KEY=os.environ["SECRET_KEY"])
vault, client_id = Fernet(os.environ["VAULT_KEY"]), os.environ["ZOOM_CLIENT_ID"]


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
    client_id=client_id,
    client_secret=os.environ["ZOOM_CLIENT_SECRET"],
    redirect_uri=os.environ["ZOOM_REDIRECT_URI"],
    sealing_key=os.environ["SEALING_KEY"],
    required_scopes=["user:read:user"],
    use_state=use_state,
    authorization_server=os.environ.get("ZOOM_URL", "https://zoom.us"),
    api_servers=[os.environ["ZOOM_URL"]] if "ZOOM_URL" in os.environ else [],
    ca_file=os.environ.get("CA_FILE", ""),
)


@app.get("/")
def home() -> str:
    if "subject" not in session:
        return "<form method=post action=/sign-in><input name=user><button>Sign in</button></form>"
    rows = sql("SELECT name FROM installs WHERE subject = ?", session["subject"])
    state = f"Zoom user {escape(rows[0][0])} is connected." if rows else "Zoom is not connected."
    return f"{state}<form method=post action=/zoom/start><button>Connect Zoom</button></form>"


@app.post("/sign-in")
def sign_in() -> Response:
    session["subject"] = request.form["user"]  # In your product this asks for a password.
    return Response(status=303, headers={"Location": "/"})


@app.post("/zoom/start")
def start() -> Response:
    begun = flow.start(session.get("subject") or abort(403), cookies=request.headers.get("Cookie"))
    return Response(status=303, headers=begun.headers)


@app.get("/zoom/callback")
def callback() -> Response:
    subject, cookies = session.get("subject"), request.headers.get("Cookie")
    now = int(time.time())
    sent: dict[str, Any] = {"method": request.method, "headers": request.headers}
    try:
        done = flow.finish(request.url, cookies, subject=subject, **sent)
    except InstallRefused as refused:
        return Response(escape(refused.page_text), refused.status, refused.headers)
    tokens = vault.encrypt(json.dumps(asdict(done.tokens)).encode())
    zoom_user = (done.account_id, done.user_id)
    # A Zoom user has one token set: these have replaced the tokens of an earlier install.
    known = """UPDATE installs SET tokens = ?, installed_at = ?
        WHERE account_id = ? AND user_id = ? RETURNING subject"""
    if any(row != (subject,) for row in sql(known, tokens, now, *zoom_user)):
        return Response("This Zoom user is connected to another account.", 409, done.headers)
    upsert = """INSERT INTO installs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE SET
        account_id = excluded.account_id, user_id = excluded.user_id, name = excluded.name,
        tokens = excluded.tokens, installed_at = excluded.installed_at"""
    sql(upsert, subject, *zoom_user, done.display_name, tokens, now)
    return Response(status=303, headers=[("Location", "/"), *done.headers])


@app.post("/zoom/webhook")
@flask_webhook(Webhooks(os.environ["ZOOM_WEBHOOK_SECRET"], client_id=client_id))
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
            # A removal that comes late does not concern a newer install. Times are whole seconds.
            at = min(removed.deauthorization_time or received.signed_at, received.signed_at) + 1
            older = """DELETE FROM installs
                WHERE account_id = ? AND user_id = ? AND installed_at <= ?"""
            db.execute(older, (removed.account_id, removed.user_id, at))
