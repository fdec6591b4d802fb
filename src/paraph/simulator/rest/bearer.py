"""Authenticates callers of the REST API and checks their scopes, for every resource.

Errors are `{"code", "message"}` (documented). Every response has `x-zm-trackingid`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from paraph.simulator.engine import Simulator
from paraph.simulator.request import Refusal, read_body
from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import iso_time
from paraph.simulator.state.ledger import Bearer

_ERRORS = "developers.zoom.us/docs/api/errors"
_LIMITS = "developers.zoom.us/docs/api/rate-limits"
_DAY = 86400


@behaviour(
    "REST API",
    'errors are {"code", "message"}; those of a field add "errors": [{"field", "message"}]',
    "documented",
    source=_ERRORS,
)
class ApiError(Exception):
    """An error of the REST API.

    Args:
        status: the HTTP status.
        code: Zoom's number of the error.
        message: Zoom's text.
        headers: further headers of the response.
        field: the field of the body that is wrong; "" if no field is.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        field: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}
        self.field = field

    def response(self) -> ResponseDraft:
        """Return the response."""
        content: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field:
            content["errors"] = [{"field": self.field, "message": "Invalid field."}]
        response = ResponseDraft.of_json(self.status, content)
        response.headers |= self.headers
        return response


def invalid_field(name: str) -> ApiError:
    """Return the error for a body field that is missing or of the wrong type."""
    return ApiError(400, 300, "Validation Failed.", field=name)


Work = Callable[[Request, Bearer], ResponseDraft | Awaitable[ResponseDraft]]


def guarded(simulator: Simulator, work: Work) -> Callable[[Request], Awaitable[ResponseDraft]]:
    """Put Zoom's general checks in front of a resource: faults, rate limit, access token.

    Args:
        simulator: the simulated Zoom.
        work: the resource; it may raise ApiError, and is asynchronous if it reads a body.
    """

    async def resource(request: Request) -> ResponseDraft:
        refusal = simulator.faults.spoil("api_refusal", ResponseDraft(0, b""))
        response = refusal if refusal.status else await _respond(simulator, work, request)
        response.delay = max(response.delay, refusal.delay)
        response.headers.setdefault("x-zm-trackingid", tracking_id(simulator))
        return response

    return resource


async def _respond(simulator: Simulator, work: Work, request: Request) -> ResponseDraft:
    try:
        refuse_over_limit(simulator)
        response = work(request, read_bearer(simulator, request))
        return response if isinstance(response, ResponseDraft) else await response
    except ApiError as error:
        return error.response()


@behaviour(
    "REST API",
    "every response has x-zm-trackingid",
    "seen",
    source="github zoom/rivet-javascript exposes it",
)
def tracking_id(simulator: Simulator) -> str:
    """Return a value of x-zm-trackingid; its layout is inferred from captures."""
    return f"v=2.0;clid=us02;rid=WEB_{simulator.ledger.random_text(32).lower()}"


@behaviour(
    "REST API",
    "a dead or foreign access token is 401 with code 124",
    "seen",
    source="live answers in public repositories",
)
@behaviour(
    "REST API",
    "an access token in the query is refused, even a live one",
    "documented",
    source="devsupport 12363164278669",
)
@behaviour(
    "REST API",
    "the access tokens of a disabled app, of a withdrawn approval and of a deleted user are dead",
    "inferred",
    source="errors 4717, 4735 and 4738 of the token endpoint",
)
def read_bearer(simulator: Simulator, request: Request) -> Bearer:
    """Authenticate a request: return the owner and scopes of its access token.

    Raises:
        ApiError: the access token is missing or dead.
    """
    if "access_token" in request.query_params:
        text = "Invalid access token, this access token is not supported as query parameter string."
        raise ApiError(401, 124, text)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise ApiError(401, 124, "Invalid access token.")
    bearer, reason = simulator.ledger.by_access_token(token.strip())
    if bearer is None and reason == "expired":
        raise ApiError(401, 124, "Access token is expired.")
    if bearer is None or not _is_live(simulator, bearer):
        raise ApiError(401, 124, "Invalid access token.")
    return bearer


def _is_live(simulator: Simulator, bearer: Bearer) -> bool:
    status = simulator.app_status
    return (
        bearer.client_id not in status.disabled
        and not status.is_withdrawn(bearer.client_id, bearer.account_id)
        and (not bearer.user_id or simulator.world.user(bearer.user_id) is not None)
    )


@behaviour(
    "REST API",
    "a missing scope is 400 with code 4711 that names the scopes",
    "seen",
    source="live probes of July 2026; 401, 403 and code 201 were seen as well",
)
def require_scope(simulator: Simulator, bearer: Bearer, *names: str) -> None:
    """Refuse a request unless one of these scopes was granted.

    Args:
        simulator: the simulated Zoom.
        bearer: the caller.
        names: the scopes; their `:admin` and `:master` forms count too. The error names the first.

    Raises:
        ApiError: none of them was granted.
    """
    wanted = {form for name in names for form in (name, f"{name}:admin", f"{name}:master")}
    if wanted.isdisjoint(bearer.scopes) and not simulator.faults.take("scopes_not_checked"):
        text = f"Invalid access token, does not contain scopes:[{names[0]}]."
        raise ApiError(400, 4711, text)


@behaviour(
    "REST API",
    "429 for the calls of a second: X-RateLimit-Type QPS and X-RateLimit-Reset in epoch seconds",
    "documented",
    source=_LIMITS,
)
@behaviour(
    "REST API",
    "429 for the calls of a day: X-RateLimit-Type Daily-limit and Retry-After as an ISO 8601 date",
    "documented",
    source=_LIMITS,
)
@behaviour(
    "REST API",
    "429 for too many calls at once names no limit and no time",
    "inferred",
    source=f"{_LIMITS} for the words",
)
def refuse_over_limit(simulator: Simulator) -> None:
    """Refuse with 429 if a fault asks for it; calls are not counted.

    Raises:
        ApiError: the limit was reached.
    """
    now = simulator.wall()
    if simulator.faults.take("api_rate_limited"):
        text = "You have reached the maximum per-second rate limit for this API. Try again later."
        headers = _limits("Light", "QPS", 30) | {"x-ratelimit-reset": str(math.floor(now) + 1)}
        raise ApiError(429, 429, text, headers)
    if simulator.faults.take("api_concurrency_limit"):
        text = (
            "Too many concurrent requests. A request to disassociate this user has already been "
            "made."
        )
        raise ApiError(429, 429, text)
    if simulator.faults.take("api_daily_limit"):
        text = (
            "You have reached the maximum daily rate limit for this API. Refer to the response "
            "header for details on when you can make another request."
        )
        headers = _limits("Heavy", "Daily-limit", 30_000)
        headers["retry-after"] = iso_time((now // _DAY + 1) * _DAY)
        raise ApiError(429, 429, text, headers)


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request's body; an empty body is an empty object.

    Raises:
        ApiError: the body is not a JSON object, or is too long.
    """
    try:
        raw = await read_body(request)
        content = json.loads(raw) if raw else {}
    except (Refusal, ValueError, RecursionError):
        raise ApiError(400, 300, "Request Body should be a valid JSON object.") from None
    if not isinstance(content, dict):
        raise ApiError(400, 300, "Request Body should be a valid JSON object.")
    return content


def _limits(category: str, kind: str, limit: int) -> dict[str, str]:
    return {
        "x-ratelimit-category": category,
        "x-ratelimit-type": kind,
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": "0",
    }
