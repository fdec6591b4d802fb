"""The simulated Zoom behind the app under attack; it records requests and misbehaves on demand.

Every request is recorded with its response. A case can replace, change, hold or lose the response
of a path, so that it controls the exact bytes that the app receives.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraph.checks.harness.certificates import Certificate
from paraph.checks.harness.listener import Listener
from paraph.checks.harness.zoom_messages import (
    Gate,
    ReceivedRequest,
    Reply,
    read_body,
    send_reply,
    tokens_in,
)
from paraph.simulator.app import create_app, create_simulator
from paraph.simulator.engine import Consent
from paraph.simulator.state.world import Account, App, User, World

TOKEN, REVOKE, ME = "/oauth/token", "/oauth/revoke", "/v2/users/me"
MEETINGS = "/v2/users/me/meetings"


@dataclass(slots=True)
class _Rule:
    path: str
    change: Callable[[Reply, ReceivedRequest], Reply]
    genuine: bool
    times: int | None
    method: str = ""
    gate: Gate | None = None


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
        self.received: list[ReceivedRequest] = []
        self._rules: list[_Rule] = []
        self._count = 0
        where = {"host": "zoom.us", "address": address} if address else {}
        self._listener = Listener(self._respond, port=port, certificate=certificate, **where)
        self.url = self._listener.url
        self.simulator.origin = self.url
        if address:
            world.zoom.api_url = "https://api.zoom.us"

    @property
    def app(self) -> App:
        """The app under test, as registered."""
        return self.simulator.world.apps[0]

    def reach(self, url: str) -> str:
        """Return one of this Zoom's URLs as this process reaches it."""
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

    def consent_as(self, user: User, auto: Any = "approve") -> None:
        """Make this user consent to the next authorization request without a page."""
        self.simulator.consent = Consent(auto, user.id)

    # ------------------------------------------------------------ misbehaviour

    def replace(self, path: str, reply: Reply, *, times: int | None = None) -> None:
        """Send this response for a path, `times` times; the genuine endpoint is not called."""
        self._rules.append(_Rule(path, lambda _reply, _request: reply, genuine=False, times=times))

    def change(
        self, path: str, change: Callable[[dict[str, Any]], Any], *, times: int | None = None
    ) -> None:
        """Change the content of a path's genuine successful responses, `times` times."""

        def act(reply: Reply, _request: ReceivedRequest) -> Reply:
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
            _Rule(path, lambda reply, _request: reply, genuine=True, times=times, gate=gate)
        )
        return gate

    def lose(self, path: str, *, times: int | None = 1) -> None:
        """Process requests to a path, then close the connection without a response."""

        def act(reply: Reply, _request: ReceivedRequest) -> Reply:
            reply.cut = True
            return reply

        self._rules.append(_Rule(path, act, genuine=True, times=times))

    def reset(self) -> None:
        """End all misbehaviour."""
        self._rules.clear()
        self.simulator.faults.clear()

    # ------------------------------------------------------------ received requests

    def requests(self, path: str = "", *, since: int = 0) -> Sequence[ReceivedRequest]:
        """Return the received requests, all or those below one path, since a mark."""
        return [one for one in self.received[since:] if one.path.startswith(path)]

    def mark(self) -> int:
        """Return the current position in the record of requests."""
        return len(self.received)

    def token_requests(self, since: int, kind: str = "") -> list[ReceivedRequest]:
        """Return the requests to the token endpoint since a mark, of all grant types or of one."""
        return [
            one
            for one in self.requests(TOKEN, since=since)
            if not kind or one.parameters.get("grant_type") == kind
        ]

    def secrets(self) -> dict[str, str]:
        """Return every secret value that Zoom issued or received, with its kind."""
        found = {self.app.client_secret: "client secret", self.app.webhook_secret: "webhook secret"}
        for one in list(self.received):
            if verifier := one.parameters.get("code_verifier"):
                found[verifier] = "code verifier"
            if one.path == TOKEN and one.response:
                found |= tokens_in(one.response)
        for code in list(self.simulator.ledger.codes):
            found[code] = "authorization code"
        return {value: what for value, what in found.items() if len(value) >= 12}

    def access_token_of(self, user: User) -> str:
        """Return the valid access token of a user."""
        grant = self.simulator.ledger.grants.get((self.app.client_id, user.id))
        return grant.access_token if grant else ""

    # ------------------------------------------------------------ the wire

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        request = ReceivedRequest(
            time.time(),
            scope["method"],
            scope["path"],
            parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True),
            [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]],
            body,
        )
        self.received.append(request)
        rule = self._rule(scope["path"])
        reply = Reply() if rule and not rule.genuine else await self._genuine(scope, body)
        if rule is not None:
            reply = rule.change(reply, request)
            request.status, request.response = reply.status, reply.body
            if rule.gate is not None:
                await rule.gate.passed()
        request.status, request.response = reply.status, reply.body
        await send_reply(reply, send)

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
