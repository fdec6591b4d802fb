"""Endpoints as generators, and the driver that runs them on the ASGI path.

An endpoint yields a step wherever it has to wait, and returns its one response. So its rules are
written once, and a driver decides how to wait. The driver here awaits in the request's task. The
fast path waits without a task, and for many requests together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Receive, Scope

from paraph.http.body import BodyReader
from paraph.http.response import CompleteResponse


@dataclass(frozen=True, slots=True)
class ReadBody:
    """Read the complete body; its bytes are the result.

    An endpoint reads the body at most once. Before that it must have no effect: a driver may close
    it at this step, and another driver starts it again.

    Args:
        limit: the number of bytes that the body may have.
        seconds: the time in which the body has to arrive.
    """

    limit: int
    seconds: float


class ReadTogether(msgspec.Struct, gc=False):
    """Read a value that one statement can read for many requests; it is the result.

    Args:
        read: returns the values of many keys in their order, or a future of them.
        key: the key of this request.
        body: read the complete body first. The result is then the body and the value.
    """

    read: Callable[[Sequence[Any]], Sequence[Any] | asyncio.Future[Any]]
    key: Any
    body: ReadBody | None = None


@dataclass(slots=True)
class Wait:
    """Wait for an awaitable; its result is the result of the step, its error is raised there.

    Args:
        awaitable: a future, or a coroutine that no caller has started yet.
    """

    awaitable: Awaitable[Any]

    def discard(self) -> None:
        """Close a coroutine that is not going to be started."""
        if asyncio.iscoroutine(self.awaitable):
            self.awaitable.close()


Step = ReadBody | ReadTogether | Wait
Steps = Generator[Step, Any, CompleteResponse]
Endpoint = Callable[[Scope, Mapping[bytes, bytes]], Steps]
"""Answers one request. Takes its ASGI scope, of which `headers`, `client` and `query_string` may be
read, and its headers as a mapping, which holds the last one of a repeated name."""


async def respond(
    steps: Steps, scope: Scope, receive: Receive, *, bodies: BodyReader
) -> CompleteResponse:
    """Run an endpoint in the request's task and return its response.

    Args:
        steps: the endpoint's generator, not yet started.
        scope: the ASGI scope of the request.
        receive: returns the messages of the request.
        bodies: reads the body.
    """
    try:
        step = next(steps)
        while True:
            try:
                result = await _perform(step, scope, receive, bodies)
            except Exception as error:  # noqa: BLE001 - The endpoint tells the errors apart.
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        response: CompleteResponse = end.value
        return response
    finally:
        steps.close()


async def _perform(step: Step, scope: Scope, receive: Receive, bodies: BodyReader) -> Any:
    if isinstance(step, Wait):
        return await step.awaitable
    body, wanted = b"", step if isinstance(step, ReadBody) else step.body
    if wanted is not None:
        body = await bodies.read(receive, scope, limit=wanted.limit, seconds=wanted.seconds)
    if isinstance(step, ReadBody):
        return body
    values = step.read([step.key])
    value = (await values if isinstance(values, asyncio.Future) else values)[0]
    return value if wanted is None else (body, value)
