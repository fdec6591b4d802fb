"""A tutorial's Zoom app in Flask: sign in with Zoom, list meetings, receive webhooks."""

import hashlib
import hmac
import os
import secrets
import sqlite3
import time

import requests
from flask import Flask, jsonify, redirect, request, session

app = Flask(__name__)
app.secret_key = os.environ.get("FLASK_SECRET", "dev")

CLIENT_ID = os.environ["ZOOM_CLIENT_ID"]
CLIENT_SECRET = os.environ["ZOOM_CLIENT_SECRET"]
SECRET_TOKEN = os.environ["ZOOM_WEBHOOK_SECRET_TOKEN"]
REDIRECT_URI = os.environ["ZOOM_REDIRECT_URI"]
ZOOM = os.environ.get("ZOOM_URL", "https://zoom.us")
ZOOM_API = os.environ.get("ZOOM_API_URL", "https://api.zoom.us/v2")
DATABASE = os.environ.get("DATABASE", "zoom.db")


def db():
    connection = sqlite3.connect(DATABASE)
    connection.row_factory = sqlite3.Row
    connection.execute(
        "create table if not exists users (id text primary key, account_id text, name text,"
        " access_token text, refresh_token text, expires_at real)"
    )
    connection.execute("create table if not exists events (body text)")
    return connection


def save(user, tokens):
    with db() as connection:
        connection.execute(
            "insert or replace into users values (?, ?, ?, ?, ?, ?)",
            (
                user["id"],
                user["account_id"],
                user.get("display_name", ""),
                tokens["access_token"],
                tokens["refresh_token"],
                time.time() + tokens["expires_in"],
            ),
        )


def request_token(**form):
    response = requests.post(
        f"{ZOOM}/oauth/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=10
    )
    return response.json()


def access_token(user_id):
    with db() as connection:
        row = connection.execute("select * from users where id = ?", (user_id,)).fetchone()
    if row["expires_at"] < time.time():
        tokens = request_token(grant_type="refresh_token", refresh_token=row["refresh_token"])
        with db() as connection:
            connection.execute(
                "update users set access_token = ?, refresh_token = ?, expires_at = ? where id = ?",
                (
                    tokens["access_token"],
                    tokens["refresh_token"],
                    time.time() + tokens["expires_in"],
                    user_id,
                ),
            )
        return tokens["access_token"]
    return row["access_token"]


@app.get("/")
def index():
    if "user_id" in session:
        return f"Hello {session['name']}! <a href='/meetings'>Meetings</a> <a href='/logout'>Log out</a>"
    return "<a href='/install'>Connect Zoom</a>"


@app.get("/install")
def install():
    session["state"] = secrets.token_urlsafe(16)
    return redirect(
        f"{ZOOM}/oauth/authorize?response_type=code&client_id={CLIENT_ID}"
        f"&redirect_uri={REDIRECT_URI}&state={session['state']}"
    )


@app.get("/oauth/callback")
def callback():
    if request.args.get("state") != session.get("state"):
        return "Invalid state", 400
    tokens = request_token(
        grant_type="authorization_code", code=request.args["code"], redirect_uri=REDIRECT_URI
    )
    user = requests.get(
        f"{ZOOM_API}/users/me",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
        timeout=10,
    ).json()
    save(user, tokens)
    session["user_id"] = user["id"]
    session["name"] = user.get("display_name", "")
    return redirect("/")


@app.get("/meetings")
def meetings():
    if "user_id" not in session:
        return redirect("/")
    response = requests.get(
        f"{ZOOM_API}/users/me/meetings",
        headers={"Authorization": f"Bearer {access_token(session['user_id'])}"},
        timeout=10,
    )
    return jsonify(response.json())


@app.get("/logout")
def logout():
    session.clear()
    return redirect("/")


@app.post("/webhook")
def webhook():
    body = request.get_json()
    if body["event"] == "endpoint.url_validation":
        plain = body["payload"]["plainToken"]
        encrypted = hmac.new(SECRET_TOKEN.encode(), plain.encode(), hashlib.sha256).hexdigest()
        return jsonify(plainToken=plain, encryptedToken=encrypted)
    message = f"v0:{request.headers['x-zm-request-timestamp']}:{request.get_data(as_text=True)}"
    signature = hmac.new(SECRET_TOKEN.encode(), message.encode(), hashlib.sha256).hexdigest()
    if f"v0={signature}" != request.headers["x-zm-signature"]:
        return "Unauthorized", 401
    if body["event"] == "app_deauthorized":
        with db() as connection:
            connection.execute("delete from users where id = ?", (body["payload"]["user_id"],))
    else:
        with db() as connection:
            connection.execute("insert into events values (?)", (request.get_data(as_text=True),))
    return "", 200


if "CHECK_HOOK_KEY" in os.environ:
    from check_hooks import hooks

    app.register_blueprint(hooks)
