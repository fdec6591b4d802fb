"""Runs both listeners in one event loop, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from paraph.errors import ConfigurationError
from paraph.http.listener.bounded_protocol import BoundedHeadProtocol
from paraph.http.listener.connections import ConnectionLimits, Connections
from paraph.http.listener.descriptors import ExhaustionLog, raise_limit, shares_of
from paraph.http.listener.listening_end import accept_no_more
from paraph.http.proxy_watch import log_what_is_believed
from paraph.logs import get_logger
from paraph.service.app import Service, open_service
from paraph.service.stopping import Stopping, end_on_signals
from paraph.settings.model import Settings
from paraph.settings.validation import Network, is_loopback

# An exchange with Zoom takes two requests of at most six seconds each.
_GRACE_SECONDS = 15
# For connections that were completed just before the listening socket stopped completing them.
_LAST_CONNECTIONS_SECONDS = 0.25
_CLOSE = (b"connection", b"close")
_ENDING: Any = {
    "type": "http.response.start",
    "status": 503,
    "headers": [(b"content-length", b"0"), (b"retry-after", b"1"), (b"cache-control", b"no-store")],
}
# uvicorn's own loop ticks ten times a second, and acts in every tenth tick.
_TICK_SECONDS = 1.0
# Without a connection only exhausted descriptors are looked for.
_REST_SECONDS = 10.0
_Protocol = Callable[..., BoundedHeadProtocol]
_USUAL_LIMITS = ConnectionLimits()
_log = get_logger("service")


class _Listener(uvicorn.Server):
    """One listener. Signals are handled for both listeners together.

    Attributes:
        on_started: called when it accepts connections.
        is_resting: true while it has no connection to check, and ticks rarely.
        last_connections_seconds: seconds for connections that were completed just before the end.
    """

    last_connections_seconds = 0.0
    on_started: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        self._is_told_to_stop = False
        self._woken = asyncio.Event()
        super().__init__(config)
        self._connections = connections
        self.is_resting = False
        connections.on_first = self._end_rest
        self.exhaustion: ExhaustionLog | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then call `on_started`."""
        await super().startup(sockets)
        if self.started:
            self.on_started()

    async def main_loop(self) -> None:
        """Tick until the server is told to stop: rarely while no connection is open."""
        while not await self.on_tick(0):
            self.is_resting = not (len(self._connections) or self._woken.is_set())
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REST_SECONDS if self.is_resting else _TICK_SECONDS):
                    await self._woken.wait()

    def _end_rest(self) -> None:
        """Tick for a first connection, whose response needs the present `Date`."""
        if self.is_resting:
            self.is_resting = False
            date = (b"date", formatdate(usegmt=True).encode())
            self.server_state.default_headers = [date, *self.config.encoded_headers]
            self._woken.set()

    @property
    def should_exit(self) -> bool:
        """True once the server was told to stop; setting it ends the wait for the next tick."""
        return self._is_told_to_stop

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._is_told_to_stop = True
            self._woken.set()

    async def on_tick(self, counter: int) -> bool:
        """Check the connections and the descriptors."""
        now = asyncio.get_running_loop().time()
        self._connections.look_after(now)
        if self.exhaustion is not None:
            self.exhaustion.probe(now)
        return await super().on_tick(counter)

    def drain(self) -> None:
        """Answer as usual, and let each response end its connection."""
        self._connections.is_draining = True
        if not self.config.loaded:
            # Told to stop before it has started: no response will be sent.
            return
        self.config.encoded_headers = [*self.config.encoded_headers, _CLOSE]
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept completed connections, then no more; let requests under way end."""
        if self.last_connections_seconds:
            accept_no_more(one for server in self.servers for one in server.sockets)
            await asyncio.sleep(self.last_connections_seconds)
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await super().shutdown(sockets)
        except TimeoutError:
            await self._end_requests()

    async def _end_requests(self) -> None:
        """Answer 503 where no response has begun; uvicorn itself would answer 500."""
        answered = 0
        connections: list[Any] = list(self.server_state.connections)
        for connection in connections:
            cycle = connection.cycle
            if not isinstance(cycle, RequestResponseCycle) or cycle.response_started:
                continue
            if not connection.flow.write_paused:
                await cycle.send(_ENDING)
                await cycle.send({"type": "http.response.body", "body": b""})
                answered += 1
        for task in self.server_state.tasks:
            task.cancel()
        _log.warning(
            "service.requests_ended",
            seconds=_GRACE_SECONDS,
            answered_503=answered,
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `serve`."""
        yield


def _listener(
    app: ASGIApp,
    bind: tuple[str, int],
    *,
    protocol: _Protocol = BoundedHeadProtocol,
    limits: ConnectionLimits = _USUAL_LIMITS,
    trusted: Sequence[Network] = (),
    backlog: int = 2048,
) -> _Listener:
    connections = Connections(limits, trusted=trusted)
    http: Any = functools.partial(protocol, connections=connections)
    return _Listener(
        uvicorn.Config(
            app,
            host=bind[0],
            port=bind[1],
            http=http,
            backlog=backlog,
            ws="none",
            lifespan="off",
            # No access log: the query of the redirection endpoint holds codes.
            access_log=False,
            log_config=None,
            server_header=False,
            # Forwarded headers are checked in paraph.http.client_address, hop by hop.
            proxy_headers=False,
        ),
        connections,
    )


async def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Run the service until it is told to stop.

    Args:
        settings: checked settings.
        announce: receives a line for each listener once it accepts connections.

    Raises:
        ConfigurationError: a port is taken, or the key ring or the database cannot be used.
    """
    end_on_signals()
    # The server's own logger would print stack traces and request lines.
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    if not is_loopback(settings.private_bind[0]):
        _log.warning(
            "private.beyond_loopback",
            host=settings.private_bind[0],
            remedy="API keys and tokens cross it in clear: only your backend may reach it.",
        )
    exhaustion = ExhaustionLog()
    exhaustion.watch(asyncio.get_running_loop())
    shares = shares_of(raise_limit())
    async with open_service(settings) as service:
        # Logged only now: a start that fails reports its failure and nothing else.
        log_what_is_believed(settings)
        public_protocol, private_protocol = _protocols(service, is_fast=settings.fast_path)
        public = _listener(
            service.public,
            settings.public_bind,
            protocol=public_protocol,
            limits=shares.public,
            trusted=settings.trusted_proxies,
            backlog=shares.backlog,
        )
        private = _listener(
            service.private,
            settings.private_bind,
            protocol=private_protocol,
            limits=shares.private,
            backlog=shares.backlog,
        )
        public.exhaustion = exhaustion
        listeners = (public, private)

        def drain() -> None:
            service.readiness.drain()
            for listener in listeners:
                listener.drain()
                listener.last_connections_seconds = min(
                    _LAST_CONNECTIONS_SECONDS, settings.drain_seconds
                )

        def stop() -> None:
            for listener in listeners:
                listener.should_exit = True

        Stopping(drain=drain, stop=stop, drain_seconds=settings.drain_seconds).listen()
        async with asyncio.TaskGroup() as tasks:
            for word, listener in (("listening", public), ("private", private)):
                tasks.create_task(_run(listener, word, announce, stop))
        if not (public.started and private.started):
            raise ConfigurationError(
                ["a listener could not start: is its port taken? (public_bind, private_bind)"],
                remedy="Stop the program that uses the port, or choose another port.",
            )


def _protocols(service: Service, *, is_fast: bool) -> tuple[_Protocol, _Protocol]:
    """Return what makes the protocols of the public and of the private listener."""
    if not is_fast:
        return BoundedHeadProtocol, BoundedHeadProtocol
    # The service runs without these two as well.
    from paraph.http.fast_path.protocol import fast_path
    from paraph.service.fast_routes import private_fast_routes, public_fast_routes

    return fast_path(public_fast_routes(service.public)), fast_path(
        private_fast_routes(service.api)
    )


async def _run(
    listener: _Listener, word: str, announce: Callable[[str], None], stop: Callable[[], None]
) -> None:
    listener.on_started = lambda: announce(_line(listener, word))
    try:
        await listener.serve()
    except SystemExit:
        # uvicorn exits the process if it cannot bind; here the other listener stops too.
        _log.error("service.cannot_listen", host=listener.config.host, port=listener.config.port)
    finally:
        stop()


def _line(listener: _Listener, word: str) -> str:
    host, port = listener.servers[0].sockets[0].getsockname()[:2]
    return f"{word} http://{f'[{host}]' if ':' in host else host}:{port}"
