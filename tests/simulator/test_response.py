"""Answers as the faults left them, on their way out."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.types import Message

from paraph.simulator.response import ResponseDraft, as_endpoint


async def sent_for(response: ResponseDraft, received: list[Message]) -> list[Message]:
    """What goes out, to a caller who sends these messages."""
    sent: list[Message] = []

    async def work(_request: Request) -> ResponseDraft:
        return response

    async def receive() -> Message:
        return received.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    sending = await as_endpoint(work)(Request(scope))
    await sending(scope, receive, send)
    return sent


@pytest.mark.anyio
async def test_dripping_ends_with_the_caller() -> None:
    """Whoever goes away is sent no more bytes."""
    response = ResponseDraft(200, b"x" * 1000, drip=30.0)
    sent = await sent_for(response, [{"type": "http.request"}, {"type": "http.disconnect"}])
    assert ["http.response.start", "http.response.body"] == [one["type"] for one in sent]


@pytest.mark.anyio
async def test_what_is_no_object_is_not_changed() -> None:
    """Lists, failures and broken text pass a fault that changes fields as they are."""
    for status, body in ((200, b"[1]"), (500, b'{"a":1}'), (200, b"{")):
        response = ResponseDraft(status, body)
        response.change(a=2)
        response.drop("a")
        assert body == response.body
