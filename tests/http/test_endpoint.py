"""The ASGI driver performs the steps of an endpoint in the request's task."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from paraph.http.body import BodyReader, BodyTooLong, CallerGone
from paraph.http.endpoint import ReadBody, ReadTogether, Step, Steps, Wait, respond
from paraph.http.response import CompleteResponse, Fields

pytestmark = pytest.mark.anyio


def ok(body: bytes) -> CompleteResponse:
    """A response."""
    return CompleteResponse(200, Fields(), body)


async def run(steps: Steps, *messages: dict[str, Any]) -> bytes:
    """The body of the response to a request that sends these messages."""
    waiting = [*messages]

    async def receive() -> Any:
        await asyncio.sleep(0)
        return waiting.pop(0)

    return (await respond(steps, {}, receive, bodies=BodyReader())).body


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    """A message with a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def test_each_step_has_its_result() -> None:
    """The body, a value that is read at once or by a future, and the result of a wait."""

    def at_once(keys: Sequence[bytes]) -> list[bytes]:
        return [key.upper() for key in keys]

    def later(keys: Sequence[bytes]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, [key * 2 for key in keys])
        return future

    async def work(value: bytes) -> bytes:
        await asyncio.sleep(0)
        return value + b"!"

    def steps() -> Steps:
        body = yield ReadBody(10, 1.0)
        upper = yield ReadTogether(at_once, body)
        double = yield ReadTogether(later, upper)
        return ok((yield Wait(work(double))))

    assert b"ABAB!" == await run(steps(), piece(b"a", more=True), piece(b"b"))


async def _fail() -> None:
    raise ValueError("mine")


def _read_fails(_keys: Sequence[Any]) -> list[Any]:
    raise ValueError("mine")


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (lambda: ReadBody(1, 1.0), BodyTooLong),
        (lambda: Wait(_fail()), ValueError),
        (lambda: ReadTogether(_read_fails, None), ValueError),
    ],
    ids=["body", "wait", "read"],
)
async def test_an_error_is_raised_at_its_step(step: Any, error: type[Exception]) -> None:
    """The endpoint decides how it responds, and may go on."""

    def steps() -> Steps:
        made: Step = step()
        try:
            yield made
        except error as raised:
            return ok(type(raised).__name__.encode())
        raise AssertionError("no error was raised")

    assert error.__name__.encode() == await run(steps(), piece(b"too long"))


async def test_an_error_that_no_endpoint_expects_is_raised() -> None:
    """It reaches the caller of the driver, and the endpoint has ended."""

    def steps() -> Steps:
        yield ReadBody(10, 1.0)
        raise AssertionError("the body has not come")

    one: Any = steps()
    with pytest.raises(CallerGone):
        await run(one, {"type": "http.disconnect"})
    assert one.gi_frame is None


async def test_a_cancelled_request_ends_its_endpoint() -> None:
    """Its `finally` runs before the task ends."""
    ended = []

    def steps() -> Steps:
        try:
            yield Wait(asyncio.Event().wait())
        finally:
            ended.append(True)
        raise AssertionError("nothing was awaited")

    task = asyncio.create_task(run(steps()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [True] == ended
