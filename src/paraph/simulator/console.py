"""The console at `/`: what a developer wants to see and do at a glance."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from paraph.errors import ParaphError
from paraph.simulator.control import Control
from paraph.simulator.deauthorization import deauthorize
from paraph.simulator.engine import Simulator
from paraph.simulator.page import render, static_file
from paraph.simulator.webhook_sender import Delivery
from paraph.simulator.world import App

_SHOWN = 60
_SECRET = re.compile(
    r"(?i)^(authorization|cookie|code|state|code_verifier|client_secret|refresh_token|token|"
    r"access_token|x-zm-signature)$"
)
_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript"}
SAMPLE_EVENTS: dict[str, dict[str, Any]] = {
    "meeting.started": {"topic": "Weekly tide table", "duration": 30},
    "meeting.ended": {"topic": "Weekly tide table", "duration": 30},
    "recording.completed": {"topic": "Weekly tide table", "recording_count": 1},
    "user.updated": {"dept": "Research"},
}


class Console:
    """The console of one simulator; only those who may steer it see it."""

    def __init__(self, simulator: Simulator, control: Control) -> None:
        self._simulator = simulator
        self._control = control

    def routes(self) -> list[Route]:
        """All routes of the console."""
        return [
            Route("/", self._show, methods=["GET"]),
            Route("/_console/live", self._live, methods=["GET"]),
            Route("/_console/static/{name}", self._static, methods=["GET"]),
            Route("/_console/{act}", self._act, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return self._control.refuse(request) or render("console.html", **self._view())

    async def _live(self, request: Request) -> Response:
        return self._control.refuse(request) or render("console_live.html", **self._view())

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in {"zoom.css", "console.js"}:
            return Response(status_code=404)
        return Response(static_file(name), media_type=_MEDIA_TYPES[name.rpartition(".")[2]])

    async def _act(self, request: Request) -> Response:
        refusal = self._control.refuse(request)
        if refusal is not None:
            return refusal
        # A form of another site has no Origin of ours; a form of ours always sends one.
        if urlsplit(request.headers.get("origin", "")).netloc != request.headers.get("host", "-"):
            return Response("This form was not sent from the console.", status_code=403)
        fields = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        try:
            await self._do(request.path_params["act"], fields)
        except ParaphError as error:
            return Response(f"{error.detail}\n{error.remedy}", status_code=400)
        except ValueError as error:
            return Response(f"That cannot be read: {error}", status_code=400)
        return RedirectResponse("/", status_code=303)

    async def _do(self, act: str, fields: dict[str, str]) -> None:
        simulator = self._simulator
        app = simulator.world.app(fields.get("client_id", ""))
        user = simulator.world.user(fields.get("user_id", ""))
        if act == "event" and app is not None and user is not None:
            name = fields.get("event", "")
            thing = {"id": "99887766554", "host_id": user.id, **SAMPLE_EVENTS.get(name, {})}
            payload = {"account_id": user.account_id, "operator_id": user.id, "object": thing}
            simulator.sender.send(
                app, name, payload, url=app.event_url, variant=fields.get("variant", "")
            )
        elif act == "deauthorize" and app is not None and user is not None:
            deauthorize(simulator, app, user)
        elif act == "validate" and app is not None:
            await simulator.sender.validate(app, url=app.event_url)
        elif act == "clock":
            simulator.clock.advance(max(0.0, float(fields.get("seconds", "0"))))
        elif act == "fault" and fields.get("on") == "1":
            times = fields.get("times", "")
            simulator.faults.switch_on(fields["name"], {"times": int(times)} if times else {})
        elif act == "fault":
            simulator.faults.switch_off(fields.get("name", ""))
        elif act == "reset":
            simulator.reset()
        else:
            raise ValueError("there is nothing to do")

    def _view(self) -> dict[str, Any]:
        simulator = self._simulator
        return {
            "apps": [(app, judge_app(app)) for app in simulator.world.apps],
            "users": simulator.world.users,
            "grants": [
                (grant, simulator.world.user(grant.user_id), _clock_time(grant.issued_at))
                for grant in simulator.ledger.grants.values()
            ],
            "timeline": self._timeline(),
            "faults": simulator.faults.listing(),
            "events": sorted(SAMPLE_EVENTS),
            "advanced": simulator.clock.advanced,
        }

    def _timeline(self) -> list[dict[str, Any]]:
        entries = [_request_row(entry) for entry in list(self._simulator.journal.entries)[-_SHOWN:]]
        deliveries = list(self._simulator.sender.deliveries)[-_SHOWN:]
        entries += [_delivery_row(delivery) for delivery in deliveries]
        entries.sort(key=lambda one: one["time"], reverse=True)
        for one in entries:
            one["at"] = _clock_time(one["time"]) if one["time"] else "now"
        return entries[:_SHOWN]


def judge_app(app: App) -> Sequence[tuple[bool, str]]:
    """An app's settings as a reviewer looks at them: what is in order, and what is not."""
    urls = [*app.redirect_uris, app.event_url, app.deauthorization_url]
    plain = [url for url in urls if url.startswith("http://")]
    return [
        (app.strict_mode, "strict mode: only exact redirect URLs are accepted"),
        (app.subdomain_strict_mode, "subdomain check is on"),
        (not plain, "every URL is https (Zoom itself accepts no other)"),
        (len(app.client_secret) >= 12, "the client secret is long"),
        (len(app.webhook_secret) >= 12, "the webhook secret is long"),
        (bool(app.deauthorization_url), "there is a deauthorization URL"),
        (app.published, "published: removals are told to the app"),
    ]


def _request_row(entry: dict[str, Any]) -> dict[str, Any]:
    pairs = [*entry["query"], *(entry["form"] or []), *entry["headers"]]
    return {
        "time": entry["time"],
        "key": f"r{entry['number']}",
        "arrow": "in",
        "title": f"{entry['method']} {entry['path']}",
        "place": entry["host"],
        "status": str(entry["status"]),
        "pairs": _masked(pairs),
        "body": "" if entry["form"] else _pretty(entry["body"]),
    }


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "time": delivery.attempts[0].time if delivery.attempts else 0.0,
        "key": f"d{delivery.id}",
        "arrow": "out",
        "title": delivery.event,
        "place": delivery.url,
        "status": ", ".join(str(one.status or "-") for one in delivery.attempts) or "…",
        "pairs": _masked(delivery.headers.items()),
        "body": _pretty(delivery.body.decode("utf-8", "replace")),
    }


def _masked(pairs: Any) -> list[tuple[str, str, bool]]:
    return [(name, value, bool(_SECRET.match(name))) for name, value in pairs]


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _clock_time(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, tz=UTC):%H:%M:%S}"
