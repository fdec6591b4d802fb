"""A Flask app that counts ended meetings. It needs `pip install paraph flask`, and no service.

Start it with `ZOOM_SECRET_TOKEN=… python app.py`; PORT and EVENTS_DATABASE are optional.
"""

import json
import os
import sqlite3
from contextlib import closing

from flask import Flask

from paraph.integrations.webhook_views import flask_webhook
from paraph.webhooks import Received, Webhooks

DATABASE = os.environ.get("EVENTS_DATABASE", "events.db")
app = Flask(__name__)


def connect() -> closing[sqlite3.Connection]:
    db = sqlite3.connect(DATABASE, timeout=10)
    db.execute("CREATE TABLE IF NOT EXISTS events (event_id TEXT PRIMARY KEY, name, event)")
    return closing(db)


def seen(event_id: str) -> bool:
    with connect() as db:
        row = db.execute("SELECT 1 FROM events WHERE event_id = ?", [event_id]).fetchone()
        return row is not None


webhooks = Webhooks(secret=os.environ["ZOOM_SECRET_TOKEN"], seen=seen)


@app.post("/zoom/webhook")
@flask_webhook(webhooks)
def on_event(received: Received) -> None:
    # One transaction for the id and the effect: a retry after a crash finds both or neither.
    with connect() as db, db:
        row = [received.event_id, received.name, json.dumps(received.event)]
        db.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", row)


@app.get("/")
def count() -> str:
    with connect() as db:
        ended = "SELECT count(*) FROM events WHERE name = 'meeting.ended'"
        return f"{db.execute(ended).fetchone()[0]} meetings have ended.\n"


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
