"""A FastAPI product whose users connect Zoom; docs/tutorials/fastapi.md explains each part."""

from __future__ import annotations

import html
import os
import secrets
from collections import defaultdict
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from paraph import NotFound, SubjectInstallation, Zoom
from paraph.integrations.fastapi import installation_of, router

# ---------------------------------------------------------------- Zoom

zoom = Zoom(
    prefix="/zoom",
    subject_of=lambda request: request.session.get("user"),
    sign_in_url="/sign-in",
    after_install="/",
    after_failure="/",
)
app = FastAPI(lifespan=zoom.lifespan, openapi_url=None)
app.include_router(router(zoom))
Installed = Annotated[SubjectInstallation, Depends(installation_of(zoom))]
topics: defaultdict[str, list[str]] = defaultdict(list)


@zoom.on("meeting.ended")
def meeting_ended(event: Any) -> None:
    for one in event.installations:
        topics[one.subject].append(event.payload["object"]["topic"])


@app.get("/me")
async def me(installation: Installed) -> Any:
    return (await installation.get("/users/me")).json()


@app.post("/disconnect")
async def disconnect(installation: Installed) -> RedirectResponse:
    await installation.remove()
    return RedirectResponse("/", 303)


@app.get("/")
async def home(request: Request) -> HTMLResponse:
    user = request.session.get("user")
    if user is None:
        return HTMLResponse('<a href="/sign-in">Sign in</a>')
    name = html.escape(user)
    try:
        connected = (await zoom.installation(user).status()).phase == "active"
    except NotFound:
        connected = False
    if not connected:
        return HTMLResponse(f'<p>{name}</p><a href="/zoom/start">Connect Zoom</a>')
    rows = "".join(f"<li>{html.escape(topic)}</li>" for topic in topics[user])
    button = '<form method="post" action="/disconnect"><button>Disconnect Zoom</button></form>'
    return HTMLResponse(f"<p>{name}, these meetings have ended:</p><ul>{rows}</ul>{button}")


# ---------------------------------------------------------------- your own sign-in and headers

# SameSite=Lax: the session comes along when Zoom sends the browser back, not with foreign forms.
key = os.environ.get("SESSION_KEY") or secrets.token_urlsafe()
app.add_middleware(SessionMiddleware, secret_key=key, https_only=True, same_site="lax")


HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}


@app.middleware("http")
async def add_headers(request: Request, answer: Any) -> Any:
    response = await answer(request)
    for header, value in HEADERS.items():
        response.headers.setdefault(header, value)
    return response


@app.get("/sign-in")
async def sign_in_page() -> HTMLResponse:
    return HTMLResponse(
        '<form method="post">Name <input name="user"><button>Sign in</button></form>'
    )


@app.post("/sign-in")
async def sign_in(request: Request) -> RedirectResponse:
    request.session["user"] = parse_qs((await request.body()).decode())["user"][0]
    return RedirectResponse("/", 303)
