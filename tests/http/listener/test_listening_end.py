"""The end of a listener under load: no connection that its peer believes to be open is lost."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from typing import Any

import pytest

from service.served import served

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a packet filter of Linux"),
]

REQUEST = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
SENDERS = 12


class Answering:
    """An application that says yes, and when it has said so often enough."""

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.enough = asyncio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        """Answer one request."""
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        self.left -= 1
        if not self.left:
            self.enough.set()


def send_until_refused(port: int) -> Counter[str]:
    """One request after the other, each on a new connection."""
    seen: Counter[str] = Counter()
    while True:
        with socket.socket() as one:
            one.settimeout(10)
            try:
                one.connect(("127.0.0.1", port))
            except ConnectionRefusedError:
                return seen
            try:
                one.sendall(REQUEST)
                answered = one.recv(100).startswith(b"HTTP/1.1 204")
            except OSError:
                answered = False
            seen["answered" if answered else "lost"] += 1


async def test_every_connection_is_answered_or_refused() -> None:
    """Connections that the system completes while the listener ends are accepted first."""
    app = Answering(20 * SENDERS)
    async with served(app) as one:
        one.listener.last_connections_seconds = 0.25
        senders = [
            asyncio.create_task(asyncio.to_thread(send_until_refused, one.port))
            for _ in range(SENDERS)
        ]
        await app.enough.wait()
        one.listener.should_exit = True
        seen = sum(await asyncio.gather(*senders), Counter[str]())
    assert 0 == seen["lost"], seen
    assert seen["answered"] >= 20 * SENDERS
