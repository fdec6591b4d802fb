"""The requests that the simulated Zoom receives, and the responses that a case can define."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Send

from paraph.simulator.state.world import User

_SECRET_FIELDS = ("access_token", "refresh_token")


@dataclass(slots=True)
class ReceivedRequest:
    """One request that Zoom received, and its response."""

    at: float
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    body: bytes
    status: int = 0
    response: bytes = b""

    @property
    def form(self) -> dict[str, str]:
        """The parameters in the body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters in the query and in the body."""
        return {**dict(self.query), **self.form}

    def header(self, name: str) -> str:
        """Return the value of a header; "" if it is absent."""
        return next((v for n, v in self.headers if n == name), "")

    @property
    def bearer(self) -> str:
        """The access token in the Authorization header."""
        return self.header("authorization").removeprefix("Bearer ").removeprefix("bearer ")

    def line(self) -> str:
        """Return the request as one line of evidence."""
        names = ", ".join(sorted(self.parameters))
        return f"Zoom received {self.method} {self.path} ({names}) and sent status {self.status}"


@dataclass(slots=True)
class Reply:
    """A response that a case defines.

    `delay` is the wait in seconds before the first byte, `drip` the one between single bytes.
    `copies` is how many times the body is sent. `cut` closes the connection instead.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    delay: float = 0.0
    drip: float = 0.0
    copies: int = 1
    cut: bool = False

    @classmethod
    def of_json(cls, content: Any, status: int = 200) -> Reply:
        """Make a JSON response."""
        return cls(status, json.dumps(content).encode())


class Gate:
    """Holds responses back until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.reached = threading.Event()

    def open(self) -> None:
        """Release the held responses."""
        self._open.set()

    async def passed(self) -> None:
        """Wait until the gate is opened, at most half a minute."""
        self.reached.set()
        for _ in range(600):
            if self._open.is_set():
                return
            await asyncio.sleep(0.05)


def tokens_in(body: bytes) -> dict[str, str]:
    """Return the tokens of a token response, each with its kind."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        content[name]: name.replace("_", " ")
        for name in _SECRET_FIELDS
        if isinstance(content.get(name), str)
    }


def description_of(user: User, **changes: Any) -> dict[str, Any]:
    """Return the `users/me` response for a user, with all fields that clients expect."""
    first, _, last = user.display_name.partition(" ")
    return {
        "id": user.id,
        "account_id": user.account_id,
        "email": user.email,
        "display_name": user.display_name,
        "first_name": first,
        "last_name": last,
        "type": 2,
        "role_name": "Member",
        "role_id": "2",
        "pmi": 1234567890,
        "timezone": "Europe/Lisbon",
        "verified": 1,
        "created_at": "2024-02-01T09:00:00Z",
        "language": "en-US",
        "phone_number": "",
        "pic_url": "",
        "status": "active",
        **changes,
    }


async def read_body(receive: Receive) -> bytes:
    """Read the complete body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a response in the way that it says."""
    await asyncio.sleep(reply.delay)
    headers = [
        (n.lower().encode(), v.encode("latin-1"))
        for n, v in reply.headers.items()
        if n.lower() != "content-length"
    ]
    length = 999_999 if reply.cut else len(reply.body) * reply.copies
    headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.cut:
        # The body is shorter than announced, so the server closes the connection.
        return
    if reply.drip:
        for index in range(len(reply.body)):
            await send(_chunk(reply.body[index : index + 1]))
            await asyncio.sleep(reply.drip)
    elif reply.copies > 1:
        for _ in range(reply.copies):
            await send(_chunk(reply.body))
    else:
        await send(_chunk(reply.body))
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _chunk(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}
