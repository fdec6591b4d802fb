"""Two drivers of the protocol: they store the state and send the requests, waiting or awaiting.

Each request has connections of its own, which are closed after it: an install flow holds nothing
open, may be shared by threads and event loops, and survives a fork.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import httpx

from paraph.errors import TransportError, UsageError
from paraph.installs.app import App
from paraph.installs.steps import Steps, UseState
from paraph.oauth.messages import MAX_RESPONSE_BODY_BYTES, Request, Response
from paraph.outgoing.failure import Cause, failure
from paraph.outgoing.http_client import (
    HEADERS,
    BoundedBody,
    client_arguments,
    connect_seconds,
    failure_of,
    headers_of,
    timeout_of,
)
from paraph.outgoing.route import origin_of

UseStateCallable: TypeAlias = Callable[[str, int], bool | Awaitable[bool]]
# A transport in place of the network, for tests.
HttpTransport: TypeAlias = httpx.BaseTransport | httpx.AsyncBaseTransport | None

T = TypeVar("T")
_CONNECTED = "connection.connect_tcp.complete"


@dataclass(frozen=True, slots=True)
class Driver:
    """Runs the steps of one app's installs.

    Attributes:
        app: the app.
        store_state: the host's `use_state`.
        transport: a transport in place of the network.
    """

    app: App
    store_state: UseStateCallable
    transport: HttpTransport = None

    def run(self, steps: Steps[T]) -> T:
        """Run steps in this thread.

        Raises:
            UsageError: `use_state` is asynchronous.
            InstallRefused, PeerError, TransportError: as the steps raise them.
        """
        with closing(steps):
            try:
                step = next(steps)
                while True:
                    try:
                        value = self._send(step) if isinstance(step, Request) else self._store(step)
                    except TransportError as error:
                        step = steps.throw(error)
                    else:
                        step = steps.send(value)
            except StopIteration as done:
                result: T = done.value
                return result

    async def arun(self, steps: Steps[T]) -> T:
        """Run steps in this task. A synchronous `use_state` runs in a thread.

        Raises:
            InstallRefused, PeerError, TransportError: as the steps raise them.
        """
        with closing(steps):
            try:
                step = next(steps)
                while True:
                    try:
                        if isinstance(step, Request):
                            value: Any = await self._asend(step)
                        else:
                            value = await self._astore(step)
                    except TransportError as error:
                        step = steps.throw(error)
                    else:
                        step = steps.send(value)
            except StopIteration as done:
                result: T = done.value
                return result

    def _store(self, step: UseState) -> Any:
        try:
            stored = self.store_state(step.state_hash, step.expires_at)
        except Exception as error:  # noqa: BLE001 - Whatever the host's store raises: nothing is exchanged.
            return error
        if inspect.iscoroutine(stored):
            stored.close()
            raise UsageError(
                "use_state is asynchronous and finish is not", remedy="Await flow.afinish(...)."
            )
        return stored

    async def _astore(self, step: UseState) -> Any:
        try:
            async with asyncio.timeout(self.app.timeout):
                if inspect.iscoroutinefunction(self.store_state):
                    return await self.store_state(step.state_hash, step.expires_at)
                stored: Any = await asyncio.to_thread(
                    self.store_state, step.state_hash, step.expires_at
                )
                return await stored if inspect.isawaitable(stored) else stored
        except Exception as error:  # noqa: BLE001 - As above; a timeout is one of them.
            return error

    def _send(self, request: Request) -> Response:
        origin = self._allowed(request)
        transport = self.transport if isinstance(self.transport, httpx.BaseTransport) else None
        with (
            self._own_errors(origin),
            _Deadline(self.app.timeout) as deadline,
            httpx.Client(transport=transport, **self._arguments()) as client,
            client.stream(
                request.method,
                request.url,
                headers=list(request.headers),
                content=request.body or None,
                extensions={"trace": deadline.trace},
            ) as response,
        ):
            body = BoundedBody(response, origin=origin, limit=MAX_RESPONSE_BODY_BYTES)
            for piece in response.iter_raw():
                body.add(piece)
            return Response(response.status_code, headers_of(response), body.whole())

    async def _asend(self, request: Request) -> Response:
        origin = self._allowed(request)
        transport = self.transport if isinstance(self.transport, httpx.AsyncBaseTransport) else None
        with self._own_errors(origin):
            async with (
                asyncio.timeout(self.app.timeout),
                httpx.AsyncClient(transport=transport, **self._arguments()) as client,
                client.stream(
                    request.method,
                    request.url,
                    headers=list(request.headers),
                    content=request.body or None,
                ) as response,
            ):
                body = BoundedBody(response, origin=origin, limit=MAX_RESPONSE_BODY_BYTES)
                async for piece in response.aiter_raw():
                    body.add(piece)
                return Response(response.status_code, headers_of(response), body.whole())

    def _arguments(self) -> dict[str, Any]:
        return {
            **client_arguments(self.app.route, self.app.origins),
            "timeout": timeout_of(self.app.timeout),
            "headers": HEADERS,
        }

    def _allowed(self, request: Request) -> str:
        origin = origin_of(request.url)
        if origin not in self.app.origins:
            raise TransportError("a request to a host that is not configured was stopped")
        return origin

    @contextmanager
    def _own_errors(self, origin: str) -> Iterator[None]:
        """Raise paraph's own errors in place of the library's, whose texts may quote a URL."""
        seconds = self.app.timeout
        try:
            yield
        except httpx.HTTPError as error:
            step = connect_seconds(seconds) if isinstance(error, httpx.ConnectTimeout) else seconds
            raise failure_of(error, origin=origin, route=self.app.route, seconds=step) from None
        except TimeoutError:
            proxy = self.app.route.proxy_for(origin)
            raise failure(Cause.READ_TIMEOUT, peer=origin, proxy=proxy, seconds=seconds) from None


class _Deadline:
    """Ends a synchronous request that takes too long in all.

    The timeouts of the library are those of one read. A server that sends a byte a second could
    hold a thread for hours. At the deadline the connection is shut down, and the read ends.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._is_over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        if self._is_over and isinstance(error, httpx.HTTPError):
            raise TimeoutError from None

    def trace(self, event: str, details: dict[str, Any]) -> None:
        """Note a connection of the library (its documented extension `trace`)."""
        if event == _CONNECTED:
            # A duplicate: TLS takes the socket itself over.
            connection = details["return_value"].get_extra_info("socket").dup()
            with self._lock:
                self._connections.append(connection)
            if self._is_over:
                self._end()

    def _end(self) -> None:
        self._is_over = True
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
