"""A host product for the service under attack; any account can sign in and all hooks exist."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import logging
import os
import socket
import sys
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from end_to_end.target.front import serve_front
from end_to_end.target.service_process import ServiceProcess

_COOKIE = "__Host-host"
_MEETINGS = "/v2/users/me/meetings"
_HEADERS = (
    (b"strict-transport-security", b"max-age=63072000"),
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


@dataclass(slots=True)
class Session:
    """The session of one browser and the subject that is signed in."""

    subject: str
    csrf: str
    nonce: str = ""
    claim: dict[str, Any] = field(default_factory=dict)


class Host:
    """Serves the pages and the hooks."""

    def __init__(self, service: ServiceProcess, zoom: str) -> None:
        self._service, self._zoom = service, zoom
        self._sessions: dict[str, Session] = {}
        self._events: list[str] = []

    def app(self) -> ASGIApp:
        """Build the ASGI application."""
        return _Dressed(
            Starlette(
                routes=[
                    Route("/", self._home),
                    Route("/sign-in", self._sign_in, methods=["GET", "POST"]),
                    Route("/sign-out", self._sign_out, methods=["POST"]),
                    Route("/connect", self._connect, methods=["GET", "POST"]),
                    Route("/link", self._link),
                    Route("/confirm", self._confirm, methods=["GET", "POST"]),
                    Route("/account", self._account),
                    Route("/disconnect", self._disconnect, methods=["POST"]),
                    Route("/hooks/paraph", self._hear, methods=["POST"]),
                    Route("/_hooks/{name}", self._hook, methods=["POST"]),
                ]
            )
        )

    # ------------------------------------------------------------ the service

    async def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        return await asyncio.to_thread(
            _request,
            f"http://127.0.0.1:{self._service.private_port}",
            method,
            path,
            self._service.api_key,
            body,
        )

    async def _installations(self, subject: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            query = f"?limit=200&after={after}" + (f"&subject={quote(subject)}" if subject else "")
            status, content = await self._ask("GET", f"/v1/installations{query}")
            if status != 200:
                return found
            found += content["installations"]
            after = content["next"] or ""
            if not after:
                return found

    # ------------------------------------------------------------ sessions

    def _session(self, request: Request) -> Session | None:
        return self._sessions.get(request.cookies.get(_COOKIE, ""))

    async def _posted(self, request: Request) -> tuple[Session | None, dict[str, str]]:
        """Return the session, if the POST comes from one of its own pages, and the form fields."""
        fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        session = self._session(request)
        if session is None or fields.get("csrf") != session.csrf:
            return None, fields
        return session, fields

    async def _home(self, request: Request) -> Response:
        return RedirectResponse("/account" if self._session(request) else "/sign-in", 303)

    async def _sign_in(self, request: Request) -> Response:
        fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        site = request.headers.get("sec-fetch-site", "same-origin")
        if request.method == "GET" or not fields.get("user") or site != "same-origin":
            return _page("Sign in", _form("/sign-in", "Sign in", user=""))
        self._sessions.pop(request.cookies.get(_COOKIE, ""), None)
        name = os.urandom(24).hex()
        self._sessions[name] = Session(fields["user"], os.urandom(16).hex())
        response = RedirectResponse("/account", 303)
        response.set_cookie(_COOKIE, name, secure=True, httponly=True, samesite="lax")
        return response

    async def _sign_out(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") == "same-origin":
            self._sessions.pop(request.cookies.get(_COOKIE, ""), None)
        return RedirectResponse("/sign-in", 303)

    # ------------------------------------------------------------ linking

    async def _connect(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return RedirectResponse("/sign-in", 303)
        if request.method == "GET":
            return _page("Connect Zoom", _form("/connect", "Connect", csrf=session.csrf))
        posted, _ = await self._posted(request)
        if posted is None:
            return _page("This form has expired", status=403)
        posted.nonce = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        digest = hashlib.sha256(posted.nonce.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        body = {"subject": posted.subject, "challenge": challenge}
        status, content = await self._ask("POST", "/v1/link-requests", body)
        if status >= 300:
            return _page("Not now", status=503)
        return RedirectResponse(content["install_url"], 303)

    async def _link(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return RedirectResponse("/sign-in", 303)
        nonce, session.nonce = session.nonce, ""
        body = {"handoff": request.query_params.get("handoff", "-"), "verifier": nonce or "-"}
        status, content = await self._ask("POST", "/v1/handoffs/claim", body)
        if status >= 300:
            return _page("This did not begin here", status=400)
        session.claim = content
        return RedirectResponse("/confirm", 303)

    async def _confirm(self, request: Request) -> Response:
        session = self._session(request)
        if session is None or not session.claim:
            return _page("There is nothing to confirm", status=404)
        claim = session.claim
        if request.method == "GET":
            return self._question(session, claim)
        posted, _ = await self._posted(request)
        if posted is None:
            return _page("This form has expired", status=403)
        session.claim = {}
        body = {"subject": session.subject, "move": bool(claim["replaces"])}
        status, _ = await self._ask("POST", f"/v1/claims/{claim['claim']}/confirm", body)
        if status >= 300:
            return _page("This cannot be confirmed", status=409)
        return RedirectResponse("/account", 303)

    def _question(self, session: Session, claim: dict[str, Any]) -> Response:
        zoom = claim["zoom"]
        who = f"{escape(zoom['display_name'])} ({escape(zoom['email'])})"
        text = f"<p>Link Zoom user {who} to the account {escape(session.subject)}?</p>"
        for one in claim["replaces"]:
            text += f"<p>This moves a link that {escape(one['subject'])} already has.</p>"
        return _page("Link these accounts?", text + _form("/confirm", "Link", csrf=session.csrf))

    async def _account(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return RedirectResponse("/sign-in", 303)
        text = f"<p>Signed in as {escape(session.subject)}.</p>"
        for one in await self._installations(session.subject):
            text += f"<p>{escape(one['zoom']['display_name'])}</p>"
            text += _form("/disconnect", "Disconnect", csrf=session.csrf, id=one["id"])
        return _page("Your account", text)

    async def _disconnect(self, request: Request) -> Response:
        session, fields = await self._posted(request)
        if session is None:
            return _page("This form has expired", status=403)
        own = {one["id"] for one in await self._installations(session.subject)}
        if fields.get("id") not in own:
            return _page("There is nothing here", status=404)
        await self._ask("DELETE", f"/v1/installations/{fields['id']}")
        return RedirectResponse("/account", 303)

    # ------------------------------------------------------------ hooks

    async def _hear(self, request: Request) -> Response:
        """Accept notices, and events that name an installation; other events have no tenant."""
        body = (await request.body()).decode("utf-8", "replace")
        data = json.loads(body)["data"]
        if data.get("installations") or "installation" in data:
            self._events.append(body)
        return Response(status_code=204)

    async def _hook(self, request: Request) -> Response:
        given = json.loads(await request.body() or b"{}")
        match request.path_params["name"]:
            case "links":
                return JSONResponse(
                    [
                        {
                            "subject": one["subject"],
                            "user_id": one["zoom"]["user_id"],
                            "account_id": one["zoom"]["account_id"],
                        }
                        for one in await self._installations()
                    ]
                )
            case "use":
                return Response(status_code=await self._use(given["subject"]))
            case "events":
                return JSONResponse(self._events)
            case "advance":
                self._service.clock.write_text(given["seconds"], "ascii")
            case "rotate":
                await asyncio.to_thread(self._service.run, "keys", "rotate")
            case _:
                return Response(status_code=404)
        return JSONResponse({})

    async def _use(self, subject: str) -> int:
        found = await self._installations(subject)
        if not found:
            return 404
        path = f"/v1/installations/{found[0]['id']}/access-token"
        status, content = await self._ask("POST", path, {"subject": subject})
        if status >= 300:
            return status
        token = content["access_token"]
        status, _ = await asyncio.to_thread(_request, self._zoom, "GET", _MEETINGS, token)
        return status if status < 300 else 502


class _Dressed:
    """Adds the security headers to every page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, dressed)


def _request(origin: str, method: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
    parts = urlsplit(origin)
    plain = parts.scheme == "http"
    kind = http.client.HTTPConnection if plain else http.client.HTTPSConnection
    connection = kind(parts.netloc, timeout=30)
    try:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, headers)
        response = connection.getresponse()
        content = response.read()
    except OSError:
        return 503, None
    finally:
        connection.close()
    try:
        return response.status, json.loads(content)
    except ValueError:
        return response.status, None


def _page(title: str, content: str = "", *, status: int = 200) -> HTMLResponse:
    name = escape(title)
    return HTMLResponse(
        f"<!doctype html><html lang=en><title>{name}</title><h1>{name}</h1>{content}", status
    )


def _form(action: str, label: str, **fields: str) -> str:
    hidden = "".join(
        f'<input type=hidden name="{n}" value="{escape(v)}">' for n, v in fields.items()
    )
    return f'<form method=post action="{action}">{hidden}<button>{label}</button></form>'


async def _serve() -> None:
    service = ServiceProcess()
    service.start()
    given = os.environ
    port = int(given["TARGET_PORT"])
    inner = int(given["TARGET_INNER_PORT"]) if service.certificate else port
    for needed in (inner, service.private_port):
        await _until_listening(service, needed)
    if service.certificate:
        await serve_front(port, inner, service.certificate, given["TARGET_CERTIFICATE_KEY"])
        await serve_front(int(given["TARGET_PLAIN_PORT"]), inner, "", "")
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    server = uvicorn.Server(
        uvicorn.Config(
            Host(service, given["TARGET_ZOOM"]).app(),
            port=int(given["TARGET_HOST_PORT"]),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )
    try:
        await server.serve()
    finally:
        service.stop()


async def _until_listening(service: ServiceProcess, port: int) -> None:
    while True:
        if service.ended:
            sys.stderr.write("the service has ended; see service.log\n")
            sys.exit(2)
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    asyncio.run(_serve())
