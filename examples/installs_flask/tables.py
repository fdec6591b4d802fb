"""The product's own tables, in SQLite: used states, installs with sealed tokens, and events."""

import json
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict
from typing import Any

from cryptography.fernet import Fernet

from paraph.installs import InstallResult
from paraph.webhooks import Received

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
    """Use up a state: the primary key makes it count once."""
    sql("DELETE FROM used_states WHERE expires_at < ?", time.time())
    added = sql("INSERT OR IGNORE INTO used_states VALUES (?, ?)", state_hash, expires_at)
    return bool(added == 1)


def connected_name(subject: str) -> str | None:
    """Return the name of the Zoom user that an account is connected to."""
    rows = sql("SELECT name FROM installs WHERE subject = ?", subject)
    return rows[0][0] if rows else None


def keep_install(result: InstallResult) -> bool:
    """Keep an install and its tokens; return False if the Zoom user is another account's."""
    tokens = vault.encrypt(json.dumps(asdict(result.tokens)).encode())
    zoom_user, at = (result.account_id, result.user_id), result.installed_at
    # A Zoom user has one token set: these have replaced the tokens of an earlier install.
    known = """UPDATE installs SET tokens = ?, installed_at = ?
        WHERE account_id = ? AND user_id = ? RETURNING subject"""
    if any(row != (result.subject,) for row in sql(known, tokens, at, *zoom_user)):
        return False
    upsert = """INSERT INTO installs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE SET
        account_id = excluded.account_id, user_id = excluded.user_id, name = excluded.name,
        tokens = excluded.tokens, installed_at = excluded.installed_at"""
    sql(upsert, result.subject, *zoom_user, result.display_name, tokens, at)
    return True


def keep_event(received: Received) -> None:
    """Keep an event that concerns an install, once; a removal deletes that install."""
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
