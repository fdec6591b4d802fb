"""Serves the app under test on a free port of this machine, in threads of its own."""

from __future__ import annotations

import inspect
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn

_SECONDS = 30.0
_POLL_SECONDS = 0.02
_BACKLOG = 128

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
# An ASGI application, or a WSGI application.
App = Callable[..., Any]


class AppServer:
    """The address of the app under test, and the server there.

    The port is reserved at once, so that an app can be told its URL before it exists. Connections
    are refused while no app is served.
    """

    def __init__(self) -> None:
        self._reserved = _bound(0)
        self._port = self._reserved.getsockname()[1]
        self._served: _AsgiThread | _WsgiThread | None = None
        self.app: App | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def serve(self, app: App) -> None:
        """Serve an app until `stop`, in place of the one that was served before.

        Args:
            app: an ASGI application, whose lifespan runs meanwhile, or a WSGI application.

        Raises:
            RuntimeError: the app did not start; its exception is the cause.
        """
        if app is self.app:
            return
        self.stop()
        listening = _bound(self._port)
        listening.listen(_BACKLOG)
        self._served = (_AsgiThread if _is_asgi(app) else _WsgiThread)(app, listening)
        self.app = app

    def stop(self) -> None:
        """Stop the app that is served; its port stays reserved."""
        served, self._served, self.app = self._served, None, None
        if served is not None:
            served.stop()

    def close(self) -> None:
        """Stop the app and free the port."""
        self.stop()
        self._reserved.close()


def _bound(port: int) -> socket.socket:
    """Return a socket that is bound to a port of loopback, and does not listen.

    Two of them may share a port: one reserves it, and the other one listens.
    """
    bound = socket.socket()
    for name in ("SO_REUSEADDR", "SO_REUSEPORT"):
        if hasattr(socket, name):
            bound.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _is_asgi(app: App) -> bool:
    call = app if inspect.isroutine(app) else type(app).__call__
    return inspect.iscoroutinefunction(call)


class _AsgiThread:
    def __init__(self, app: AsgiApp, bound: socket.socket) -> None:
        self._app = app
        self._failure: BaseException | None = None
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())
        self._server = _Server(
            uvicorn.Config(
                self._call,
                interface="asgi3",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._bound = bound
        self._thread = threading.Thread(target=self._run, name="app under test", daemon=True)
        self._thread.start()
        if not self._server.settled.wait(_SECONDS) or not self._server.started:
            self.stop()
            raise RuntimeError("the app under test did not start") from self._failure

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            if scope["type"] == "lifespan":
                self._failure = error
            raise

    def _run(self) -> None:
        try:
            self._server.run([self._bound])
        except SystemExit as error:
            # Uvicorn leaves with a status where an app has failed to start.
            self._failure = self._failure or error
        finally:
            self._bound.close()
            self._server.settled.set()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(_SECONDS)


class _Server(uvicorn.Server):
    """A server that says when it has started or has failed to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()


class _WsgiServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Print nothing: a request's line could hold a code."""


class _WsgiThread:
    def __init__(self, app: App, bound: socket.socket) -> None:
        self._server = _WsgiServer(bound.getsockname(), _QuietHandler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = bound
        self._server.server_name, self._server.server_port = bound.getsockname()
        self._server.setup_environ()
        self._server.set_app(app)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_POLL_SECONDS,),
            name="app under test",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(_SECONDS)
        self._server.server_close()
