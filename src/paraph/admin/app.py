"""The operator pages at `/admin/`, on the private side only.

The cheapest checks come first, and nothing is done before all have passed. The order is: `Host`
header, path, method, origin of a form, session (in the store), CSRF token of a form.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from paraph.admin.apps_page import AppFacts, AppsPage
from paraph.admin.audit_pages import AuditPages
from paraph.admin.event_pages import EventPages
from paraph.admin.installation_pages import InstallationPages
from paraph.admin.operator_request import Fields, OperatorRequest, parse_query, read_form
from paraph.admin.own_origin import OwnOrigin, came_from_another_site
from paraph.admin.page import Refusal, nothing_here, render, see_other, static_file
from paraph.admin.search_page import SearchPage
from paraph.admin.session import COOKIE, Session, Sessions
from paraph.admin.settings_pages import Examine, SettingsPages
from paraph.admin.sign_in import START, SignIn
from paraph.errors import ParaphError
from paraph.events.pausing import read_pause
from paraph.http.problems import problem_of
from paraph.http.rate_limit import RateLimit
from paraph.lifecycle.context import Context
from paraph.logs import get_logger

View = Callable[[OperatorRequest], Awaitable[Response]]

_STATIC = re.compile(r"/admin/static/([a-z.]{1,32})")
_SIGN_IN = "/admin/sign-in"

_log = get_logger("admin")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The values that the composition root passes to these pages.

    Attributes:
        app_name: the name of the app, for display.
        operator_url: the origin of these pages besides loopback; "" if there is no other.
        cookies: returns all cookies of a request, repeated names included.
        address_of: returns the client address that the rate limit counts by.
        sign_in_limit: the rate limit of failed sign-ins.
        examine: finds the weaknesses of the running service.
        app: the app of the service.
    """

    app_name: str
    operator_url: str
    cookies: Callable[[Iterable[tuple[bytes, bytes]]], list[tuple[str, str]]]
    address_of: Callable[[Scope], str]
    sign_in_limit: RateLimit
    examine: Examine
    app: AppFacts


@dataclass(frozen=True, slots=True)
class _Route:
    path: re.Pattern[str]
    views: dict[str, View]


class OperatorPages:
    """The ASGI application of all paths below `/admin`."""

    def __init__(self, context: Context, dependencies: Dependencies) -> None:
        self._context = context
        self._dependencies = dependencies
        self._own = OwnOrigin(dependencies.operator_url)
        self._sessions = Sessions(context)
        self._sign_in = SignIn(self._sessions, dependencies.sign_in_limit, dependencies.app_name)
        self._routes = self._all_routes()

    def _all_routes(self) -> list[_Route]:
        events, audit = EventPages(self._context), AuditPages(self._context)
        installations = InstallationPages(self._context)
        settings = SettingsPages(self._dependencies.examine)
        one_installation = "/admin/installations/([A-Za-z0-9_-]{1,64})"
        one_event = "/admin/events/([A-Za-z0-9_-]{4,80})"
        routes: list[tuple[str, dict[str, View]]] = [
            ("/admin/?", {"GET": _start}),
            ("/admin/events", {"GET": events.show_all}),
            ("/admin/dead-letters/redeliver", {"POST": events.redeliver_shown}),
            ("/admin/dead-letters/redeliver-matching", {"POST": events.redeliver_matching}),
            ("/admin/forwarding/pause", {"POST": events.pause}),
            ("/admin/forwarding/resume", {"POST": events.resume}),
            (one_event, {"GET": events.show_one}),
            (f"{one_event}/redeliver", {"POST": events.redeliver_one}),
            ("/admin/installations", {"GET": installations.show_all}),
            (one_installation, {"GET": installations.show_one}),
            (f"{one_installation}/export", {"POST": installations.export}),
            ("/admin/apps", {"GET": AppsPage(self._context, self._dependencies.app).show}),
            ("/admin/search", {"GET": SearchPage(self._context).show}),
            ("/admin/audit", {"GET": audit.show}),
            ("/admin/audit/verify", {"POST": audit.verify}),
            ("/admin/settings", {"GET": settings.show}),
            ("/admin/settings/check", {"POST": settings.check}),
            ("/admin/sign-out", {"POST": self._sign_in.sign_out}),
        ]
        return [_Route(re.compile(path), views) for path, views in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; every response is a page."""
        try:
            response = await self._respond(scope, receive)
        except Refusal as refusal:
            response = self._message(refusal.status, refusal.title, refusal.text)
            response.headers.update(refusal.headers)
        except ParaphError as error:
            problem = problem_of(error)
            if problem.status >= 500:
                _log.error("admin.failed", error_code=error.code, why=error.detail)
            response = self._message(problem.status, problem.title, problem.remedy)
        except Exception as error:  # noqa: BLE001 - Show a page, never a stack trace.
            _log.error("admin.failed", why=type(error).__name__)
            response = self._message(
                500, "Something went wrong", "Try again. If it fails again, read the log."
            )
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        origins = self._own.demand_host(headers)
        path = (scope.get("raw_path") or b"").decode("latin-1")
        if match := _STATIC.fullmatch(path):
            return _static(scope["method"], match[1])
        if path == _SIGN_IN:
            return await self._respond_at_sign_in(scope, receive, origins)
        view, argument = self._find(path, scope["method"])
        if scope["method"] == "POST":
            self._own.demand_form(headers, origins)
        query = parse_query(scope["query_string"])
        cookies = self._dependencies.cookies(headers)
        session = await self._sessions.find(cookies)
        if session is None:
            had_cookie = any(name == COOKIE for name, _ in cookies)
            return self._sign_in.needed(path, had_cookie=had_cookie)
        form = Fields()
        if scope["method"] == "POST":
            form = await _form_of(session, headers, receive)
        return await view(
            OperatorRequest(
                session=session,
                app_name=self._dependencies.app_name,
                now=self._context.now(),
                pause=await read_pause(self._context.store),
                argument=argument,
                query=query,
                form=form,
            )
        )

    async def _respond_at_sign_in(
        self, scope: Scope, receive: Receive, origins: frozenset[str]
    ) -> Response:
        headers = scope["headers"]
        if scope["method"] == "POST":
            self._own.demand_form(headers, origins)
            form = await read_form(headers, receive)
            address = self._dependencies.address_of(scope)
            return await self._sign_in.sign_in(form.one("key"), form.one("back"), address=address)
        if scope["method"] != "GET":
            raise _wrong_method("GET, POST")
        back = parse_query(scope["query_string"]).one("back")
        return self._sign_in.form(back, from_another_site=came_from_another_site(headers))

    def _find(self, path: str, method: str) -> tuple[View, str]:
        for route in self._routes:
            if match := route.path.fullmatch(path):
                view = route.views.get(method)
                if view is None:
                    raise _wrong_method(", ".join(route.views))
                return view, match[1] if match.lastindex else ""
        raise nothing_here()

    def _message(self, status: int, title: str, text: str) -> Response:
        # Show nothing that only operators may see: the refused client may be anyone.
        return render(
            "message.html",
            status=status,
            session=None,
            app_name=self._dependencies.app_name,
            title=title,
            text=text,
        )


async def _start(_request: OperatorRequest) -> Response:
    return see_other(START)


async def _form_of(
    session: Session, headers: Iterable[tuple[bytes, bytes]], receive: Receive
) -> Fields:
    form = await read_form(headers, receive)
    if not session.made_form(form.one("csrf_token")):
        raise Refusal(
            403,
            "This form belongs to another session",
            "Nothing was done. Load the page again and use its form.",
        )
    return form


def _static(method: str, name: str) -> Response:
    if method != "GET":
        raise _wrong_method("GET")
    response = static_file(name)
    if response is None:
        raise nothing_here()
    return response


def _wrong_method(allowed: str) -> Refusal:
    return Refusal(
        405,
        "This page does not accept this method",
        "Open the page itself.",
        headers={"allow": allowed},
    )
