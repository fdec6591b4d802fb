"""The private side, which the public never reaches: management API, operator pages, metrics."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.answer import Answer
from paraph.api.problem import UNEXPECTED, problem_answer
from paraph.logs import get_logger

_OPERATORS = re.compile(rb"/admin(?:/|$)")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_log = get_logger("service")


class PrivateSide:
    """ASGI application of the private listener: no stack trace ever.

    Args:
        management_api: answers `/v1`, and whatever nobody else does.
        operator_pages: answers `/admin/`.
        metrics: gives the text that Prometheus reads.
    """

    def __init__(
        self,
        management_api: ASGIApp,
        *,
        operator_pages: ASGIApp,
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._management_api = management_api
        self._operator_pages = operator_pages
        self._metrics = metrics

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/metrics" and scope["method"] == "GET":
            page = Response(await self._metrics(), media_type=METRICS_TYPE)
            await page(scope, receive, send)
        elif _OPERATORS.match(scope.get("raw_path") or b""):
            await self._operator_pages(scope, receive, send)
        else:
            await self._management_api(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on to whom it is for."""
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


def failed(method: str, error: BaseException) -> Answer:
    """What is answered where something went wrong that nobody foresaw."""
    # Not the path: that of a confirmation holds the claim.
    _log.error("api.failed", method=method, why=type(error).__name__)
    return Answer.of(problem_answer(UNEXPECTED))
