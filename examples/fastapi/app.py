"""A FastAPI product whose users connect Zoom; docs/tutorials/fastapi.md explains each part."""

from __future__ import annotations

import html
import os
import secrets
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.middleware.sessions import SessionMiddleware

from paraph import HandedEvent, SubjectInstallation, Zoom
from paraph.integrations.fastapi import installation_of, router
from paraph.integrations.security_headers import SecurityHeaders

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
topics: dict[str, list[str]] = {}


@zoom.on("meeting.ended")
def meeting_ended(event: HandedEvent) -> None:
    for one in event.installations:
        topics.setdefault(one.subject, []).append(event.payload["object"]["topic"])


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
    if not await zoom.installation(user).is_active():
        return HTMLResponse(f'<p>{name}</p><a href="/zoom/start">Connect Zoom</a>')
    rows = "".join(f"<li>{html.escape(topic)}</li>" for topic in topics.get(user, []))
    button = '<form method="post" action="/disconnect"><button>Disconnect Zoom</button></form>'
    return HTMLResponse(f"<p>{name}, these meetings have ended:</p><ul>{rows}</ul>{button}")


# ---------------------------------------------------------------- your own sign-in and headers

# SameSite=Lax: the session comes along when Zoom sends the browser back, not with foreign forms.
key = os.environ.get("SESSION_KEY") or secrets.token_urlsafe()
app.add_middleware(SessionMiddleware, secret_key=key, https_only=True, same_site="lax")
app.add_middleware(SecurityHeaders)
SIGN_IN = '<form method="post">Name <input name="user"><button>Sign in</button></form>'


@app.api_route("/sign-in", methods=["GET", "POST"])
async def sign_in(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(SIGN_IN)
    request.session["user"] = parse_qs((await request.body()).decode())["user"][0]
    return RedirectResponse("/", 303)
