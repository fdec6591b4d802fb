"""Runs endpoints on the fast path: without a task for each, and many requests together.

Requests that arrived whole in the same event loop iteration continue together at its end. Work done
for requests one after another costs a third of the same work done between reads and writes of
sockets. A value that one statement can read for many requests is read once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import Any, ClassVar, Protocol

import msgspec
from starlette.types import Scope

from paraph.errors import StorageError
from paraph.http.endpoint import ReadTogether, Step, Steps, Wait
from paraph.http.response import CompleteResponse, Fields, Headers
from paraph.logs import get_logger

_log = get_logger("service")


class FastRoute:
    """A route that the fast path may answer.

    Args:
        method: the only method that it answers.
        begin: begins the endpoint of a request, or returns None where the ASGI path has to answer.
            Its scope has only `target`, `headers` and `client`.
        headers: appended to every response.
        failed: returns the response to an unexpected error; None: the connection is closed.

    Attributes:
        method: the method of the constructor.
        begin: the function of the constructor.
        lines: the headers of the constructor, in the form of HTTP/1.1.
    """

    def __init__(
        self,
        method: bytes,
        begin: Callable[[Scope, Mapping[bytes, bytes]], Steps | None],
        *,
        headers: Headers = (),
        failed: Callable[[Exception], CompleteResponse] | None = None,
    ) -> None:
        self.method = method
        self.begin = begin
        self.lines = Fields(*headers).lines
        self._failed = failed

    def failed(self, error: Exception) -> CompleteResponse:
        """Return the response to an error that the endpoint did not expect, or raise the error."""
        if self._failed is None:
            raise error
        return self._failed(error)


FindRoute = Callable[[bytes], FastRoute | None]
"""Finds the route of a target (the raw path with its query); None: the ASGI path answers."""


class Connection(Protocol):
    """The part of the server's protocol that a request needs."""

    transport: Any

    def respond(self, request: Request, response: CompleteResponse) -> None:
        """Write the response of a request."""

    def start(self, work: Coroutine[Any, Any, Any], context: Context) -> asyncio.Task[Any]:
        """Start a task that the server waits for when it stops."""


class _NoReader:
    """Stands in for a reader: on the fast path no task waits for the pieces of a body."""

    def set(self) -> None:
        """Do nothing."""


_NO_CONNECTION: Any = None


class Request(msgspec.Struct, eq=False):
    """A request whose endpoint waits for the body, which is about to be complete.

    Attributes:
        route: the route.
        together: the value that the endpoint waits for beside the body, if any.
        connection: set once the body has arrived.
        body: the complete body, once it has arrived.
    """

    route: FastRoute
    _steps: Steps
    together: ReadTogether | None
    # The context variables of the request.
    _context: Context
    connection: Connection = _NO_CONNECTION
    body: bytes = b""
    _pieces: list[bytes] | None = None
    # The server reads these of every request.
    message_event: ClassVar[_NoReader] = _NoReader()
    disconnected: bool = False
    keep_alive: bool = True
    response_complete: bool = False

    def add(self, piece: bytes) -> None:
        """Add a piece of its body. Pieces are joined once: a chunk may be a single byte."""
        if self._pieces is not None:
            self._pieces.append(piece)
        elif self.body:
            self._pieces = [self.body, piece]
        else:
            self.body = piece

    def join(self) -> bytes:
        """Return the part of the body that has arrived."""
        if self._pieces is not None:
            self.body, self._pieces = b"".join(self._pieces), None
        return self.body

    def close(self) -> None:
        """End its endpoint without a response."""
        self._steps.close()

    def resume(self, result: Any = None, error: BaseException | None = None) -> Step | None:
        """Continue its endpoint with the result of its step; return the next step, if any.

        Never raises: others of its batch wait behind it.
        """
        try:
            if error is None:
                return self._context.run(self._steps.send, result)
            return self._context.run(self._steps.throw, error)
        except StopIteration as end:
            response: CompleteResponse = end.value
        except Exception as unexpected:  # noqa: BLE001 - Only this request fails.
            self._fail(unexpected)
            return None
        try:
            self.connection.respond(self, response)
        except Exception as unexpected:  # noqa: BLE001 - Only its own connection ends.
            self._end(unexpected)
        return None

    def _fail(self, error: Exception) -> None:
        try:
            self.connection.respond(self, self.route.failed(error))
        except Exception as again:  # noqa: BLE001 - Only its own connection ends.
            self._end(again)

    def _end(self, error: Exception) -> None:
        """Close its connection, since it gets no response."""
        _log.error("fast_path.failed", why=type(error).__name__)
        self.response_complete = True
        self.connection.transport.close()

    def wait(self, step: Wait) -> None:
        """Continue its endpoint once its step is done, in another event loop iteration."""
        work: Any = step.awaitable
        if not isinstance(work, asyncio.Future):
            work = self.connection.start(work, self._context)
        work.add_done_callback(self._continue)

    def _continue(self, done: asyncio.Future[Any]) -> None:
        error = _error_of(done)
        step = self.resume(done.result()) if error is None else self.resume(error=error)
        if step is not None:
            _follow([(self, step)])


def _error_of(done: asyncio.Future[Any]) -> BaseException | None:
    return StorageError("the service is stopping") if done.cancelled() else done.exception()


class Batch:
    """Whole requests of a listener that arrived in the same event loop iteration."""

    def __init__(self) -> None:
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        """Continue it after everything else that has arrived was read."""
        if not self._requests:
            asyncio.get_running_loop().call_soon(self._continue)
        self._requests.append(request)

    def _continue(self) -> None:
        requests, self._requests = self._requests, []
        steps = []
        for one in requests:
            # The body is here already; a value that is read beside it is read for all of them.
            step = one.resume(one.body) if one.together is None else one.together
            if step is not None:
                steps.append((one, step))
        if steps:
            _follow(steps)


_Asked = Sequence[tuple[Request, ReadTogether]]


def _follow(steps: Sequence[tuple[Request, Step]]) -> None:
    """Perform the steps of requests: read for all of them together, and wait for each alone."""
    together: dict[Any, list[tuple[Request, ReadTogether]]] = {}
    for request, step in steps:
        if isinstance(step, ReadTogether):
            if (asked := together.get(step.read)) is None:
                asked = together[step.read] = []
            asked.append((request, step))
        elif isinstance(step, Wait):
            request.wait(step)
    for read, asked in together.items():
        _read(read, asked)


def _read(read: Callable[..., Any], asked: _Asked) -> None:
    try:
        values = read([step.key for _, step in asked])
    except Exception as error:  # noqa: BLE001 - The endpoint tells the errors apart.
        if len(asked) == 1:
            _throw(asked, error)
            return
        # One of them may be the reason: each is read alone.
        for one in asked:
            _read(read, [one])
        return
    if isinstance(values, asyncio.Future):
        values.add_done_callback(partial(_continue_with, asked))
    else:
        _give(asked, values)


def _continue_with(asked: _Asked, done: asyncio.Future[Any]) -> None:
    """Continue requests with the result of what they waited for together."""
    if (error := _error_of(done)) is not None:
        _throw(asked, error)
    else:
        _give(asked, done.result())


def _give(asked: _Asked, values: Sequence[Any]) -> None:
    following = []
    for (request, step), value in zip(asked, values, strict=True):
        result = value if step.body is None else (request.body, value)
        if (following_step := request.resume(result)) is not None:
            following.append((request, following_step))
    if following:
        _follow(following)


def _throw(asked: _Asked, error: BaseException) -> None:
    _follow([(one, step) for one, _ in asked if (step := one.resume(error=error)) is not None])
