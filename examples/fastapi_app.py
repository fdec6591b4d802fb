"""A FastAPI product with Zoom inside it: no service beside it, four steps to link a user.

uvicorn fastapi_app:app            with PARAPH_* or a paraph.toml, in which
                                   start_url = ".../zoom/start", link_url = ".../zoom/link"
"""

from __future__ import annotations

import html
import secrets
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp

from paraph import NeedsReauthorization, NotFound, Zoom

# Of your own product: who is signed in. Here a session is a dictionary behind a cookie.
_sessions: dict[str, dict[str, str]] = {}


def signed_in(request: Request) -> dict[str, str]:
    """The session of the signed-in user."""
    session = _sessions.get(request.cookies.get("session", ""))
    if session is None:
        raise HTTPException(401, "sign in first")
    return session


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form."""
    return dict(parse_qsl((await request.body()).decode()))


Session = Annotated[dict[str, str], Depends(signed_in)]


def create_app(zoom: Zoom) -> ASGIApp:
    """The product, with the URLs of the service around it."""
    api = FastAPI(lifespan=zoom.lifespan)

    @api.post("/sign-in")
    async def sign_in(request: Request) -> RedirectResponse:
        key = secrets.token_urlsafe(32)
        _sessions[key] = {"user": (await form_of(request))["user"]}
        response = RedirectResponse("/zoom/start", 303)
        response.set_cookie("session", key, httponly=True, secure=True, samesite="lax")
        return response

    @api.get("/zoom/start")
    async def start(session: Session) -> RedirectResponse:
        # 1 and 2: the nonce stays in this user's session, its hash goes along.
        session["nonce"] = secrets.token_urlsafe(32)
        request = await zoom.request_link(session["user"], nonce=session["nonce"])
        return RedirectResponse(request.install_url, 303)

    @api.get("/zoom/link")
    async def link(session: Session, handoff: str) -> HTMLResponse:
        # 3: only the session that began it can open the handoff.
        try:
            claim = await zoom.claim(handoff, nonce=session.get("nonce", ""))
        except NotFound:
            # The nonce stays: whoever sends a person here must not end what they began.
            raise HTTPException(400, "this link was not begun here; start again") from None
        session.pop("nonce")
        session["claim"], session["form"] = claim.claim, secrets.token_urlsafe(32)
        return HTMLResponse(
            f"<p>Link {html.escape(claim.zoom.email)} to {html.escape(session['user'])}?"
            f"<form method=post action=/zoom/confirm><input type=hidden name=form "
            f"value={session['form']}><button>Yes, these are both mine</button></form>"
        )

    @api.post("/zoom/confirm")
    async def confirm(session: Session, request: Request) -> RedirectResponse:
        # 4: the person said yes, on this page and in this session.
        sent = (await form_of(request)).get("form", "")
        if not secrets.compare_digest(sent, session.get("form") or secrets.token_urlsafe()):
            raise HTTPException(400, "this form is not from here")
        await zoom.confirm(session.pop("claim"), subject=session["user"])
        return RedirectResponse("/me", 303)

    @api.get("/me")
    async def me(session: Session) -> dict[str, str]:
        try:
            response = await zoom.installation(session["user"]).get("/users/me")
        except NotFound:
            raise HTTPException(404, "not linked to Zoom") from None
        except NeedsReauthorization as ended:
            raise HTTPException(409, f"install again: {ended.reason}") from None
        return {"zoom": response.json()["display_name"]}

    return zoom.around(api)


def __getattr__(name: str) -> ASGIApp:
    # Made when a server asks for it: reading this file reads no settings.
    if name != "app":
        raise AttributeError(name)
    return create_app(Zoom.from_settings())
