"""The twin as an ASGI application: routes, pages, hooks, and the headers of every response."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable
from html import escape

from starlette.types import Receive, Scope, Send

from paraph.checks.twin.flow import Flow
from paraph.checks.twin.forwarded import client_scheme
from paraph.checks.twin.removal import Removals
from paraph.checks.twin.session import Session, Sessions
from paraph.checks.twin.settings import Settings
from paraph.checks.twin.tokens import Tokens
from paraph.checks.twin.vault import Vault
from paraph.checks.twin.web import (
    Request,
    Response,
    button,
    page,
    read_body,
    request_of,
    see,
    send_response,
)
from paraph.checks.twin.webhook import Webhook
from paraph.checks.twin.zoom_client import ZoomClient

BODY_LIMIT = 1_000_000
_STARTS_PER_MINUTE = 150
_MOST_BODIES = 64
BUSY = b"too many bodies are under way"
_HEADERS = (
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    (
        "content-security-policy",
        (
            "default-src 'none'; object-src 'none'; base-uri 'none'; "
            "frame-ancestors 'none'; form-action 'self'"
        ),
    ),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
)
Endpoint = Callable[[Request], Awaitable[Response]]


class Twin:
    """The complete app.

    Args:
        settings: the configuration and the switches.
        plain: serve the http counterpart of a TLS listener, which only refers to https.
    """

    def __init__(self, settings: Settings, *, plain: bool = False) -> None:
        self.settings, self.plain = settings, plain
        self.vault = Vault(settings)
        self.sessions = Sessions(settings)
        zoom = ZoomClient(settings)
        self.flow = Flow(settings, self.vault, self.sessions, zoom)
        self.tokens = Tokens(settings, self.vault, self.sessions, zoom)
        self.removals = Removals(settings, self.vault, self.tokens)
        self.webhook = Webhook(settings, self.vault, self.tokens, self.removals)
        self._reading = 0
        self._starts: dict[str, list[float]] = {}

    def twin_in_clear(self) -> Twin:
        """Return the same app for the http listener."""
        other = object.__new__(Twin)
        other.__dict__.update(self.__dict__)
        other.plain = True
        return other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        limit = 10**9 if self.settings.is_weak("wh-big-slow") else BODY_LIMIT
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        body = (
            None
            if announced.isdigit() and int(announced) > limit
            else await self._read(receive, limit)
        )
        if body is BUSY:
            await send_response(self._dressed(None, Response(503)), send)
            return
        if body is None:
            await send_response(self._dressed(None, Response(413)), send)
            return
        request = request_of(scope, body)
        try:
            response = await self._route(request)
        except Exception:  # noqa: BLE001 - Show a page, never a stack trace.
            self.settings.log(traceback.format_exc(limit=3).splitlines()[-1][:60])
            response = page("Something went wrong", status=500)
        await send_response(self._dressed(request, response), send)

    async def _read(self, receive: Receive, limit: int) -> bytes | None:
        """Read the body; a weak app limits the total size of all bodies being read."""
        if not self.settings.is_weak("wh-stalled-bodies"):
            return await read_body(receive, limit)
        first = await receive()
        if first.get("more_body") and self._reading >= _MOST_BODIES:
            return BUSY
        self._reading += 1
        try:
            return await read_body(receive, limit, first)
        finally:
            self._reading -= 1

    def _dressed(self, request: Request | None, response: Response) -> Response:
        weak = self.settings.is_weak
        names = {name for name, _ in response.headers}
        for name, value in _HEADERS:
            skip = weak("hdr-security") and name in {
                "content-security-policy",
                "x-content-type-options",
            }
            skip = skip or (weak("hdr-no-store") and name == "cache-control")
            skip = skip or (weak("cb-clean-url") and name == "referrer-policy")
            skip = skip or (
                weak("mp-bounce-no-leak") and name in {"cache-control", "referrer-policy"}
            )
            if weak("hdr-clickjack") and name == "content-security-policy":
                value = "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors *"  # noqa: PLW2901 - A weakness.
            if name not in names and not skip:
                response.headers.append((name, value))
        if request is not None and weak("hdr-cors") and request.header("origin"):
            response.headers += [
                ("access-control-allow-origin", request.header("origin")),
                ("access-control-allow-credentials", "true"),
            ]
        if request is not None and request.header("upgrade") and not weak("net-upgrade"):
            response.headers.append(("connection", "close"))
        if weak("net-errors"):
            response.headers.append(("server", "twin/1.0 Python/3.11.2"))
        if weak("leak-memory-crash") and response.status >= 400:
            response.body += "".join(traceback.format_stack(limit=2)).encode()
        return response

    # ------------------------------------------------------------ routing

    async def _route(self, request: Request) -> Response:
        weak, path = self.settings.is_weak, request.path
        if self.plain and not weak("net-plain-http"):
            return page("This is served over https only", status=403)
        if self.settings.behind_proxies and client_scheme(request, self.settings) != "https":
            return page("This is served over https only", status=403)
        if weak("net-errors") and request.method == "TRACE":
            return Response(200, f"{request.headers}".encode())
        if weak("net-forwarded") and request.header("x-original-url"):
            path = request.header("x-original-url")
        special = await self._special(request)
        if special is not None:
            return special
        decoded = path == "/webhook" and weak("wh-path-variants")
        if request.raw_path != request.path.encode() and not decoded:
            return page("There is nothing here", status=404)
        table: dict[str, Endpoint] = {
            "/redirect": self._redirection,
            "/redirect/second": self._redirection,
            "/marketplace": self._marketplace,
            "/connect": self._connect,
            "/sign-in": self._sign_in,
            "/sign-out": self._sign_out,
            "/account": self._account,
            "/claim": self._claim,
            "/disconnect": self._disconnect,
            "/admin": self._admin,
            "/": self._home,
            "/healthz": self._healthz,
        }
        if path == "/webhook":
            if request.method != "POST":
                return page("Method not allowed", status=405)
            return await self.webhook.handle(request)
        if path.startswith("/installations/"):
            return self._installation(request)
        found = table.get(path)
        if found is None:
            return page("There is nothing here", status=404)
        if request.method not in {"GET", "POST", "HEAD"}:
            return page("Method not allowed", status=405)
        return await found(request)

    async def _special(self, request: Request) -> Response | None:
        weak, path = self.settings.is_weak, request.path
        if path.startswith("/_hooks/"):
            return await self._hook(request)
        if (
            weak("cb-path-variants")
            and path != "/redirect"
            and path.lower().strip("/;x").startswith("redirect")
        ):
            return await self.flow.redirection(request, self.sessions.of(request), checked=False)
        if weak("leak-token-route") and path == "/tokens":
            return Response(200, json.dumps([one.access for one in self.vault.links()]).encode())
        if weak("adm-access") and path == "/metrics":
            return Response(200, b"links_total 3\n", [("content-type", "text/plain")])
        if weak("crc-anywhere") and request.method == "POST" and b"plainToken" in request.body:
            return self.webhook.signed(str(json.loads(request.body)["payload"]["plainToken"]))
        if weak("start-fixation-url") and path == "/go":
            subject = dict(request.query).get("as", "")
            return self.flow.begin(request, Session("", subject, ""), subject=subject)
        return None

    # ------------------------------------------------------------ pages

    async def _home(self, request: Request) -> Response:
        session = self.sessions.of(request)
        return see("/account" if session else "/sign-in")

    async def _healthz(self, _request: Request) -> Response:
        return Response(200, b"ok\n", [("content-type", "text/plain")])

    async def _redirection(self, request: Request) -> Response:
        return await self.flow.redirection(request, self.sessions.of(request))

    async def _marketplace(self, request: Request) -> Response:
        weak, session = self.settings.is_weak, self.sessions.of(request)
        given = dict(request.query)
        if weak("mp-bounce") and "code" in given:
            await asyncio.to_thread(
                self.flow.zoom.exchange,
                self.settings.zoom,
                given["code"],
                "",
                self.settings.redirect_uri,
            )
            return page("Installed")
        if request.query_string:
            code = given.get("code", "")
            return see(f"/connect?code={code}" if weak("mp-bounce-no-leak") else "/marketplace")
        if session is None:
            return see("/sign-in")
        if request.cookie("__Host-bounced") and not weak("mp-bounce-loop"):
            return self.flow.start_page(request, session)
        response = self._limited(request) or self.flow.begin(request, session)
        response.set_cookie("__Host-bounced", "1", age=300)
        return response

    async def _connect(self, request: Request) -> Response:
        session = self.sessions.of(request)
        if request.method == "POST" or self.settings.is_weak("start-csrf-link"):
            return self._limited(request) or self.flow.start(request, session)
        if (
            self.settings.is_weak(
                "cb-open-redirect", "cb-mixup", "cb-state-carries-url", "start-param-injection"
            )
            or request.query_string
        ):
            return self._connect_with_query(request, session)
        return self.flow.start_page(request, session)

    def _connect_with_query(self, request: Request, session: Session | None) -> Response:
        if session is None:
            return see("/sign-in")
        action = "/connect?" + request.query_string.decode("latin-1")
        return page("Connect Zoom", button(action, "Connect Zoom", csrf=session.csrf))

    def _limited(self, request: Request) -> Response | None:
        now, address = self.settings.now(), request.address
        if self.settings.is_weak("net-forwarded-limits"):
            address = request.header("x-forwarded-for").partition(",")[0] or address
        recent = [one for one in self._starts.get(address, []) if now - one < 60]
        self._starts[address] = [*recent, now]
        if len(recent) >= _STARTS_PER_MINUTE and not self.settings.is_weak("net-state-exhaustion"):
            return page("Too many at once", status=429)
        return None

    async def _sign_in(self, request: Request) -> Response:
        subject = request.form.get("user", "")
        if request.method != "POST" or not subject:
            return page("Sign in", button("/sign-in", "Sign in", user=""))
        if request.is_cross_site:
            return page("This form was sent from another site", status=403)
        response = see("/account")
        self.sessions.begin(request, response, subject)
        return response

    async def _sign_out(self, request: Request) -> Response:
        response = see("/sign-in")
        session = self.sessions.of(request)
        if session is not None and request.method == "POST" and not request.is_cross_site:
            self.sessions.end(request, response)
        return response

    async def _account(self, request: Request) -> Response:
        session = self.sessions.of(request)
        if session is None:
            return see("/sign-in")
        parts = [f"<p>Signed in as {escape(session.subject)}.</p>"]
        for link in self.vault.links("subject = ?", session.subject):
            name = link.name if self.settings.is_weak("tok-profile-xss") else escape(link.name)
            shown = f"<!-- {link.access} -->" if self.settings.is_weak("leak-http") else ""
            parts.append(f'<p><a href="/installations/{link.id}">{name}</a>{shown}</p>')
            parts.append(button("/disconnect", "Disconnect", csrf=session.csrf, id=link.id))
        rows = self.vault.rows("select name from profiles where subject = ?", session.subject)
        parts.extend(f"<p>Profile: {escape(str(row[0]))}</p>" for row in rows)
        return page("Your account", "".join(parts))

    def _installation(self, request: Request) -> Response:
        session = self.sessions.of(request)
        found = self.vault.links("id = ?", request.path.rpartition("/")[2])
        open_to_all = self.settings.is_weak("idor-install")
        if (
            session is None
            or not found
            or (found[0].subject != session.subject and not open_to_all)
        ):
            return page("There is nothing here", status=404)
        link = found[0]
        return page(
            "Installation",
            f"<p>{escape(link.name)} {escape(link.email)} {escape(link.user_id)}</p>",
        )

    async def _claim(self, request: Request) -> Response:
        session = self.sessions.of(request)
        if request.method == "POST":
            return self.flow.confirm(request, session)
        return self.flow.claim_page(self.flow.claim_of(request), session)

    async def _disconnect(self, request: Request) -> Response:
        session = self.sessions.of(request)
        if session is None:
            return see("/sign-in")
        if self.settings.is_weak("rev-csrf"):
            for link in self.vault.links("subject = ?", session.subject):
                await self.tokens.disconnect(session.subject, link.id)
            return see("/account")
        if request.method != "POST" or self.sessions.forgery(request, session):
            return page("This form has expired", status=403)
        done = await self.tokens.disconnect(session.subject, request.form.get("id", ""))
        return see("/account") if done else page("There is nothing here", status=404)

    async def _admin(self, request: Request) -> Response:
        local = request.header("x-forwarded-for").startswith("127.") and self.settings.is_weak(
            "net-forwarded"
        )
        return (
            page("Administration", "<p>secret figures</p>")
            if local
            else page("Access denied", status=403)
        )

    # ------------------------------------------------------------ hooks

    async def _hook(self, request: Request) -> Response:
        if not self.settings.hook_key or request.header("x-hook-key") != self.settings.hook_key:
            return page("There is nothing here", status=404)
        given = json.loads(request.body or b"{}")
        name = request.path.rpartition("/")[2]
        self.removals.work_off()
        match name:
            case "use":
                return Response(await self.tokens.use(given["subject"]))
            case "links":
                found = [(one.subject, one.user_id, one.account_id) for one in self.vault.links()]
                return _json([{"subject": s, "user_id": u, "account_id": a} for s, u, a in found])
            case "expire":
                self.vault.run(
                    "update links set expires_at = 0 where subject = ?", given["subject"]
                )
            case "events":
                return _json([str(row[0]) for row in self.vault.rows("select body from effects")])
            case "pending":
                return _json([{"subject": one.subject} for one in self.flow.claims.values()])
            case "advance":
                self.settings.offset = float(given["seconds"])
                await asyncio.to_thread(self.flow.delete_expired)
            case _:
                return page("There is nothing here", status=404)
        return _json({})


def _json(content: object) -> Response:
    return Response(200, json.dumps(content).encode(), [("content-type", "application/json")])
