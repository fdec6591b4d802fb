"""The control API, `/_simulator/`, for tests and scripts.

On loopback it needs no credential, but it accepts only host names of loopback and no foreign
`Origin`. Writes need application/json, which no web page can send across sites without a
preflight. Every error is `{"error": text}`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paraph.errors import NotFound, ParaphError, UsageError
from paraph.http.problems import problem_of
from paraph.simulator.apps.administration import (
    Administration,
    AppOrder,
    ApprovalOrder,
    Order,
    UserOrder,
)
from paraph.simulator.apps.deauthorization import deauthorize, revoke_grant
from paraph.simulator.engine import Consent, Simulator
from paraph.simulator.request import MAX_BODY, Refusal, read_body
from paraph.simulator.state.world import World, complete, find_contradictions
from paraph.simulator.steering.access import AccessControl
from paraph.simulator.steering.hooks_control import HooksControl
from paraph.simulator.steering.hooks_control import UserOrder as GrantOrder
from paraph.simulator.webhooks.webhook_sender import Delivery

# A century: longer than every lifetime, and no date leaves the calendar.
MAX_ADVANCE = 100 * 365.25 * 86400
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Work = Callable[[Request, Any], Awaitable[Any]]


class ConsentOrder(Order, omit_defaults=True):
    """The way in which `/oauth/authorize` decides."""

    auto: Literal["approve", "deny", "ask"]
    user_id: str = ""
    optional_scopes: tuple[str, ...] | None = None


class ClockOrder(Order):
    """The time by which the timers move.

    Attributes:
        advance: seconds.
        settle: respond only when every due webhook has been sent.
    """

    advance: float
    settle: bool = False


class DeauthorizationOrder(AppOrder):
    """A user, the app to remove, and the variant of the event; `GET /variants` lists variants."""

    user_id: str
    variant: str = ""


class EventOrder(AppOrder):
    """One event to be signed and sent to every URL that subscribes to it.

    Without a payload the body is realistic, if `GET /events` lists the event. The response's
    `delivery_id` is null if no URL subscribes to it.
    """

    event: str
    payload: dict[str, Any] | None = None
    variant: str = ""


class Control:
    """The control API of one simulator.

    Args:
        simulator: the simulator to control.
        access: decides which requests may control it.
    """

    def __init__(self, simulator: Simulator, access: AccessControl) -> None:
        self._simulator = simulator
        self._access = access

    def routes(self) -> list[Route]:
        """Return all routes of the control API; the last ones refuse unknown paths and methods."""
        administration = Administration(self._simulator)
        table: list[tuple[str, str, Work, Any]] = [
            ("GET", "/world", self._world, None),
            ("PUT", "/world", self._put_world, World),
            ("POST", "/reset", self._reset, Order),
            ("PUT", "/consent", self._consent, ConsentOrder),
            ("GET", "/clock", self._clock, None),
            ("POST", "/clock", self._advance, ClockOrder),
            ("GET", "/journal", self._journal, None),
            ("DELETE", "/journal", self._clear_journal, None),
            ("POST", "/events", self._event, EventOrder),
            ("POST", "/deauthorize", self._deauthorize, DeauthorizationOrder),
            ("POST", "/expire-access-token", self._expire, GrantOrder),
            ("POST", "/revoke", self._revoke, GrantOrder),
            ("POST", "/validate-url", self._validate_url, AppOrder),
            ("GET", "/deliveries", self._deliveries, None),
            ("POST", "/deliveries/{delivery}/repeat", self._repeat, Order),
            ("GET", "/faults", self._faults, None),
            ("PUT", "/faults/{name}", self._fault_on, dict[str, Any]),
            ("DELETE", "/faults/{name}", self._fault_off, None),
            ("GET", "/grants", self._grants, None),
            *HooksControl(self._simulator).table(),
            ("PUT", "/approvals", administration.decide_approval, ApprovalOrder),
            ("PATCH", "/apps/{client_id}", administration.change_app, dict[str, Any]),
            ("PATCH", "/users/{user_id}", administration.change_user, UserOrder),
            ("DELETE", "/users/{user_id}", administration.delete_user, None),
        ]
        return [
            *(
                Route(f"/_simulator{path}", self._admitting(work, shape), methods=[method])
                for method, path, work, shape in table
            ),
            *(
                Route(path, self._admitting(_unknown, None), methods=_METHODS)
                for path in ("/_simulator", "/_simulator/{rest:path}")
            ),
        ]

    def _admitting(self, work: Work, shape: Any) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that admits a call, reads its body, works, and reports errors."""

        async def endpoint(request: Request) -> Response:
            try:
                self._access.admit_call(request)
                return JSONResponse(await work(request, await _order(request, shape)))
            except Refusal as refusal:
                return _error(refusal.status, refusal.text)
            except ParaphError as error:
                return _error(problem_of(error).status, error.detail)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                return _error(400, f"the body cannot be read: {error}")

        return endpoint

    async def _world(self, _request: Request, _order: None) -> Any:
        return _describe_world(self._simulator.world)

    async def _put_world(self, _request: Request, world: World) -> Any:
        problems = find_contradictions(world)
        if problems:
            raise UsageError("; ".join(problems))
        self._simulator.replace_world(complete(world))
        return _describe_world(self._simulator.world)

    async def _reset(self, _request: Request, _order: Order) -> Any:
        self._simulator.reset()
        return {}

    async def _consent(self, _request: Request, order: ConsentOrder) -> Any:
        if order.user_id and self._simulator.world.user(order.user_id) is None:
            raise NotFound(f"there is no user {order.user_id}")
        self._simulator.consent = Consent(order.auto, order.user_id, order.optional_scopes)
        return msgspec.to_builtins(order)

    async def _clock(self, _request: Request, _order: None) -> Any:
        clock = self._simulator.clock
        return {"now": clock.now(), "wall": clock.wall(), "advanced": clock.advanced}

    async def _advance(self, request: Request, order: ClockOrder) -> Any:
        advance_clock(self._simulator, order.advance)
        if order.settle:
            await self._simulator.sender.settle()
        return await self._clock(request, None)

    async def _journal(self, request: Request, _order: None) -> Any:
        since = request.query_params.get("since", "0")
        if not (since.isascii() and since.isdecimal() and len(since) < 20):
            raise UsageError("since must be a whole number")
        return {"entries": self._simulator.journal.since(int(since))}

    async def _clear_journal(self, _request: Request, _order: None) -> Any:
        self._simulator.journal.clear()
        return {}

    async def _event(self, _request: Request, order: EventOrder) -> Any:
        app = self._simulator.world.known_app(order.client_id)
        if not order.event:
            raise UsageError("event must be a name")
        if order.variant not in {"", "mixed_escapes"}:
            raise UsageError('variant must be "mixed_escapes" or absent')
        sent = self._simulator.publish(app, order.event, order.payload, variant=order.variant)
        ids = [delivery.id for delivery in sent]
        return {"delivery_id": ids[0] if ids else None, "delivery_ids": ids}

    async def _deauthorize(self, _request: Request, order: DeauthorizationOrder) -> Any:
        user = self._simulator.world.known_user(order.user_id)
        app = self._simulator.world.known_app(order.client_id)
        delivery = deauthorize(self._simulator, app, user, variant=order.variant)
        return {"delivery_id": None if delivery is None else delivery.id}

    async def _expire(self, _request: Request, order: GrantOrder) -> Any:
        user = self._simulator.world.known_user(order.user_id)
        app = self._simulator.world.known_app(order.client_id)
        count = self._simulator.ledger.expire_access_tokens(app.client_id, user.id)
        return {"expired": count}

    async def _revoke(self, _request: Request, order: GrantOrder) -> Any:
        user = self._simulator.world.known_user(order.user_id)
        app = self._simulator.world.known_app(order.client_id)
        delivery = revoke_grant(self._simulator, app, user.id)
        return {"delivery_id": None if delivery is None else delivery.id}

    async def _validate_url(self, _request: Request, order: AppOrder) -> Any:
        app = self._simulator.world.known_app(order.client_id)
        passed, reason = await self._simulator.validation.validate(app, app.event_url)
        return {"passed": passed, "reason": reason}

    async def _deliveries(self, _request: Request, _order: None) -> Any:
        return {"deliveries": [describe_delivery(one) for one in self._simulator.sender.deliveries]}

    async def _repeat(self, request: Request, _order: Order) -> Any:
        delivery = self._simulator.sender.find(request.path_params["delivery"])
        if delivery is None:
            raise NotFound("there is no such delivery")
        self._simulator.sender.repeat(delivery)
        return {"delivery_id": delivery.id}

    async def _faults(self, _request: Request, _order: None) -> Any:
        return {"faults": self._simulator.faults.listing()}

    async def _fault_on(self, request: Request, parameters: dict[str, Any]) -> Any:
        self._simulator.faults.switch_on(request.path_params["name"], parameters)
        return {}

    async def _fault_off(self, request: Request, _order: None) -> Any:
        self._simulator.faults.switch_off(request.path_params["name"])
        return {}

    async def _grants(self, _request: Request, _order: None) -> Any:
        return {"grants": describe_grants(self._simulator)}


def advance_clock(simulator: Simulator, seconds: float) -> None:
    """Move the timers forward.

    Args:
        simulator: the simulated Zoom.
        seconds: from 0; at most a century in all, so that no date leaves the calendar.

    Raises:
        UsageError: `seconds` is negative or too large.
    """
    clock = simulator.clock
    if not math.isfinite(seconds) or not 0 <= clock.advanced + seconds <= MAX_ADVANCE:
        raise UsageError("the clock advances by 0 seconds to a century in all")
    if seconds < 0:
        raise UsageError("advance must be a number of seconds from 0")
    clock.advance(seconds)


def describe_delivery(delivery: Delivery) -> dict[str, Any]:
    """Describe a delivery and its attempts, without its bytes."""
    return {
        "id": delivery.id,
        "client_id": delivery.client_id,
        "event": delivery.event,
        "url": delivery.url,
        "attempts": [
            {"time": one.time, "status": one.status, "reason": one.reason}
            for one in delivery.attempts
        ],
    }


def describe_grants(simulator: Simulator) -> list[dict[str, Any]]:
    """Describe the live grants, never their tokens."""
    return [
        {
            "client_id": one.client_id,
            "user_id": one.user_id,
            "account_id": one.account_id,
            "scopes": list(one.scopes),
            "generation": one.generation,
            "issued_at": one.issued_at,
        }
        for one in simulator.ledger.grants.values()
    ]


async def _unknown(request: Request, _order: None) -> Any:
    raise NotFound(f"there is no {request.method} {request.url.path}")


async def _order(request: Request, shape: Any) -> Any:
    """Read the body of a write as the required type; reads have no body.

    Raises:
        Refusal: the content type is not JSON, or the body is too long.
        msgspec.MsgspecError: the body is not of the required type.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_read = request.method in {"GET", "HEAD"}
    # A DELETE needs no type: it has no body, and no page sends it across sites without a preflight.
    typeless = not media_type and request.method == "DELETE"
    if media_type != "application/json" and not is_read and not typeless:
        raise Refusal(415, "writes take Content-Type: application/json")
    if shape is None:
        return None
    raw = await read_body(request, MAX_BODY)
    return msgspec.json.decode(raw or b"{}", type=shape)


def _describe_world(world: World) -> dict[str, Any]:
    """Return the world with the names of the file; empty lists of its content are left out."""
    described: dict[str, Any] = msgspec.to_builtins(world)
    return {
        name: value
        for name, value in described.items()
        if value or name not in {"meetings", "recordings"}
    }


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)
