"""Authlib in Flask as "Flask OAuth Client" and "Web OAuth Clients" of docs.authlib.org show it.

Registration with `client_kwargs`, the two routes, `token=` at each API call, and the signal
`token_update` for refreshed tokens. PKCE is an option there (`code_challenge_method`); it is off.
"""

import os

from authlib.integrations.flask_client import OAuth, token_update
from flask import Flask, jsonify, redirect, request, session, url_for

app = Flask(__name__)
app.secret_key = "a secret for a site that lives a minute"
oauth = OAuth(app)
oauth.register(
    name="zoom",
    client_id=os.environ["ZOOM_CLIENT_ID"],
    client_secret=os.environ["ZOOM_CLIENT_SECRET"],
    access_token_url="https://zoom.us/oauth/token",
    authorize_url="https://zoom.us/oauth/authorize",
    api_base_url="https://api.zoom.us/v2/",
)
# The documentation keeps tokens in the host's database; for the check a dictionary will do.
tokens: dict[str, dict] = {}


@app.route("/login")
def login():
    redirect_uri = url_for("authorize", _external=True)
    return oauth.zoom.authorize_redirect(redirect_uri)


@app.route("/authorize")
def authorize():
    token = oauth.zoom.authorize_access_token()
    resp = oauth.zoom.get("users/me", token=token)
    resp.raise_for_status()
    profile = resp.json()
    tokens[profile["id"]] = token
    session["user"] = profile["id"]
    return redirect("/")


@token_update.connect_via(app)
def on_token_update(sender, name, token, refresh_token=None, access_token=None):
    for user, known in tokens.items():
        if known.get("refresh_token") == refresh_token:
            tokens[user] = {**known, **token}
            return


@app.route("/")
def index():
    return f"<p>signed in as {session['user']}</p>" if "user" in session else "<p>hello</p>"


@app.route("/hooks/use", methods=["POST"])
def use():
    token = tokens.get(request.json["user_id"])
    if token is None:
        return jsonify(error="not connected"), 404
    return jsonify(status=oauth.zoom.get("users/me", token=token).status_code)


@app.route("/hooks/expire", methods=["POST"])
def expire():
    tokens[request.json["user_id"]]["expires_at"] = 1
    return jsonify(expired=True)
