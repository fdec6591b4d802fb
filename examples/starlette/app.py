"""A Starlette product whose users connect Zoom: one middleware serves and runs everything."""

import html
import os
import secrets
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from paraph import HandedEvent, Zoom
from paraph.integrations.security_headers import SecurityHeaders
from paraph.integrations.starlette import ZoomMiddleware, installation_of

zoom = Zoom(
    prefix="/zoom",
    subject_of=lambda request: request.session.get("user"),
    sign_in_url="/sign-in",
    after_install="/",
    after_failure="/",
)
topics: dict[str, list[str]] = {}


@zoom.on("meeting.ended")
def meeting_ended(event: HandedEvent) -> None:
    for one in event.installations:
        topics.setdefault(one.subject, []).append(event.payload["object"]["topic"])


async def me(request: Request) -> Response:
    installation = await installation_of(zoom, request)
    return JSONResponse((await installation.get("/users/me")).json())


async def disconnect(request: Request) -> Response:
    await (await installation_of(zoom, request)).remove()
    return RedirectResponse("/", 303)


async def home(request: Request) -> Response:
    user = request.session.get("user")
    if user is None:
        return HTMLResponse('<a href="/sign-in">Sign in</a>')
    name = html.escape(user)
    if not await zoom.installation(user).is_active():
        return HTMLResponse(f'<p>{name}</p><a href="/zoom/start">Connect Zoom</a>')
    rows = "".join(f"<li>{html.escape(topic)}</li>" for topic in topics.get(user, []))
    button = '<form method="post" action="/disconnect"><button>Disconnect Zoom</button></form>'
    return HTMLResponse(f"<p>{name}, these meetings have ended:</p><ul>{rows}</ul>{button}")


async def sign_in(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(SIGN_IN)
    request.session["user"] = parse_qs((await request.body()).decode())["user"][0]
    return RedirectResponse("/", 303)


SIGN_IN = '<form method="post">Name <input name="user"><button>Sign in</button></form>'
key = os.environ.get("SESSION_KEY") or secrets.token_urlsafe()
app = Starlette(
    routes=[
        Route("/", home),
        Route("/me", me),
        Route("/disconnect", disconnect, methods=["POST"]),
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
    ],
    # In this order: the session is known where Zoom asks who is signed in.
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(SessionMiddleware, secret_key=key, https_only=True, same_site="lax"),
        Middleware(ZoomMiddleware, zoom=zoom),
    ],
)
