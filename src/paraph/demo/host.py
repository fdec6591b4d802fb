"""Tidemark, an invented host product that lets its users connect Zoom."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from paraph.demo.attack import ATTACKS, AttackContext, Report, carry_out
from paraph.demo.attacker import Attacker
from paraph.demo.feed import Feed
from paraph.demo.host_pages import HostHeaders, render, static_file
from paraph.demo.service_client import ServiceClient, ServiceRefused, new_nonce
from paraph.demo.session import PEOPLE, Session, Sessions, is_from_session, read_form

PROOFS = (
    ("state", "This browser started the flow", "state, sealed to this browser, once"),
    ("pkce", "The code belongs to this request", "PKCE S256"),
    ("exchange", "Zoom issued the code, to this app, now", "client-authenticated exchange"),
    ("identity", "Zoom named the user of the token", "users/me with the new token"),
    ("scopes", "The user granted the needed scopes", "granted scopes"),
    ("confirmation", "The right Tidemark account", "both accounts confirmed"),
)

SignedInEndpoint = Callable[[Request, Session], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Places:
    """The URLs of the parts of the demo."""

    service_url: str
    zoom_url: str
    linking: str


class Host:
    """The pages of the host product."""

    def __init__(self, places: Places, service: ServiceClient, feed: Feed) -> None:
        self._places = places
        self._service = service
        self._feed = feed
        self._sessions = Sessions()
        self._attacker = Attacker(places.service_url, places.zoom_url)
        self._reports: dict[str, Report] = {}
        # One attack at a time: a report compares the state before and after it.
        self._attacking = asyncio.Lock()

    def app(self) -> Starlette:
        """Build the ASGI application."""
        routes = [
            Route("/", self._signed_in(self._dashboard)),
            Route("/sign-in", self._sign_in_page, methods=["GET"]),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/sign-out", self._posted(self._sign_out), methods=["POST"]),
            Route("/zoom/start", self._signed_in(self._start)),
            Route("/zoom/connect", self._posted(self._connect), methods=["POST"]),
            Route("/zoom/link", self._signed_in(self._linked)),
            Route("/zoom/confirm", self._signed_in(self._confirm_page), methods=["GET"]),
            Route("/zoom/confirm", self._posted(self._confirm), methods=["POST"]),
            Route("/attack/{name}", self._posted(self._attack), methods=["POST"]),
            Route("/events", self._signed_in(self._events)),
            Route("/hooks/paraph", self._feed.receive, methods=["POST"]),
            Route("/static/{name}", static_file),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(HostHeaders)],
            exception_handlers={404: self._not_found},
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._attacker.close()
        await self._service.close()

    def _page(self, name: str, session: Session | None, **values: Any) -> Response:
        return render(name, places=self._places, session=session, **values)

    def _message(self, session: Session | None, status: int, title: str, text: str) -> Response:
        return self._page("message.html", session, status=status, title=title, text=text)

    async def _not_found(self, request: Request, _error: Exception) -> Response:
        return self._message(
            self._sessions.of(request), 404, "This page does not exist", "Check the address."
        )

    def _signed_in(self, endpoint: SignedInEndpoint) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            session = self._sessions.of(request)
            if session is None:
                back = "/zoom/start" if request.url.path == "/zoom/start" else "/"
                return RedirectResponse(f"/sign-in?back={back}", status_code=303)
            try:
                return await endpoint(request, session)
            except ServiceRefused as refusal:
                return self._message(session, refusal.status, refusal.title, refusal.remedy)

        return checked

    def _posted(self, endpoint: SignedInEndpoint) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request, session: Session) -> Response:
            fields = await read_form(request)
            if not is_from_session(session, fields):
                return self._message(
                    session, 403, "This form has expired", "Go back and load the page again."
                )
            request.state.fields = fields
            return await endpoint(request, session)

        return self._signed_in(checked)

    async def _sign_in_page(self, request: Request) -> Response:
        back = "/zoom/start" if request.query_params.get("back") == "/zoom/start" else "/"
        return self._page("sign_in.html", None, people=PEOPLE, back=back)

    async def _sign_in(self, request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            # Another site that signs a user in would put them into another person's account.
            return RedirectResponse("/sign-in", status_code=303)
        fields = await read_form(request)
        person = next((one for one in PEOPLE if one.subject == fields.get("subject")), None)
        if person is None:
            return RedirectResponse("/sign-in", status_code=303)
        back = "/zoom/start" if fields.get("back") == "/zoom/start" else "/"
        response = RedirectResponse(back, status_code=303)
        self._sessions.begin(response, person)
        return response

    async def _sign_out(self, request: Request, _session: Session) -> Response:
        response = RedirectResponse("/sign-in", status_code=303)
        self._sessions.end(request, response)
        return response

    async def _dashboard(self, _request: Request, session: Session) -> Response:
        notice, session.notice = session.notice, ""
        prefix = self._prefix(session)
        installations = await self._service.installations(prefix)
        client_id = (await self._attacker.control_zoom("GET", "/world"))["apps"][0]["client_id"]
        return self._page(
            "dashboard.html",
            session,
            notice=notice,
            installations=[(one, _proofs(one)) for one in installations],
            events=self._feed.for_tenant(prefix),
            newest=self._feed.received,
            listing=f"{self._places.zoom_url}/marketplace/{client_id}",
            attacks=[(one, self._reports.get(one.name)) for one in ATTACKS],
        )

    def _prefix(self, session: Session) -> str:
        # Without linking, an installation belongs to a Zoom user and to no tenant of this product.
        if self._places.linking == "none":
            return ""
        return session.person.subject.partition(":")[0] + ":"

    async def _start(self, _request: Request, session: Session) -> Response:
        return self._page("start.html", session)

    async def _connect(self, _request: Request, session: Session) -> Response:
        if self._places.linking == "none":
            return RedirectResponse(f"{self._places.service_url}/install", status_code=303)
        link, nonce = session.begin_link()
        url = await self._service.request_link(session.person.subject, nonce, return_to=link)
        return RedirectResponse(url, status_code=303)

    async def _linked(self, request: Request, session: Session) -> Response:
        link = request.query_params.get("return_to", "")
        try:
            session.claim = await self._service.claim(
                request.query_params.get("handoff", ""), session.nonces.get(link) or new_nonce()
            )
        except ServiceRefused as refusal:
            if refusal.status != 404:
                raise
            # Keep the nonce: a forged link to this page must not end a pending link request.
            return self._message(
                session,
                400,
                "This link was not started in this session",
                "Start again, and finish within a minute in the same browser.",
            )
        session.nonces.pop(link, None)
        session.shown = secrets.token_urlsafe(16)
        # Redirect to a clean URL, so that the used handoff does not stay in the address bar.
        return RedirectResponse("/zoom/confirm", status_code=303)

    async def _confirm_page(self, _request: Request, session: Session) -> Response:
        if session.claim is None:
            return RedirectResponse("/", status_code=303)
        return self._page("confirm.html", session, claim=session.claim)

    async def _confirm(self, request: Request, session: Session) -> Response:
        shown = request.state.fields.get("shown", "")
        if not hmac.compare_digest(session.shown.encode(), shown.encode()):
            # Another tab has begun a new link request: this page showed other accounts.
            return RedirectResponse("/zoom/confirm", status_code=303)
        claim, session.claim, session.shown = session.claim, None, ""
        if claim is not None and request.state.fields.get("decision") == "yes":
            await self._service.confirm(
                str(claim["claim"]), session.person.subject, move=bool(claim["replaces"])
            )
            session.notice = "Zoom is connected."
        elif claim is not None:
            await self._service.decline(str(claim["claim"]))
            session.notice = "Nothing was connected."
        return RedirectResponse("/", status_code=303)

    async def _attack(self, request: Request, session: Session) -> Response:
        attack = next((one for one in ATTACKS if one.name == request.path_params["name"]), None)
        if attack is not None:
            world = await self._attacker.control_zoom("GET", "/world")
            context = AttackContext(self._service, self._feed, self._places.linking, world)
            async with self._attacking:
                self._reports[attack.name] = await carry_out(attack, self._attacker, context)
        del session
        return RedirectResponse(f"/#{request.path_params['name']}", status_code=303)

    async def _events(self, request: Request, session: Session) -> Response:
        # After a lost connection the browser sends the number of its last event.
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        return await self._feed.stream(
            self._prefix(session), after=int(after[:18]) if after.isdecimal() else 0
        )


def _proofs(installation: dict[str, Any]) -> Sequence[tuple[str, str, str]]:
    """Return the proofs in order: title, means, and the one who states it ("" if it is missing)."""
    words = {one["name"]: one["word"] for one in installation["proofs"]}
    return [(title, how, words.get(name, "")) for name, title, how in PROOFS]
