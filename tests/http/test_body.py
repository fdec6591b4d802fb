"""Bodies that come slowly: nobody holds a place on the private side with one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.installed import installed
from api.private_socket import private_url
from paraph.api import app
from paraph.api.proxy import REPEATABLE_BYTES
from paraph.http import body
from service_kit import running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/v1/link-requests", "/v1/claims/x/decline"])
async def test_a_body_that_does_not_come_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Announced and never sent: 408, and the connection ends."""
    monkeypatch.setattr(app, "READ_SECONDS", 0.05)
    async with running(tmp_path) as kit, private_url(kit.service) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{".encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert b"HTTP/1.1 408 Request Timeout" == answer.partition(b"\r\n")[0]
    assert b'"code":"too_slow"' in answer


@pytest.mark.parametrize("begun", [b"{", b"x" * (REPEATABLE_BYTES + 1)])
async def test_a_body_for_zoom_that_stops_arriving_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """With a key, too, and also when the call to Zoom has begun already."""
    monkeypatch.setattr(body, "READ_SECONDS", 0.5)
    async with installed(tmp_path) as one, private_url(one.kit.service) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        head = (
            f"POST {one.zoom_path}/v2/users/me/meetings HTTP/1.1\r\nhost: x\r\n"
            f"authorization: {one.api.headers['authorization']}\r\n"
            f"content-length: {len(begun) + 9}\r\n\r\n"
        )
        writer.write(head.encode() + begun)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert b"HTTP/1.1 408 Request Timeout" == answer.partition(b"\r\n")[0]
