"""Tidemark, a Flask product with Zoom inside it."""

import os
import sqlite3
from contextlib import closing
from typing import Any

from flask import Flask, redirect, render_template_string, request, session, url_for

from paraph.integrations.flask import ZoomFlask
from paraph.integrations.security_headers import WSGISecurityHeaders

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
# Forms of other sites arrive without the session.
app.config.update(SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_SECURE=True)

zoom = ZoomFlask(
    prefix="/zoom",
    subject_of=lambda: session.get("user"),
    sign_in_url="/sign-in",
    after_install="/",
)

SIGN_IN = "<form method=post><input name=user required><button>Sign in</button></form>"
HOME = """<h1>Tidemark</h1><p>Signed in as {{ session.user }}.</p>
{% if connected %}<ul>{% for topic in topics %}<li>{{ topic }}{% endfor %}</ul>
<form method=post action=/disconnect><button>Disconnect Zoom</button></form>
{% else %}<a href="{{ url_for('paraph.start') }}">Connect Zoom</a>{% endif %}"""


def execute(statement: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(os.environ.get("DATABASE", "tidemark.db"))) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS meetings (event TEXT PRIMARY KEY, user, topic)")
        return db.execute(statement, values).fetchall()


@zoom.on("meeting.ended")
def meeting_ended(event: Any, installation: Any) -> None:
    # In a thread of a worker. An event may arrive again, and keeps its id then.
    if installation is not None:
        values = (event.id, installation.subject, event.payload["object"]["topic"])
        execute("INSERT OR IGNORE INTO meetings VALUES (?, ?, ?)", *values)


@app.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    if request.method == "GET":
        return SIGN_IN
    session["user"] = request.form["user"]
    start = url_for("paraph.start")
    return redirect(start if request.args.get("next") == start else "/")


@app.get("/")
def home() -> Any:
    if "user" not in session:
        return redirect("/sign-in")
    connected = zoom.installation.is_active()
    topics = execute("SELECT topic FROM meetings WHERE user = ?", session["user"])
    return render_template_string(HOME, connected=connected, topics=[one for (one,) in topics])


@app.get("/me")
def me() -> Any:
    return {"zoom": zoom.installation.get("/users/me").json()["display_name"]}


@app.post("/disconnect")
def disconnect() -> Any:
    zoom.installation.remove()
    return redirect("/")


zoom.init_app(app)
app.wsgi_app = WSGISecurityHeaders(app.wsgi_app)
