"""The management API, `/v1`, for the host's backend. On the private side only.

Every call carries an API key. A missing, unknown or revoked key always gets the same 401. A
resource that a key may not see is a 404, as if it did not exist. The OpenAPI document needs a key
too.

FastAPI serves the rare calls (module `framework`, imported for the first of them). Access tokens
and the proxy are plain ASGI in front of it: access tokens because they are hot, the proxy because
it streams and checks raw paths.
"""

from __future__ import annotations

import asyncio
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.api.access_token import AccessTokenEndpoint
from paraph.api.idempotency import Idempotency
from paraph.api.problem import (
    MALFORMED,
    METHOD,
    TOO_LONG,
    TOO_SLOW,
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
from paraph.http.endpoint import respond
from paraph.http.response import CompleteResponse
from paraph.lifecycle.active_access import ActiveAccess
from paraph.lifecycle.api_key import ApiKeys, authorization_of
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

_log = get_logger("api")


class ManagementApi:
    """The ASGI application of `/v1`: routes requests, limits bodies, turns errors into problems.

    Attributes:
        vend: begins to answer a call for an access token; see `AccessTokenEndpoint.answer`.
    """

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
        self.vend = vending.answer
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
            await CompleteResponse.of(self._problems.of(error)).send(send)

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
                await problem_response(METHOD, headers={"allow": "POST"})(scope, receive, send)
        else:
            await self._bounded(scope, receive, send)

    async def _vend(self, installation_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        steps = self.vend(installation_id, authorization_of(scope["headers"]))
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

    ready: asyncio.Future[ASGIApp] | None = None

    def build() -> ASGIApp:
        from paraph.api.framework import create_framework

        return create_framework(context, keys, problems, public_url=settings.public_url)

    async def call_framework(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal ready
        if ready is None or (ready.done() and ready.exception() is not None):
            # FastAPI takes 0.3 s of CPU time to import and to build the routes. An application
            # that embeds the service never calls them. A thread leaves the event loop free.
            ready = asyncio.get_running_loop().run_in_executor(None, build)
        app = await asyncio.shield(ready)
        await app(scope, receive, send)

    return ManagementApi(
        Idempotency(call_framework, keys, context),
        vending=AccessTokenEndpoint(context.store, keys, access, problems),
        proxy=ProxyEndpoint(keys, caller, AllowList(settings.proxy_allow)),
        problems=problems,
    )
