"""The console at `/`: shows the state of the simulator and controls it.

It works without JavaScript; with it, changes appear automatically. The page contains no secrets: an
entry is shown in clear only on request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from paraph.errors import ParaphError
from paraph.simulator.apps import app_context, deauthorization
from paraph.simulator.apps.app_review import Finding, review_app
from paraph.simulator.engine import Simulator
from paraph.simulator.page import render, static_file
from paraph.simulator.request import Refusal, read_body
from paraph.simulator.state.world import App
from paraph.simulator.steering.access import COOKIE, AccessControl
from paraph.simulator.steering.console_actions import perform
from paraph.simulator.steering.console_entries import ConsoleEntries, Explain
from paraph.simulator.steering.control import describe_grants
from paraph.simulator.steering.mask import HIDDEN
from paraph.simulator.steering.scenario_export import export_scenario
from paraph.simulator.steering.timeline_filter import (
    TimelineFilter,
    event_choices,
    grant_choices,
    selected_rows,
)
from paraph.simulator.webhooks.event_catalogue import catalogue

_MAILS = 6
_MAX_FORM = 64 * 1024
_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_STATIC = {"zoom.css", "console.js", "icon.svg"}
_PRESETS = ((300, "5 min"), (3600, "1 h"), (259_200, "72 h"), (7_776_000, "90 d"))
_PLACES = {
    "authorization": "Authorization redirect",
    "token_refusal": "Token endpoint, before its work",
    "token": "Token endpoint, after its work",
    "revoke_refusal": "Revocation",
    "api_refusal": "REST API",
    "user": "Profile of users/me",
    "webhook": "Webhooks",
    "challenge": "URL validation",
    "check": "Omitted checks",
}

Endpoint = Callable[[Request], Awaitable[Response]]


class Console:
    """The console of one simulator.

    Args:
        simulator: the simulated Zoom.
        access: decides which requests may control it.
        explain: explains a webhook step by step; None if there is no explainer.
    """

    def __init__(
        self, simulator: Simulator, access: AccessControl, explain: Explain | None = None
    ) -> None:
        self._simulator = simulator
        self._entries = ConsoleEntries(simulator, explain)
        self._explains = explain is not None
        self._access = access

    def routes(self) -> list[Route]:
        """Return all routes of the console."""
        page, form, entries = self._access.admit_page, self._access.admit_form, self._entries
        return [
            Route("/", self._admitted(page, self._show), methods=["GET"]),
            Route("/_console/live", self._admitted(page, self._live), methods=["GET"]),
            Route("/_console/static/{name}", self._static, methods=["GET"]),
            Route("/_console/scenario.toml", self._admitted(page, self._export), methods=["GET"]),
            Route("/_console/sign-in", self._sign_in, methods=["POST"]),
            Route("/_console/compare", self._admitted(page, self._compare), methods=["GET"]),
            Route("/_console/reveal", self._about_entry(entries.reveal), methods=["POST"]),
            Route("/_console/curl", self._about_entry(entries.curl), methods=["POST"]),
            Route("/_console/explain", self._about_entry(entries.explain), methods=["POST"]),
            Route("/_console/{action}", self._admitted(form, self._perform), methods=["POST"]),
        ]

    def _admitted(self, admit: Callable[[Request], None], work: Endpoint) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                admit(request)
                return await work(request)
            except Refusal as refusal:
                # Only a person on the whole page can enter a missing token.
                asks_token = refusal.status == 401 and request.url.path == "/"
                return _refused(refusal.status, refusal.text, asks_token=asks_token)

        return endpoint

    async def _show(self, request: Request) -> Response:
        return render("console.html", console=True, **self._view(request))

    async def _live(self, request: Request) -> Response:
        response = render("console_live.html", console=True, **self._view(request))
        version = hashlib.sha256(bytes(response.body)).hexdigest()[:16]
        if request.query_params.get("seen") == version:
            return Response(status_code=204)
        response.headers["x-version"] = version
        return response

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return Response(status_code=404)
        return Response(
            static_file(name),
            media_type=_MEDIA_TYPES[name.rpartition(".")[2]],
            headers={"x-content-type-options": "nosniff", "cache-control": "no-cache"},
        )

    async def _export(self, _request: Request) -> Response:
        """Return what was done on the console as a scenario file."""
        return Response(
            export_scenario(self._simulator),
            media_type="application/toml",
            headers={
                "content-disposition": 'attachment; filename="scenario.toml"',
                "cache-control": "no-store",
                "x-content-type-options": "nosniff",
            },
        )

    async def _sign_in(self, request: Request) -> Response:
        try:
            self._access.refuse_foreign_form(request)
            fields = await _fields(request)
        except Refusal as refusal:
            return Response(refusal.text, status_code=refusal.status)
        cookie = self._access.cookie_for(fields.get("token", ""))
        if cookie is None:
            return _refused(401, "", asks_token=True, wrong=True)
        response = RedirectResponse("/", status_code=303)
        secure = request.scope["scheme"] == "https"
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
        return response

    def _about_entry(self, show: Callable[[dict[str, str]], Response]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return show(await _fields(request))

        return self._admitted(self._access.admit_form, endpoint)

    async def _compare(self, request: Request) -> Response:
        return self._entries.compare(request)

    async def _perform(self, request: Request) -> Response:
        fields = await _fields(request)
        is_script = request.headers.get("accept", "").startswith("application/json")
        try:
            said = await perform(self._simulator, request.path_params["action"], fields)
        except ParaphError as error:
            if is_script:
                return JSONResponse({"error": error.detail}, status_code=400)
            return _refused(400, error.detail)
        if is_script:
            return JSONResponse({"said": said})
        return RedirectResponse("/", status_code=303)

    def _view(self, request: Request) -> dict[str, Any]:
        simulator = self._simulator
        chosen = TimelineFilter.of(request.query_params)
        world, clock = simulator.world, simulator.clock
        faults = simulator.faults.listing()
        return {
            "origin": simulator.origin,
            "apps": [
                (app, [*review_app(app, world.zoom), *_validation(simulator, app)])
                for app in world.apps
            ],
            "homes": any(app.home_url for app in world.apps),
            "mails": list(simulator.validation.mails)[-_MAILS:],
            "removals": deauthorization.VARIANTS.documentation(),
            "contexts": app_context.VARIANTS.documentation(),
            "contexts_at": list(app_context.PLACES),
            "users": world.users,
            "grants": [
                (grant, world.user(grant["user_id"])) for grant in describe_grants(simulator)
            ],
            "rows": selected_rows(simulator, chosen),
            "chosen": chosen,
            "grant_choices": grant_choices(simulator),
            "event_choices": event_choices(simulator),
            "explains": self._explains,
            "kept": len(simulator.journal.exchanges),
            "faults": faults,
            "places": [
                (_PLACES.get(place, place), list(group))
                for place, group in groupby(faults, key=lambda one: str(one["place"]))
            ],
            "faults_on": [one["name"] for one in faults if one["on"]],
            "events": _grouped(sorted(catalogue())),
            "consent": simulator.consent,
            "ahead": _span(clock.advanced),
            "presets": _PRESETS,
            "hidden": HIDDEN,
        }


def _refused(status: int, text: str, *, asks_token: bool = False, wrong: bool = False) -> Response:
    """Show the reason of a refusal, or ask for the control token."""
    return render(
        "refused_console.html", status=status, asks_token=asks_token, wrong=wrong, text=text
    )


async def _fields(request: Request) -> dict[str, str]:
    text = (await read_body(request, _MAX_FORM)).decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True))


def _validation(simulator: Simulator, app: App) -> list[Finding]:
    """Describe how an app's event URL has responded to Zoom's challenges."""
    if not app.event_url:
        return []
    health = simulator.validation.health(app, app.event_url)
    if health.disabled:
        reason = "Six challenges in a row failed. Validate the URL: no event is sent before."
        return [Finding("refused", "the event subscription is disabled", reason)]
    if health.failures:
        text = f"the event URL failed {health.failures} challenges in a row"
        return [Finding("weak", text, "Zoom disables the subscription after six.")]
    return [Finding("fine", "the event URL counts as validated")]


def _grouped(names: list[str]) -> list[tuple[str, list[str]]]:
    ordered = sorted(names, key=lambda name: (name.partition(".")[0], name))
    return [
        (family, list(group)) for family, group in groupby(ordered, lambda n: n.partition(".")[0])
    ]


def _span(seconds: float) -> str:
    """Format a duration in its two largest units; empty for zero."""
    left, words = int(seconds), []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2])
