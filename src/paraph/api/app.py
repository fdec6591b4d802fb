"""The management API, `/v1`, for the host's backend. On the private side only.

Every call carries an API key. A missing, unknown or revoked key always gets the same 401. A
resource that a key may not see is a 404, as if it did not exist. The OpenAPI document needs a key
too.

FastAPI serves the rare calls. Access tokens and the proxy are plain ASGI in front of it: access
tokens because they are hot, the proxy because it streams and checks raw paths.
"""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
import re
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from paraph.api.access_token import AccessTokenEndpoint
from paraph.api.audit import audit_routes
from paraph.api.document import EVERYWHERE, ApiKeyDependency, openapi_of
from paraph.api.events import event_routes
from paraph.api.idempotency import Idempotency
from paraph.api.installations import installation_routes
from paraph.api.linking import linking_routes
from paraph.api.problem import (
    MALFORMED,
    TOO_LONG,
    TOO_SLOW,
    UNEXPECTED,
    Problems,
    problem_response,
)
from paraph.api.proxy import ProxyEndpoint, holds_own_header, misplaced
from paraph.errors import ParaphError
from paraph.http.body import (
    READ_SECONDS,
    BodyReader,
    BodyTooLong,
    BodyTooSlow,
    CallerGone,
)
from paraph.http.endpoint import Steps, respond
from paraph.http.problems import Problem
from paraph.http.response import CompleteResponse, Headers
from paraph.lifecycle.active_access import ActiveAccess
from paraph.lifecycle.api_key import ApiKey, ApiKeys
from paraph.lifecycle.context import Context
from paraph.lifecycle.resource_call import ResourceCaller
from paraph.logs import get_logger
from paraph.settings.model import Settings
from paraph.zoom.api_path import AllowList

MAX_BODY_BYTES = 64 * 1024
# Checked before FastAPI reads a query, which it does before it asks for the key. A subject
# may consist of escapes only.
MAX_PARAMETERS = 32
MAX_ESCAPES = 1024
VEND_PATH = re.compile(rb"/v1/installations/([A-Za-z0-9_-]{1,64})/access-token")
_ZOOM = re.compile(rb"/v1/installations/([A-Za-z0-9_-]{1,64})/zoom(/.*)")
_NOTHING = Problem(
    404, "not_found", "There is nothing here.", "Compare the call with the documentation."
)
_METHOD = Problem(
    405,
    "method",
    "This URL does not support the method.",
    "Compare the call with the documentation.",
)

_log = get_logger("api")


class ManagementApi:
    """The ASGI application of `/v1`: routes requests, limits bodies, turns errors into problems."""

    def __init__(
        self,
        idempotency: Idempotency,
        *,
        vending: AccessTokenEndpoint,
        proxy: ProxyEndpoint,
        problems: Problems,
    ) -> None:
        self._idempotency = idempotency
        self._bodies = BodyReader()
        self._vending = vending
        self._proxy = proxy
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._route(scope, receive, send_noted)
        except CallerGone:
            return
        except BodyTooSlow:
            # The unread rest must not be taken for another request.
            await problem_response(TOO_SLOW, headers={"connection": "close"})(scope, receive, send)
        except ParaphError as error:
            if started:
                # The caller sees a truncated body, never one that only looks complete.
                _log.warning("api.broken_off", error_code=error.code, why=error.detail)
                return
            await self.problem(error).send(send)

    def vend(self, installation_id: str, headers: Headers) -> Steps:
        """Answer a call for an access token; see `AccessTokenEndpoint.answer`."""
        return self._vending.answer(installation_id, headers, problem=self.problem)

    def problem(self, error: ParaphError) -> CompleteResponse:
        """Return the response to an error."""
        return CompleteResponse.of(self._problems.of(error))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw_path: bytes = scope.get("raw_path") or b""
        if match := _ZOOM.fullmatch(raw_path):
            await self._proxy.respond(match[1].decode(), match[2], scope, receive, send)
        elif holds_own_header(name for name, _ in scope["headers"]):
            await misplaced()(scope, receive, send)
        elif match := VEND_PATH.fullmatch(raw_path):
            if scope["method"] == "POST":
                await self._vend(match[1].decode(), scope, receive, send)
            else:
                await problem_response(_METHOD, headers={"allow": "POST"})(scope, receive, send)
        else:
            await self._bounded(scope, receive, send)

    async def _vend(self, installation_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        steps = self.vend(installation_id, scope["headers"])
        response = await respond(steps, scope, receive, bodies=self._bodies)
        await response.send(send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (raw := scope.get("raw_path")) is not None:
            # By the raw path, here as everywhere: no id of this API needs an escape.
            scope = {**scope, "path": raw.decode("latin-1")}
        query: bytes = scope.get("query_string", b"")
        if query.count(b"&") >= MAX_PARAMETERS or query.count(b"%") > MAX_ESCAPES:
            remedy = "The query has more parameters or escapes than any call of this API."
            await problem_response(MALFORMED, remedy=remedy)(scope, receive, send)
            return
        # Read here: FastAPI would respond 400 to every failure while reading.
        try:
            body = await self._bodies.read(
                receive, scope, limit=MAX_BODY_BYTES, seconds=READ_SECONDS
            )
        except BodyTooLong:
            await problem_response(TOO_LONG)(scope, receive, send)
            return
        await self._idempotency.respond(body, scope, receive, send)


def create_management_api(
    context: Context, settings: Settings, *, access: ActiveAccess, caller: ResourceCaller
) -> ManagementApi:
    """Return the ASGI application of `/v1`.

    Args:
        context: the open context, whose store the caller closes.
        settings: for public URLs and the proxy's allow-list.
        access: returns valid access tokens.
        caller: makes calls of Zoom's API.
    """
    keys = ApiKeys(context)
    problems = Problems(context)

    # FastAPI takes 35 ms to build the routes. An application that embeds the service never calls
    # them, so they are built for the first request that needs them.
    @cache
    def framework() -> FastAPI:
        return _framework(context, keys, problems, public_url=settings.public_url)

    async def call_framework(scope: Scope, receive: Receive, send: Send) -> None:
        await framework()(scope, receive, send)

    return ManagementApi(
        Idempotency(call_framework, keys, context),
        vending=AccessTokenEndpoint(context.store, keys, access),
        proxy=ProxyEndpoint(keys, caller, AllowList(settings.proxy_allow)),
        problems=problems,
    )


def _framework(context: Context, keys: ApiKeys, problems: Problems, *, public_url: str) -> FastAPI:
    app = FastAPI(
        title="paraph management API",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses=EVERYWHERE,
    )
    key = ApiKeyDependency(keys)
    app.include_router(linking_routes(context, key, public_url))
    app.include_router(installation_routes(context, key))
    app.include_router(audit_routes(context, key))
    app.include_router(event_routes(context, key))
    _add_document(app, key)
    _add_problems(app, problems)
    return app


def _add_document(app: FastAPI, key: ApiKeyDependency) -> None:
    @cache
    def document() -> dict[str, Any]:
        return openapi_of(app, key)

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi_document(_key: Annotated[ApiKey, Depends(key)]) -> JSONResponse:
        return JSONResponse(document())


def _add_problems(app: FastAPI, problems: Problems) -> None:
    @app.exception_handler(ParaphError)
    async def known(_request: Request, error: ParaphError) -> JSONResponse:
        return problems.of(error)

    @app.exception_handler(RequestValidationError)
    async def bad_shape(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Only names of fields and rules: the submitted values may be secret.
        places = sorted({".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()})
        return problem_response(MALFORMED, remedy="; ".join(places))

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, error: HTTPException) -> JSONResponse:
        # 400: FastAPI's status for a body that is not JSON at all.
        known = {400: MALFORMED, 404: _NOTHING, 405: _METHOD}.get(error.status_code)
        refused = Problem(error.status_code, "refused", "The request is refused.", _METHOD.remedy)
        return problem_response(known or refused, headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, error: Exception) -> JSONResponse:
        _log.error("api.failed", why=type(error).__name__)
        return problem_response(UNEXPECTED)
