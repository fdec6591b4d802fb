"""Both listeners in one event loop, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from paraph.config import Settings, is_loopback
from paraph.errors import ConfigurationError
from paraph.logs import get_logger
from paraph.service.app import open_service
from paraph.service.bounded_head import BoundedHeadProtocol
from paraph.service.fast_lane import Judges, fast_lane

_GRACE_SECONDS = 10
_log = get_logger("service")


class _Listener(uvicorn.Server):
    """One listener; signals are handled for both together."""

    on_started: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say so."""
        await super().startup(sockets)
        if self.started:
            self.on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `serve`."""
        yield


def _listener(app: ASGIApp, bind: tuple[str, int], *, lane: Judges | None = None) -> _Listener:
    protocol: Any = BoundedHeadProtocol if lane is None else fast_lane(lane)
    return _Listener(
        uvicorn.Config(
            app,
            host=bind[0],
            port=bind[1],
            http=protocol,
            ws="none",
            lifespan="off",
            # No access log: the query of the redirection endpoint holds codes.
            access_log=False,
            log_config=None,
            server_header=False,
            # Forwarded headers are judged in paraph.service.address, hop by hop.
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )


async def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Run the service until it is told to stop.

    Args:
        settings: judged settings.
        announce: given a line for each listener once it accepts connections.

    Raises:
        ConfigurationError: a port is taken, or the key ring or the database cannot be used.
    """
    # The server's own logger would print stack traces and request lines.
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    if not is_loopback(settings.private_bind[0]):
        _log.warning(
            "private.beyond_loopback",
            host=settings.private_bind[0],
            remedy="API keys and tokens cross it in clear: let nobody but your backend reach it.",
        )
    fast = settings.fast_lane
    async with open_service(settings) as service:
        public = _listener(
            service.public, settings.public_bind, lane=service.public_lane if fast else None
        )
        private = _listener(
            service.private, settings.private_bind, lane=service.private_lane if fast else None
        )
        stop = _stop_on_signals(public, private)
        async with asyncio.TaskGroup() as tasks:
            for word, listener in (("listening", public), ("private", private)):
                tasks.create_task(_run(listener, word, announce, stop))
        if not (public.started and private.started):
            raise ConfigurationError(
                ["a listener could not start: is its port taken? (public_bind, private_bind)"],
                remedy="Stop what holds the port, or choose another one.",
            )


def _stop_on_signals(*listeners: _Listener) -> Callable[[], None]:
    def stop() -> None:
        for listener in listeners:
            listener.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stop


async def _run(
    listener: _Listener, word: str, announce: Callable[[str], None], stop: Callable[[], None]
) -> None:
    listener.on_started = lambda: announce(_line(listener, word))
    try:
        await listener.serve()
    except SystemExit:
        # uvicorn leaves the process when it cannot bind; here the other listener stops too.
        _log.error("service.cannot_listen", host=listener.config.host, port=listener.config.port)
    finally:
        stop()


def _line(listener: _Listener, word: str) -> str:
    host, port = listener.servers[0].sockets[0].getsockname()[:2]
    return f"{word} http://{f'[{host}]' if ':' in host else host}:{port}"
