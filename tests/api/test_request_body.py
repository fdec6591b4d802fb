"""Bodies that come slowly: nobody without a key holds a place on the private side."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.private_socket import private_url
from paraph.api import request_body
from service_kit import running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/v1/link-requests", "/v1/claims/x/decline"])
async def test_a_body_that_does_not_come_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Announced and never sent: 408, and the connection ends."""
    monkeypatch.setattr(request_body, "READ_SECONDS", 0.05)
    async with running(tmp_path) as kit, private_url(kit) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{{".encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
    assert b"HTTP/1.1 408 Request Timeout" == answer.partition(b"\r\n")[0]
    assert b'"code":"too_slow"' in answer
