"""The control API, `/_simulator/`: what tests and scripts steer by.

On loopback without a credential, but only under a name of loopback (another name in `Host`
would be a rebinding attack on a developer's browser), never for a foreign `Origin`, and written
to only as application/json, which no web page can send across sites without being asked.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paraph.errors import NotFound, ParaphError, UsageError
from paraph.problems import problem_of
from paraph.simulator.deauthorization import deauthorize
from paraph.simulator.engine import Consent, Simulator
from paraph.simulator.world import App, World, complete, find_contradictions

SERVED_NAMES = {"zoom.us", "api.zoom.us", "marketplace.zoom.us", "localhost"}
_MAX_BODY = 1 << 20

Work = Callable[[Request, dict[str, Any]], Awaitable[Any]]


class Control:
    """The control API of one simulator.

    Args:
        simulator: what is steered.
        token: demanded as a bearer token when the simulator listens off loopback; else empty.
    """

    def __init__(self, simulator: Simulator, *, token: str = "") -> None:
        self._simulator = simulator
        self._token = token

    def routes(self) -> list[Route]:
        """All routes of the control API."""
        table: list[tuple[str, str, Work]] = [
            ("GET", "/world", self._world),
            ("PUT", "/world", self._put_world),
            ("POST", "/reset", self._reset),
            ("PUT", "/consent", self._consent),
            ("GET", "/clock", self._clock),
            ("POST", "/clock", self._advance),
            ("GET", "/journal", self._journal),
            ("DELETE", "/journal", self._clear_journal),
            ("POST", "/events", self._event),
            ("POST", "/deauthorize", self._deauthorize),
            ("POST", "/validate-url", self._validate_url),
            ("GET", "/deliveries", self._deliveries),
            ("POST", "/deliveries/{delivery}/repeat", self._repeat),
            ("GET", "/faults", self._faults),
            ("PUT", "/faults/{name}", self._fault_on),
            ("DELETE", "/faults/{name}", self._fault_off),
            ("GET", "/grants", self._grants),
        ]
        return [
            Route(f"/_simulator{path}", self._guarded(work), methods=[method])
            for method, path, work in table
        ]

    def _guarded(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            refusal = self.refuse(request)
            if refusal is not None:
                return refusal
            try:
                body: dict[str, Any] = {}
                if request.method in {"POST", "PUT"}:
                    body = await _body(request)
                return JSONResponse(await work(request, body))
            except ParaphError as error:
                return _error(problem_of(error).status, error.detail)
            except (msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
                return _error(400, f"{type(error).__name__}: {error}")

        return endpoint

    def refuse(self, request: Request) -> Response | None:
        """Why a caller may not steer this simulator, or None."""
        if self._token:
            presented = request.headers.get("authorization", "")
            if not hmac.compare_digest(presented.encode(), f"Bearer {self._token}".encode()):
                return _error(401, "a control token is required off loopback")
        elif not _is_ours(request.headers.get("host", "")):
            return _error(403, "the Host header names another machine")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
            return _error(403, "the Origin header names another site")
        return None

    async def _world(self, _request: Request, _body: dict[str, Any]) -> Any:
        return msgspec.to_builtins(self._simulator.world)

    async def _put_world(self, _request: Request, body: dict[str, Any]) -> Any:
        world = msgspec.convert(body, World)
        problems = find_contradictions(world)
        if problems:
            raise UsageError("; ".join(problems))
        self._simulator.replace_world(complete(world))
        return msgspec.to_builtins(self._simulator.world)

    async def _reset(self, _request: Request, _body: dict[str, Any]) -> Any:
        self._simulator.reset()
        return {}

    async def _consent(self, _request: Request, body: dict[str, Any]) -> Any:
        auto, user_id = body.get("auto"), body.get("user_id", "")
        if auto not in {"approve", "deny", "ask"} or not isinstance(user_id, str):
            raise UsageError('auto must be "approve", "deny" or "ask", and user_id a string')
        if user_id and self._simulator.world.user(user_id) is None:
            raise NotFound(f"there is no user {user_id}")
        self._simulator.consent = Consent(auto, user_id)
        return {"auto": auto, "user_id": user_id}

    async def _clock(self, _request: Request, _body: dict[str, Any]) -> Any:
        clock = self._simulator.clock
        return {"now": clock.now(), "wall": clock.wall(), "advanced": clock.advanced}

    async def _advance(self, request: Request, body: dict[str, Any]) -> Any:
        seconds = body.get("advance")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
            raise UsageError("advance must be a number of seconds from 0")
        self._simulator.clock.advance(float(seconds))
        return await self._clock(request, body)

    async def _journal(self, request: Request, _body: dict[str, Any]) -> Any:
        since = request.query_params.get("since", "0")
        if not (since.isascii() and since.isdecimal()):
            raise UsageError("since must be a whole number")
        return {"entries": self._simulator.journal.since(int(since))}

    async def _clear_journal(self, _request: Request, _body: dict[str, Any]) -> Any:
        self._simulator.journal.clear()
        return {}

    async def _event(self, _request: Request, body: dict[str, Any]) -> Any:
        app = self._app(body)
        event, payload = body.get("event"), body.get("payload", {})
        if not isinstance(event, str) or not event or not isinstance(payload, dict):
            raise UsageError("event must be a name and payload an object")
        variant = body.get("variant", "")
        if variant not in {"", "mixed_escapes"}:
            raise UsageError('variant must be "mixed_escapes" or absent')
        delivery = self._simulator.sender.send(
            app, event, payload, url=app.event_url, variant=variant
        )
        return {"delivery_id": delivery.id}

    async def _deauthorize(self, _request: Request, body: dict[str, Any]) -> Any:
        user = self._simulator.world.user(str(body.get("user_id", "")))
        if user is None:
            raise NotFound("there is no such user")
        delivery = deauthorize(self._simulator, self._app(body), user)
        return {"delivery_id": None if delivery is None else delivery.id}

    async def _validate_url(self, _request: Request, body: dict[str, Any]) -> Any:
        app = self._app(body)
        passed, reason = await self._simulator.sender.validate(app, url=app.event_url)
        return {"passed": passed, "reason": reason}

    async def _deliveries(self, _request: Request, _body: dict[str, Any]) -> Any:
        return {
            "deliveries": [
                {
                    "id": one.id,
                    "client_id": one.client_id,
                    "event": one.event,
                    "url": one.url,
                    "attempts": [
                        {"time": a.time, "status": a.status, "reason": a.reason}
                        for a in one.attempts
                    ],
                }
                for one in self._simulator.sender.deliveries
            ]
        }

    async def _repeat(self, request: Request, _body: dict[str, Any]) -> Any:
        delivery = self._simulator.sender.find(request.path_params["delivery"])
        if delivery is None:
            raise NotFound("there is no such delivery")
        self._simulator.sender.repeat(delivery)
        return {"delivery_id": delivery.id}

    async def _faults(self, _request: Request, _body: dict[str, Any]) -> Any:
        return {"faults": self._simulator.faults.listing()}

    async def _fault_on(self, request: Request, body: dict[str, Any]) -> Any:
        self._simulator.faults.switch_on(request.path_params["name"], body)
        return {}

    async def _fault_off(self, request: Request, _body: dict[str, Any]) -> Any:
        self._simulator.faults.switch_off(request.path_params["name"])
        return {}

    async def _grants(self, _request: Request, _body: dict[str, Any]) -> Any:
        return {
            "grants": [
                {
                    "client_id": one.client_id,
                    "user_id": one.user_id,
                    "account_id": one.account_id,
                    "scopes": list(one.scopes),
                    "generation": one.generation,
                    "issued_at": one.issued_at,
                }
                for one in self._simulator.ledger.grants.values()
            ]
        }

    def _app(self, body: dict[str, Any]) -> App:
        app = self._simulator.world.app(str(body.get("client_id", "")))
        if app is None:
            raise NotFound("there is no app with this client_id")
        return app


def _is_ours(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in SERVED_NAMES or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> dict[str, Any]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await request.body()
    if media_type != "application/json":
        raise UsageError("writes take Content-Type: application/json")
    if len(raw) > _MAX_BODY:
        raise UsageError("the body is larger than one mebibyte")
    content = msgspec.json.decode(raw) if raw else {}
    if not isinstance(content, dict):
        raise UsageError("the body must be an object")
    return content


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)
