"""The simulator's composition root: routes, clock and randomness, and the server around them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from paraph.simulator.authorization_endpoint import AuthorizationEndpoint
from paraph.simulator.console import Console
from paraph.simulator.control import Control
from paraph.simulator.engine import Simulator
from paraph.simulator.faults import Answer
from paraph.simulator.journal import Journaling
from paraph.simulator.marketplace import Marketplace
from paraph.simulator.rest_api import RestApi
from paraph.simulator.token_endpoint import TokenEndpoint
from paraph.simulator.world import World

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def create_simulator(world: World) -> Simulator:
    """A simulator with the real clock and the operating system's randomness."""
    return Simulator(world, wall=time.time, random_bytes=os.urandom)


def create_app(simulator: Simulator, *, control_token: str = "") -> ASGIApp:
    """The ASGI application of a simulator.

    Args:
        simulator: what answers.
        control_token: demanded by the control API where the simulator is not on loopback.
    """
    authorization = AuthorizationEndpoint(simulator)
    token = TokenEndpoint(simulator)
    rest = RestApi(simulator)
    marketplace = Marketplace(simulator)
    control = Control(simulator, token=control_token)
    routes = [
        Route("/oauth/authorize", authorization.show, methods=["GET"]),
        Route("/oauth/authorize", authorization.decide, methods=["POST"]),
        Route("/oauth/token", _spoilt(token.token), methods=["POST"]),
        Route("/oauth/revoke", _spoilt(token.revoke), methods=["POST"]),
        Route("/v2/users/{user_id}", _spoilt(rest.user), methods=["GET"]),
        Route("/marketplace/{client_id}", marketplace.listing, methods=["GET"]),
        Route("/marketplace/{client_id}/remove", marketplace.remove, methods=["POST"]),
        *control.routes(),
        *Console(simulator, control).routes(),
    ]
    app = Starlette(routes=routes, exception_handlers={Exception: _unexpected})
    return Journaling(_Guard(app), simulator.journal, simulator.wall)


class _Guard:
    """A cut connection, where a fault asks for one; never a stack trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(_CutError):
            await self._app(scope, receive, send)


class _CutError(Exception):
    """The connection is closed without an answer."""


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("The simulator has failed.", status_code=500)


def _spoilt(
    work: Callable[[Request], Awaitable[Answer]],
) -> Callable[[Request], Awaitable[Response]]:
    """Send an answer as the faults left it."""

    async def endpoint(request: Request) -> Response:
        answer = await work(request)
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.cut:
            return _Cut()
        return Response(answer.body, status_code=answer.status, headers=answer.headers)

    return endpoint


class _Cut(Response):
    """Announces more than it sends, so that the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"999")],
            }
        )
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise _CutError


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the simulator listens. `port` 0 picks a free one."""

    host: str = "127.0.0.1"
    port: int = 8100
    certificate: Path | None = None
    key: Path | None = None


class Server(uvicorn.Server):
    """The simulator's listener; `listening` is called with its URL once it accepts."""

    def __init__(
        self,
        simulator: Simulator,
        binding: Binding,
        *,
        control_token: str = "",
        listening: Callable[[str], None],
    ) -> None:
        tls: dict[str, Any] = {}
        if binding.certificate is not None:
            tls = {"ssl_certfile": str(binding.certificate), "ssl_keyfile": str(binding.key)}
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())
        logging.getLogger("uvicorn").propagate = False
        super().__init__(
            uvicorn.Config(
                create_app(simulator, control_token=control_token),
                host=binding.host,
                port=binding.port,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
                **tls,
            )
        )
        self._simulator = simulator
        self._binding = binding
        self._listening = listening

    async def startup(self, sockets: Any = None) -> None:
        """Bind, learn the port, say so."""
        await super().startup(sockets)
        if not self.started:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self._binding.host}]" if ":" in self._binding.host else self._binding.host
        scheme = "http" if self._binding.certificate is None else "https"
        self._simulator.origin = f"{scheme}://{host}:{port}"
        self._listening(self._simulator.origin)

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop sending webhooks, then close."""
        await self._simulator.sender.close()
        await super().shutdown(sockets)


def is_loopback(host: str) -> bool:
    """Whether the simulator is reachable from this machine alone."""
    return host in _LOOPBACK or host.startswith("127.")
