"""One request between two threads: the whole response, and a body only where it is wanted."""

from __future__ import annotations

import asyncio
from typing import Any

from paraph.integrations.exchange import NoBody, exchange


def test_the_response_comes_back_whole() -> None:
    """All pieces, every header in its order, two cookies as two."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        got = [await receive(), await receive()]
        headers = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": got[0]["body"], "more_body": True})
        await send({"type": "http.response.body", "body": got[1]["type"].encode()})

    whole = asyncio.run(exchange(app, {}, b"sent "))
    assert whole is not None
    assert 201 == whole.status
    assert (("set-cookie", "a=1"), ("set-cookie", "b=2")) == whole.headers
    assert b"sent http.disconnect" == whole.body


def test_a_body_that_broke_off_is_a_lost_client() -> None:
    """The application learns it as from any server."""
    seen: list[str] = []

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        seen.append((await receive())["type"])

    asyncio.run(exchange(app, {}, NoBody.BROKEN_OFF))
    assert ["http.disconnect"] == seen


def test_the_body_is_asked_for_only_where_the_application_wants_it() -> None:
    """A request that is refused by its headers costs no reading; no handler stops the question."""

    async def reads(_scope: Any, receive: Any, _send: Any) -> None:
        try:
            await receive()
        except Exception:  # noqa: BLE001 - As the last net of an application does it.
            raise AssertionError from None

    async def refuses(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert None is asyncio.run(exchange(reads, {}, NoBody.NOT_READ))
    refused = asyncio.run(exchange(refuses, {}, NoBody.NOT_READ))
    assert refused is not None
    assert 401 == refused.status
