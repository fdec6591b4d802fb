"""A complete response is the same by ASGI and on the wire of the fast path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.responses import Response

from paraph.http.fast_path.protocol import Wire
from paraph.http.response import CompleteResponse, Fields

pytestmark = pytest.mark.anyio

JSON = (b"content-type", b"application/json")


async def sent(response: CompleteResponse) -> list[Mapping[str, Any]]:
    """The messages that ASGI gets."""
    messages: list[Mapping[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await response.send(send)
    return messages


async def test_the_length_is_first_on_either_path() -> None:
    """It belongs to the body; all other headers are written once for many responses."""
    response = CompleteResponse(200, Fields(JSON, (b"cache-control", b"no-store")), b"{}")
    start, body = await sent(response)
    assert [(b"content-length", b"2"), JSON, (b"cache-control", b"no-store")] == start["headers"]
    assert b"{}" == body["body"]
    wire = Wire().write(response, [(b"date", b"today")])
    head = b"content-length: 2\r\ncontent-type: application/json\r\ncache-control: no-store"
    assert b"HTTP/1.1 200 OK\r\ndate: today\r\n" + head + b"\r\n\r\n{}" == wire


async def test_a_response_keeps_its_headers_and_gets_more() -> None:
    """Except its length, which is counted again."""
    response = Response("no", status_code=404, media_type="text/x", headers={"x-a": "1"})
    complete = CompleteResponse.of(response, (b"x-b", b"2"))
    assert (404, b"no") == (complete.status, complete.body)
    own = ((b"x-a", b"1"), (b"content-type", b"text/x; charset=utf-8"), (b"x-b", b"2"))
    assert own == complete.fields.headers


def test_a_prepared_response_follows_the_clock() -> None:
    """Its cached bytes end with the second: they contain the date."""
    wire, response = Wire(), CompleteResponse(401, Fields(JSON), b"", again=True)
    now, then = [(b"date", b"now")], [(b"date", b"then")]
    first = wire.write(response, now)
    assert first is wire.write(response, now)
    assert b"date: then" in wire.write(response, then)


async def test_a_204_has_no_length() -> None:
    """RFC 9110 section 8.6 forbids it, on either path."""
    response = CompleteResponse.of(Response(status_code=204))
    start, _body = await sent(response)
    assert [] == start["headers"]
    assert b"HTTP/1.1 204 No Content\r\n\r\n" == Wire().write(response, [])
