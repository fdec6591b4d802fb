"""The private side, which the public never reaches: management API, operator pages, metrics.

It listens on loopback, where any web page may send a browser under a name of its own (DNS
rebinding). So a request must name this listener by a `Host` that an outsider cannot point here.
An API call with a key may use any name: no web page has a key.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.api.problem import UNEXPECTED, problem_response
from paraph.endpoints.browser_request import path_of
from paraph.http.problems import Problem
from paraph.http.response import CompleteResponse
from paraph.logs import get_logger
from paraph.service.private_host import PrivateHosts

_OPERATORS = re.compile(rb"/admin(?:/|$)")
_API = "/v1/"
_WRONG_HOST = Problem(
    421,
    "wrong_host",
    "This side of the service is not served under this name.",
    "Use an address, a name without dots, or one of operator_url; or add it to private_hosts.",
)
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_log = get_logger("service")


class PrivateSide:
    """The ASGI application of the private listener. It never answers with a stack trace.

    Args:
        management_api: answers `/v1`, and every path that nothing else answers.
        operator_pages: answers `/admin/`.
        metrics: returns the text for Prometheus.
        hosts: the names by which this side may be reached; None: any name.
    """

    def __init__(
        self,
        management_api: ASGIApp,
        *,
        operator_pages: ASGIApp,
        metrics: Callable[[], Awaitable[bytes]],
        hosts: PrivateHosts | None = None,
    ) -> None:
        self._management_api = management_api
        self._operator_pages = operator_pages
        self._metrics = metrics
        self._hosts = hosts

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = path_of(scope)
        if not self._is_reached_by_own_name(path, scope):
            await CompleteResponse.of(problem_response(_WRONG_HOST)).send(send)
        elif path == "/metrics" and scope["method"] == "GET":
            page = Response(await self._metrics(), media_type=METRICS_TYPE)
            await page(scope, receive, send)
        elif _OPERATORS.match(path.encode("latin-1")):
            await self._operator_pages(scope, receive, send)
        else:
            await self._management_api(scope, receive, send)

    def _is_reached_by_own_name(self, path: str, scope: Scope) -> bool:
        if self._hosts is None:
            return True
        headers = scope["headers"]
        if path.startswith(_API) and any(name == b"authorization" for name, _ in headers):
            return True
        # The operator pages have their own rule, which is stricter, and a page for it.
        return bool(_OPERATORS.match(path.encode("latin-1"))) or self._hosts.are_ours(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route a request to its application."""
        if scope["type"] != "http":
            return
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._answer(scope, receive, send_noted)
        except Exception as error:  # noqa: BLE001 - The last net: a problem, never a stack trace.
            problem = failed(scope["method"], error)
            if not started:
                await problem.send(send)


def failed(method: str, error: BaseException) -> CompleteResponse:
    """Return the response to an unexpected error."""
    # The path is not logged: the path of a confirmation holds the claim.
    _log.error("api.failed", method=method, why=type(error).__name__)
    return CompleteResponse.of(problem_response(UNEXPECTED))
