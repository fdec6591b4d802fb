"""A Starlette product whose users connect Zoom: one middleware serves and runs everything."""

import html
import os
import secrets
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from paraph import Zoom
from paraph.integrations.starlette import ZoomMiddleware, exception_handlers, installation_of

zoom = Zoom(
    prefix="/zoom",
    subject_of=lambda request: request.session.get("user"),
    sign_in_url="/sign-in",
    after_install="/",
    after_failure="/",
)
topics: defaultdict[str, list[str]] = defaultdict(list)


@zoom.on("meeting.ended")
def meeting_ended(event: Any) -> None:
    for one in event.installations:
        topics[one.subject].append(event.payload["object"]["topic"])


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
    installations = [one async for one in zoom.installations(subject=user)]
    if not any(one.phase == "active" for one in installations):
        return HTMLResponse(f'<p>{name}</p><a href="/zoom/start">Connect Zoom</a>')
    rows = "".join(f"<li>{html.escape(topic)}</li>" for topic in topics[user])
    button = '<form method="post" action="/disconnect"><button>Disconnect Zoom</button></form>'
    return HTMLResponse(f"<p>{name}, these meetings have ended:</p><ul>{rows}</ul>{button}")


async def sign_in(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(
            '<form method="post">Name <input name="user"><button>Sign in</button></form>'
        )
    request.session["user"] = parse_qs((await request.body()).decode())["user"][0]
    return RedirectResponse("/", 303)


async def add_headers(request: Request, answer: Any) -> Response:
    response: Response = await answer(request)
    response.headers.update({**HEADERS, **response.headers})
    return response


HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
}
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
        Middleware(BaseHTTPMiddleware, dispatch=add_headers),
        Middleware(SessionMiddleware, secret_key=key, https_only=True, same_site="lax"),
        Middleware(ZoomMiddleware, zoom=zoom),
    ],
    exception_handlers=exception_handlers(zoom),
)
