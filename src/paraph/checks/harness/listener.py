"""A server on a loopback port in a thread, for the simulated Zoom and for the attacker."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from paraph.checks.harness.certificates import Certificate


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop as uvicorn does, then end the TLS connections that clients hold open.

        uvloop would raise at its end, for a closing TLS connection waits for its client.
        """
        await super().shutdown(sockets)
        transports = [one.transport for one in self.server_state.connections]
        for transport in transports:
            transport.abort()
        # In the next rounds of the loop the sockets are closed.
        for _ in range(3):
            await asyncio.sleep(0)


class Listener:
    """Serves an ASGI application from `start` to `stop`.

    Args:
        app: the ASGI application to serve.
        host: the host name in the URL.
        port: the port to listen on; 0 picks a free one.
        certificate: the certificate for https; None serves plain http.
        address: the loopback address to listen on.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "localhost",
        port: int = 0,
        certificate: Certificate | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        tls: dict[str, Any] = {}
        if certificate is not None:
            tls = {"ssl_certfile": str(certificate.chain), "ssl_keyfile": str(certificate.key)}
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())
        logging.getLogger("uvicorn").propagate = False
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((address, port))
        except OSError:
            self._socket.close()
            raise
        scheme = "https" if certificate else "http"
        port = self._socket.getsockname()[1]
        # The address it really listens on; the URL may use another name for it.
        self.reached_at = f"{scheme}://{address}:{port}"
        self.url = f"{scheme}://{host}" + ("" if port == 443 else f":{port}")
        self._server = _Server(
            uvicorn.Config(
                app,
                interface="asgi3",
                proxy_headers=False,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="critical",
                server_header=False,
                timeout_graceful_shutdown=1,
                timeout_keep_alive=60,
                **tls,
            )
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Start the server; return when it accepts connections."""
        self._socket.listen(256)
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()


@dataclass(slots=True)
class Trap:
    """The attacker's own server: the app must never send a request to it."""

    hits: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the request with headers and body, and send a harmless response."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = " ".join(
            f"{n.decode('latin-1')}: {v.decode('latin-1')}" for n, v in scope["headers"]
        )
        query = scope.get("query_string", b"").decode("latin-1")
        self.hits.append(f"{scope['method']} {scope['path']}?{query} {headers} {body[:4096]!r}")
        headers_out = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers_out})
        await send({"type": "http.response.body", "body": b"{}"})
