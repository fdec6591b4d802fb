"""A Flask product with its own sessions and tables that connects its users to Zoom."""

import os

import tables
from flask import Flask, redirect, request, session
from flask.typing import ResponseReturnValue
from markupsafe import escape

from paraph.installs import InstallFlow, InstallResult
from paraph.integrations.install_views import FlaskInstalls
from paraph.integrations.webhook_views import flask_webhook
from paraph.webhooks import Webhooks

app = Flask(__name__)
# Lax: no other site can press a button here, and Zoom's redirect finds the session.
app.config.update(SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_SAMESITE="Lax")
app.config.update(SESSION_COOKIE_SECURE=True, SECRET_KEY=os.environ["SECRET_KEY"])

flow = InstallFlow(
    client_id=os.environ["ZOOM_CLIENT_ID"],
    client_secret=os.environ["ZOOM_CLIENT_SECRET"],
    redirect_uri=os.environ["ZOOM_REDIRECT_URI"],
    sealing_key=os.environ["SEALING_KEY"],
    required_scopes=["user:read:user"],
    use_state=tables.use_state,
    authorization_server=os.environ.get("ZOOM_URL", "https://zoom.us"),
    api_servers=[os.environ["ZOOM_URL"]] if "ZOOM_URL" in os.environ else [],
    ca_file=os.environ.get("CA_FILE", ""),
)
installs = FlaskInstalls(flow, subject_of=lambda: session.get("subject"))
app.add_url_rule("/zoom/start", view_func=installs.start, methods=["POST"])


@app.get("/zoom/callback")
@installs.finish
def connected(result: InstallResult) -> ResponseReturnValue:
    if not tables.keep_install(result):
        return "This Zoom user is connected to another account.", 409
    return redirect("/", 303)


webhooks = Webhooks(os.environ["ZOOM_WEBHOOK_SECRET"], client_id=os.environ["ZOOM_CLIENT_ID"])
app.post("/zoom/webhook")(flask_webhook(webhooks)(tables.keep_event))


@app.get("/")
def home() -> str:
    if "subject" not in session:
        return "<form method=post action=/sign-in><input name=user><button>Sign in</button></form>"
    name = tables.connected_name(session["subject"])
    state = f"Zoom user {escape(name)} is connected." if name else "Zoom is not connected."
    return f"{state}<form method=post action=/zoom/start><button>Connect Zoom</button></form>"


@app.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    session["subject"] = request.form["user"]  # In your product this asks for a password.
    return redirect("/", 303)
