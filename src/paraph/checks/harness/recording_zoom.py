"""The simulated Zoom behind the app under attack; it records requests and misbehaves on demand.

Every request is recorded with its response. A case can replace, change, hold or lose the response
of a path, so that it controls the exact bytes that the app receives.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.checks.harness.listener import Certificate, Listener
from paraph.simulator.app import create_app, create_simulator
from paraph.simulator.engine import Consent
from paraph.simulator.state.world import Account, App, User, World

TOKEN, REVOKE, ME = "/oauth/token", "/oauth/revoke", "/v2/users/me"
MEETINGS = "/v2/users/me/meetings"
_SECRET_FIELDS = ("access_token", "refresh_token")


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


@dataclass(slots=True)
class Seen:
    """One request that Zoom received, and its response."""

    at: float
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: list[tuple[str, str]]
    body: bytes
    status: int = 0
    answer: bytes = b""

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
        return f"Zoom saw {self.method} {self.path} ({names}) and answered {self.status}"


@dataclass(slots=True)
class _Rule:
    path: str
    change: Callable[[Reply, Seen], Reply]
    genuine: bool
    times: int | None
    method: str = ""
    gate: Gate | None = None


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


class Zoom:
    """One simulated Zoom with the app under test registered.

    Args:
        app: the registration of the app; its redirect URIs may be corrected later.
        port: the port to listen on; 0 picks a free one.
        certificate: the certificate for https; None serves plain http.
        address: the loopback address at which it stands in for the real `zoom.us`.
    """

    def __init__(
        self,
        app: App,
        *,
        port: int = 0,
        certificate: Certificate | None = None,
        address: str = "",
    ) -> None:
        world = World(accounts=[Account(id="CheckAccount0000000001")], users=[], apps=[app])
        self.simulator = create_simulator(world)
        self._inner: ASGIApp = create_app(self.simulator)
        self.seen: list[Seen] = []
        self._rules: list[_Rule] = []
        self._count = 0
        where = {"host": "zoom.us", "address": address} if address else {}
        self._listener = Listener(self._answer, port=port, certificate=certificate, **where)
        self.url = self._listener.url
        self.simulator.origin = self.url
        if address:
            world.zoom.api_url = "https://api.zoom.us"

    @property
    def app(self) -> App:
        """The app under test, as registered."""
        return self.simulator.world.apps[0]

    def reach(self, url: str) -> str:
        """Return one of this Zoom's URLs as it is reached from this process."""
        return self._listener.reached_at + url.removeprefix(self.url)

    def start(self) -> None:
        """Start serving; return when it accepts connections."""
        self._listener.start()

    def stop(self) -> None:
        """Stop serving and close all connections."""
        self._listener.stop()

    # ------------------------------------------------------------ users

    def user(self, **fields: str) -> User:
        """Add a user, in a new account unless one is given."""
        self._count += 1
        mark = os.urandom(6).hex()
        values = {
            "id": f"U{mark}{self._count:05d}zCheckQ",
            "account_id": f"A{mark}{self._count:05d}zCheckQ",
            "email": f"person-{mark}@example.com",
            "display_name": f"Person {mark}",
            # Only an administrator can add an account-level app.
            "role": "admin" if self.app.level == "account" else "member",
            **fields,
        }
        user = User(**values)  # type: ignore[arg-type]
        world = self.simulator.world
        if world.account(user.account_id) is None:
            world.accounts.append(Account(id=user.account_id))
        world.users.append(user)
        return user

    def agree_as(self, user: User, auto: Any = "approve") -> None:
        """Make this user consent to the next authorization request without a page."""
        self.simulator.consent = Consent(auto, user.id)

    # ------------------------------------------------------------ misbehaviour

    def replace(self, path: str, reply: Reply, *, times: int | None = None) -> None:
        """Send this response for a path; the genuine endpoint is not called."""
        self._rules.append(_Rule(path, lambda _reply, _seen: reply, genuine=False, times=times))

    def change(
        self, path: str, change: Callable[[dict[str, Any]], Any], *, times: int | None = None
    ) -> None:
        """Change the content of a path's genuine successful response."""

        def act(reply: Reply, _seen: Seen) -> Reply:
            if reply.status == 200:
                content = json.loads(reply.body)
                changed = change(content)
                reply.body = json.dumps(content if changed is None else changed).encode()
            return reply

        self._rules.append(_Rule(path, act, genuine=True, times=times))

    def hold(self, path: str, *, times: int | None = 1) -> Gate:
        """Hold a path's genuine responses back until the gate is opened."""
        gate = Gate()
        self._rules.append(
            _Rule(path, lambda reply, _seen: reply, genuine=True, times=times, gate=gate)
        )
        return gate

    def lose(self, path: str, *, times: int | None = 1) -> None:
        """Process requests to a path, then close the connection without a response."""

        def act(reply: Reply, _seen: Seen) -> Reply:
            reply.cut = True
            return reply

        self._rules.append(_Rule(path, act, genuine=True, times=times))

    def mend(self) -> None:
        """End all misbehaviour."""
        self._rules.clear()
        self.simulator.faults.clear()

    # ------------------------------------------------------------ received requests

    def requests(self, path: str = "", *, since: int = 0) -> Sequence[Seen]:
        """Return the received requests, all or those below one path, since a mark."""
        return [one for one in self.seen[since:] if one.path.startswith(path)]

    def secrets(self) -> dict[str, str]:
        """Return every secret value that Zoom issued or received, with its kind."""
        found = {self.app.client_secret: "client secret", self.app.webhook_secret: "webhook secret"}
        for one in list(self.seen):
            if verifier := one.parameters.get("code_verifier"):
                found[verifier] = "code verifier"
            if one.path == TOKEN and one.answer:
                found |= _tokens_in(one.answer)
        for code in list(self.simulator.ledger.codes):
            found[code] = "authorization code"
        return {value: what for value, what in found.items() if len(value) >= 12}

    def access_token_of(self, user: User) -> str:
        """Return the valid access token of a user."""
        grant = self.simulator.ledger.grants.get((self.app.client_id, user.id))
        return grant.access_token if grant else ""

    # ------------------------------------------------------------ the wire

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read(receive)
        seen = Seen(
            time.time(),
            scope["method"],
            scope["path"],
            parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True),
            [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]],
            body,
        )
        self.seen.append(seen)
        rule = self._rule(scope["path"])
        reply = Reply() if rule and not rule.genuine else await self._genuine(scope, body)
        if rule is not None:
            reply = rule.change(reply, seen)
            seen.status, seen.answer = reply.status, reply.body
            if rule.gate is not None:
                await rule.gate.passed()
        seen.status, seen.answer = reply.status, reply.body
        await _send(reply, send)

    def _rule(self, path: str) -> _Rule | None:
        for rule in reversed(self._rules):
            if path == rule.path and rule.times != 0:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    async def _genuine(self, scope: Scope, body: bytes) -> Reply:
        reply = Reply()
        chunks: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {n.decode(): v.decode("latin-1") for n, v in message["headers"]}
            else:
                chunks.append(message.get("body", b""))

        await self._inner(scope, receive, send)
        reply.body = b"".join(chunks)
        if reply.status == 404 and scope["path"] == MEETINGS:
            # Apps need a resource to call, so add one that the simulator does not have.
            headers = dict(scope["headers"])
            token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")[2]
            known = self.simulator.ledger.by_access_token(token)[0]
            return Reply.of_json({"meetings": []}, 200 if known else 401)
        return reply


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


def _tokens_in(answer: bytes) -> dict[str, str]:
    try:
        content = json.loads(answer)
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        content[name]: name.replace("_", " ")
        for name in _SECRET_FIELDS
        if isinstance(content.get(name), str)
    }


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _send(reply: Reply, send: Send) -> None:
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
