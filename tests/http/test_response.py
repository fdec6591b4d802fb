"""A whole answer says the same to ASGI as on the wire of the fast lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.responses import Response

from paraph.http.response import Answer, Fields
from paraph.http.wire import Wire

pytestmark = pytest.mark.anyio

JSON = (b"content-type", b"application/json")


async def told(answer: Answer) -> list[Mapping[str, Any]]:
    """The messages that ASGI gets."""
    messages: list[Mapping[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await answer.send(send)
    return messages


async def test_the_length_stands_first_on_either_way() -> None:
    """It belongs to the body, and all else is written once for many answers."""
    answer = Answer(200, Fields(JSON, (b"cache-control", b"no-store")), b"{}")
    start, body = await told(answer)
    assert [(b"content-length", b"2"), JSON, (b"cache-control", b"no-store")] == start["headers"]
    assert b"{}" == body["body"]
    wire = Wire().carry(answer, [(b"date", b"today")])
    head = b"content-length: 2\r\ncontent-type: application/json\r\ncache-control: no-store"
    assert b"HTTP/1.1 200 OK\r\ndate: today\r\n" + head + b"\r\n\r\n{}" == wire


async def test_a_response_keeps_its_headers_and_gets_more() -> None:
    """But for its length, which is counted anew."""
    response = Response("no", status_code=404, media_type="text/x", headers={"x-a": "1"})
    answer = Answer.of(response, (b"x-b", b"2"))
    assert (404, b"no") == (answer.status, answer.body)
    own = ((b"x-a", b"1"), (b"content-type", b"text/x; charset=utf-8"), (b"x-b", b"2"))
    assert own == answer.fields.headers


def test_an_answer_that_is_given_again_follows_the_clock() -> None:
    """What is remembered of it ends with the second: the date stands in front of it."""
    wire, answer = Wire(), Answer(401, Fields(JSON), b"", again=True)
    now, then = [(b"date", b"now")], [(b"date", b"then")]
    first = wire.carry(answer, now)
    assert first is wire.carry(answer, now)
    assert b"date: then" in wire.carry(answer, then)
