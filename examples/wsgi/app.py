"""Tidemark, a product for any WSGI server, with Zoom inside it; its requests are Werkzeug's."""

import os
import sqlite3
from contextlib import closing
from typing import Any

from itsdangerous import Signer
from markupsafe import Markup
from werkzeug import Request, Response
from werkzeug.utils import redirect

from paraph import SyncZoom
from paraph.integrations.security_headers import WSGISecurityHeaders
from paraph.integrations.wsgi import ZoomMiddleware, subject_in_environ

zoom = SyncZoom(
    prefix="/zoom",
    subject_of=subject_in_environ,
    sign_in_url="/sign-in",
    after_install="/",
)
signer = Signer(os.environ["SECRET_KEY"])
SIGN_IN = "<form method=post><input name=user required><button>Sign in</button></form>"
CONNECT = Markup("<a href=/zoom/start>Connect Zoom</a>")
DISCONNECT = Markup("<form method=post action=/disconnect><button>Disconnect Zoom</button></form>")


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


def signed_in(environ: Any) -> str | None:
    session = Request(environ).cookies.get("session", "")
    return signer.unsign(session).decode() if signer.validate(session) else None


def home(user: str) -> Markup:
    page = Markup("<p>Signed in as {}.</p>").format(user)
    if not zoom.installation(user).is_active():
        return page + CONNECT
    topics = execute("SELECT topic FROM meetings WHERE user = ?", user)
    return page + Markup().join(Markup("<p>{}</p>").format(*one) for one in topics) + DISCONNECT


@Request.application
def product(request: Request) -> Response:
    user, page = signed_in(request.environ), (request.method, request.path)
    if page == ("GET", "/sign-in"):
        return Response(SIGN_IN, mimetype="text/html")
    if page == ("POST", "/sign-in"):
        response = redirect("/", 303)
        session = signer.sign(request.form["user"]).decode()
        response.set_cookie("session", session, httponly=True, samesite="Lax", secure=True)
        return response
    if user is None:
        return redirect("/sign-in")
    if page == ("POST", "/disconnect"):
        zoom.installation(user).remove()
        return redirect("/", 303)
    if page == ("GET", "/me"):
        return Response(zoom.installation(user).get("/users/me").json()["display_name"])
    if page == ("GET", "/"):
        return Response(home(user), mimetype="text/html")
    return Response("Not found.", 404)


app = WSGISecurityHeaders(ZoomMiddleware(product, zoom, subject_of=signed_in))
