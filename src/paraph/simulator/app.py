"""The simulator's composition root: its routes, clock, randomness, and server."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from paraph.simulator.apps.marketplace import Marketplace
from paraph.simulator.engine import Simulator
from paraph.simulator.oauth.authorization_endpoint import AuthorizationEndpoint
from paraph.simulator.oauth.device_endpoint import DeviceEndpoint
from paraph.simulator.oauth.token_endpoint import TokenEndpoint
from paraph.simulator.recording import Journaling
from paraph.simulator.response import Guard, as_endpoint
from paraph.simulator.rest.event_subscriptions import EventSubscriptions
from paraph.simulator.rest.meeting_details_api import MeetingDetailsApi
from paraph.simulator.rest.recordings_api import RecordingsApi
from paraph.simulator.rest.rest_api import RestApi
from paraph.simulator.state.world import World
from paraph.simulator.steering.access import AccessControl
from paraph.simulator.steering.console import Console
from paraph.simulator.steering.console_entries import Explain
from paraph.simulator.steering.control import Control


def create_simulator(world: World) -> Simulator:
    """Return a simulator with the real clock and the operating system's randomness."""
    return Simulator(world, wall=time.time, random_bytes=os.urandom)


_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(
    simulator: Simulator, *, control_token: str = "", explain: Explain | None = None
) -> ASGIApp:
    """Return the ASGI application of a simulator.

    Args:
        simulator: the simulated Zoom that serves the requests.
        control_token: required by the control API if the simulator is not on loopback.
        explain: lets the console explain webhooks step by step.
    """
    authorization = AuthorizationEndpoint(simulator)
    token = TokenEndpoint(simulator)
    device = DeviceEndpoint(simulator)
    rest = RestApi(simulator)
    recordings = RecordingsApi(simulator)
    details = MeetingDetailsApi(simulator)
    subscriptions = EventSubscriptions(simulator)
    access = AccessControl(control_token)
    marketplace = Marketplace(simulator, access.refuse_foreign_form)
    routes = [
        Route("/oauth/authorize", authorization.show, methods=["GET"]),
        Route("/oauth/authorize", authorization.decide, methods=["POST"]),
        Route("/oauth/token", as_endpoint(token.token), methods=["POST"]),
        Route("/oauth/revoke", as_endpoint(token.revoke), methods=["POST"]),
        Route("/oauth/devicecode", as_endpoint(device.devicecode), methods=["POST"]),
        Route("/oauth_device", device.page, methods=["GET"]),
        Route("/oauth_device", device.enter, methods=["POST"]),
        Route("/oauth/device/complete/{user_code}", device.complete, methods=["GET"]),
        *(
            Route(path, as_endpoint(resource), methods=[method])
            for method, path, resource in (
                *rest.resources(),
                *recordings.resources(),
                *details.resources(),
                *subscriptions.resources(),
            )
        ),
        # The last route under /v2/ refuses the paths that no resource before it has.
        Route("/v2/{path:path}", as_endpoint(rest.unknown), methods=_METHODS),
        Route("/marketplace/{client_id}", marketplace.listing, methods=["GET"]),
        Route("/marketplace/{client_id}/remove", marketplace.remove, methods=["POST"]),
        *Control(simulator, access).routes(),
        *Console(simulator, access, explain).routes(),
    ]
    app = Starlette(routes=routes, exception_handlers={Exception: _unexpected})
    # No URL of Zoom's has an extra slash.
    app.router.redirect_slashes = False
    return Journaling(Guard(app), simulator.journal, simulator.wall)


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("The simulator has failed.", status_code=500)


@dataclass(frozen=True, slots=True)
class Binding:
    """The address on which the simulator listens.

    Attributes:
        port: 0 picks a free port.
        certificate: a certificate chain (PEM); None for plain http.
        key: the private key of the certificate (PEM).
    """

    host: str = "127.0.0.1"
    port: int = 8100
    certificate: Path | None = None
    key: Path | None = None


class Server(uvicorn.Server):
    """The simulator's HTTP server.

    Args:
        simulator: the simulated Zoom.
        binding: the address to listen on.
        control_token: required by the control API if the simulator is not on loopback.
        explain: lets the console explain webhooks step by step.
        listening: called with the URL once connections are accepted.
    """

    def __init__(
        self,
        simulator: Simulator,
        binding: Binding,
        *,
        control_token: str = "",
        explain: Explain | None = None,
        listening: Callable[[str], None],
    ) -> None:
        tls: dict[str, Any] = {}
        if binding.certificate is not None:
            tls = {"ssl_certfile": str(binding.certificate), "ssl_keyfile": str(binding.key)}
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())
        logging.getLogger("uvicorn").propagate = False
        super().__init__(
            uvicorn.Config(
                create_app(simulator, control_token=control_token, explain=explain),
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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop on SIGTERM or Ctrl-C. Uvicorn would raise the signal again, as after a crash."""
        del frame
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: Any = None) -> None:
        """Bind, read the port, and call `listening`."""
        await super().startup(sockets)
        if not self.started:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self._binding.host}]" if ":" in self._binding.host else self._binding.host
        scheme = "http" if self._binding.certificate is None else "https"
        self._simulator.origin = f"{scheme}://{host}:{port}"
        self._simulator.begin_revalidation()
        self._listening(self._simulator.origin)

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop sending webhooks, then close."""
        self._simulator.timers.clear()
        await self._simulator.sender.close()
        await super().shutdown(sockets)
