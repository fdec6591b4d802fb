"""Runs the service inside another application, for as long as any part of it needs it.

An application enters it as an asynchronous context manager, perhaps in several places: the first
entry starts the service, the last exit stops it.

Some servers tell an application neither of its start nor of its end (ASGI without `lifespan`).
There the first request starts the service. It runs in a task of its own and stops when the event
loop cancels that task at its end. Where a process is killed instead, leases of events expire and
another process continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Self

from paraph.errors import ParaphError, UsageError
from paraph.logs import get_logger
from paraph.service.app import Service

# A start that failed is not repeated for each request of a flood.
RETRY_SECONDS = 5.0

_log = get_logger("service")


class Lifetime:
    """The time during which a service runs.

    Args:
        open_service: makes the context manager of the service.
    """

    def __init__(self, open_service: Callable[[], AbstractAsyncContextManager[Service]]) -> None:
        self._open = open_service
        self._stack = AsyncExitStack()
        self._service: Service | None = None
        self._entries = 0
        self._has_ended = False
        self._changing = asyncio.Lock()
        self._starting: asyncio.Future[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._retry_at = 0.0

    @property
    def service(self) -> Service:
        """Return the running service.

        Raises:
            UsageError: it does not run.
        """
        if self._service is None:
            raise UsageError(
                "this Zoom is not running",
                remedy="Enter `async with zoom:`, or give zoom.lifespan to the app.",
            )
        return self._service

    async def __aenter__(self) -> Self:
        async with self._changing:
            if self._service is None:
                self._service = await self._stack.enter_async_context(self._open())
            self._entries += 1
        return self

    async def __aexit__(self, *_exc: object) -> None:
        async with self._changing:
            self._entries -= 1
            if not self._entries:
                self._service = None
                self._has_ended = True
                await self._stack.aclose()

    async def demand(self) -> Service:
        """Return the service for a request; start it if nothing else does.

        Raises:
            UsageError: it has ended, or could not be started; the log says why.
        """
        if self._service is None and not self._has_ended:
            if self._starting is None:
                self._begin()
            # The start belongs to no request: a caller that leaves does not cancel it.
            await asyncio.shield(self._starting or asyncio.sleep(0))
        return self.service

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at:
            raise UsageError("the service could not be started a moment ago")
        self._starting = loop.create_future()
        self._keeper = asyncio.create_task(self._keep(self._starting), name="paraph")

    async def _keep(self, started: asyncio.Future[None]) -> None:
        try:
            async with self:
                _log.info("service.started_by_request")
                started.set_result(None)
                await asyncio.Event().wait()
        except Exception as error:  # noqa: BLE001 - No request may fail with it: all get 503.
            remedy = error.remedy if isinstance(error, ParaphError) else ""
            _log.error("service.not_started", why=str(error), remedy=remedy)
            self._retry_at = asyncio.get_running_loop().time() + RETRY_SECONDS
            self._starting = None
            if not started.done():
                started.set_exception(UsageError("the service could not be started"))
                # The cause is logged here, whether or not a request still waits.
                started.exception()
        finally:
            if not started.done():
                started.set_exception(UsageError("the event loop has ended"))
                started.exception()
