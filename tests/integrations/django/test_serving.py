"""`with_zoom`, between an ASGI server and Django."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from django_site import PREFIX

pytestmark = pytest.mark.anyio
PIECE: dict[str, Any] = {"type": "http.request", "body": b"x" * 65_536, "more_body": True}


async def bodies(messages: AsyncIterator[Any]) -> tuple[int, list[str]]:
    """Read a body as Django does; return its length, and the types of two messages after it."""
    from paraph.integrations.django.serving import with_zoom

    found: list[Any] = []

    async def django(_scope: Any, receive: Any, _send: Any) -> None:
        length, more = 0, True
        while more:
            message = await receive()
            length += len(message.get("body", b""))
            more = message.get("more_body", False)
        found.extend((length, message["type"]))
        if message["type"] == "http.request":
            found.append((await receive())["type"])

    async def send(_message: Any) -> None:
        pass

    scope = {"type": "http", "path": f"{PREFIX}/webhook", "method": "POST"}
    await with_zoom(django)(scope, messages.__anext__, send)
    return found[0], found[1:]


@pytest.mark.usefixtures("project")
async def test_a_body_without_end_ends_beyond_what_the_service_takes() -> None:
    """Django sees one piece more than the limit, and then nothing but the disconnection."""
    from paraph.integrations.wsgi_request import MOST_BODY_BYTES

    async def messages() -> AsyncIterator[Any]:
        for _ in range(200):
            yield PIECE
        yield {"type": "http.disconnect"}

    length, types = await bodies(messages())
    assert MOST_BODY_BYTES <= length < MOST_BODY_BYTES + len(PIECE["body"])
    assert ["http.request", "http.disconnect"] == types


@pytest.mark.usefixtures("project")
async def test_a_body_that_stalls_is_a_disconnection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that sends nothing further for the time limit counts as gone."""
    monkeypatch.setattr("paraph.integrations.django.serving.READ_SECONDS", 0.01)

    async def messages() -> AsyncIterator[Any]:
        yield PIECE
        await asyncio.Event().wait()

    assert (len(PIECE["body"]), ["http.disconnect"]) == await bodies(messages())


@pytest.mark.usefixtures("project")
async def test_a_short_body_passes_unchanged() -> None:
    """What Zoom sends reaches Django whole."""

    async def messages() -> AsyncIterator[Any]:
        yield {"type": "http.request", "body": b"{", "more_body": True}
        yield {"type": "http.request", "body": b"}", "more_body": False}
        yield {"type": "http.disconnect"}

    assert (2, ["http.request", "http.disconnect"]) == await bodies(messages())
