"""`python -m paraph.checks.twin`: serves the twin, configured by environment variables."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import sys
from dataclasses import replace

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from paraph.checks.twin.app import Twin
from paraph.checks.twin.settings import Settings

_MOST_CONNECTIONS = 48


def serve(environment: dict[str, str]) -> None:
    """Serve until SIGTERM."""
    settings = Settings.read(environment)
    if not settings.webhook_secret and not settings.is_weak("wh-fail-open"):
        sys.stderr.write("twin: there is no webhook secret\n")
        sys.exit(2)
    settings.log("the twin serves")
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    twin = Twin(settings)
    servers = [_server(twin, settings.port, settings)]
    if settings.certificate and settings.plain_port:
        plain = replace(settings, certificate="", certificate_key="")
        servers.append(_server(twin.twin_in_clear(), settings.plain_port, plain))
    await asyncio.gather(*(one.serve() for one in servers))


class _Protocol(HttpToolsProtocol):
    """Ignores bytes after an upgrade request; the server's parser would run them as a request."""

    _is_upgraded = False

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, but drop those that follow an upgrade request."""
        if not self._is_upgraded:
            super().data_received(data)

    def _unsupported_upgrade_warning(self) -> None:
        self._is_upgraded = True


def _server(twin: Twin, port: int, settings: Settings) -> uvicorn.Server:
    weak = settings.is_weak
    config = uvicorn.Config(
        twin,
        port=port,
        http=HttpToolsProtocol if weak("net-upgrade") else _Protocol,
        limit_concurrency=_MOST_CONNECTIONS if weak("net-unread-responses") else None,
        interface="asgi3",
        proxy_headers=False,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=settings.certificate or None,
        ssl_keyfile=settings.certificate_key or None,
    )
    config.load()
    if config.ssl is not None:
        if weak("net-tls"):
            config.ssl.set_ciphers("DEFAULT:@SECLEVEL=0")
        oldest = ssl.TLSVersion.TLSv1 if weak("net-tls") else ssl.TLSVersion.TLSv1_2
        config.ssl.minimum_version = oldest
    return uvicorn.Server(config)


if __name__ == "__main__":
    serve(dict(os.environ))
