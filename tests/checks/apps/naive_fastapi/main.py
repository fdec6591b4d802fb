"""A tutorial's Zoom app in FastAPI with Authlib: sign in with Zoom, receive webhooks."""

import hashlib
import hmac
import json
import os

from authlib.integrations.starlette_client import OAuth
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key=os.getenv("SESSION_SECRET", "change-me"))

ZOOM_BASE_URL = os.getenv("ZOOM_BASE_URL", "https://zoom.us")
ZOOM_API_URL = os.getenv("ZOOM_API_URL", "https://api.zoom.us/v2")
WEBHOOK_SECRET = os.environ["ZOOM_WEBHOOK_SECRET"]

oauth = OAuth()
oauth.register(
    "zoom",
    client_id=os.environ["ZOOM_CLIENT_ID"],
    client_secret=os.environ["ZOOM_CLIENT_SECRET"],
    authorize_url=f"{ZOOM_BASE_URL}/oauth/authorize",
    access_token_url=f"{ZOOM_BASE_URL}/oauth/token",
    api_base_url=f"{ZOOM_API_URL}/",
)

users = {}
tokens = {}
events = []


@app.get("/", response_class=HTMLResponse)
async def home(request: Request):
    user = request.session.get("user")
    if user:
        return f"<h1>Welcome {user['display_name']}</h1>"
    return '<a href="/login">Login with Zoom</a>'


@app.get("/login")
async def login(request: Request):
    return await oauth.zoom.authorize_redirect(request, str(request.url_for("auth")))


@app.get("/auth/callback")
async def auth(request: Request):
    token = await oauth.zoom.authorize_access_token(request)
    response = await oauth.zoom.get("users/me", token=token)
    user = response.json()
    users[user["id"]] = user
    tokens[user["id"]] = token
    request.session["user"] = user
    return RedirectResponse("/")


@app.post("/webhooks/zoom")
async def webhook(request: Request):
    body = await request.body()
    timestamp = request.headers.get("x-zm-request-timestamp", "")
    message = f"v0:{timestamp}:{body.decode()}"
    expected = (
        "v0=" + hmac.new(WEBHOOK_SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()
    )
    if not hmac.compare_digest(expected, request.headers.get("x-zm-signature", "")):
        raise HTTPException(401, "bad signature")
    event = json.loads(body)
    if event["event"] == "endpoint.url_validation":
        plain = event["payload"]["plainToken"]
        encrypted = hmac.new(WEBHOOK_SECRET.encode(), plain.encode(), hashlib.sha256).hexdigest()
        return {"plainToken": plain, "encryptedToken": encrypted}
    if event["event"] == "app_deauthorized":
        tokens.pop(event["payload"]["user_id"], None)
        users.pop(event["payload"]["user_id"], None)
    events.append(event)
    return {"ok": True}
