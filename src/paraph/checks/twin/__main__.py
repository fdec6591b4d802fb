"""`python -m paraph.checks.twin`: serves the twin as the environment says."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import sys

import uvicorn

from paraph.checks.twin.app import Twin
from paraph.checks.twin.settings import Settings


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
        servers.append(_server(twin.twin_in_clear(), settings.plain_port, None))
    await asyncio.gather(*(one.serve() for one in servers))


def _server(twin: Twin, port: int, settings: Settings | None) -> uvicorn.Server:
    config = uvicorn.Config(
        twin,
        port=port,
        interface="asgi3",
        proxy_headers=False,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=settings.certificate if settings and settings.certificate else None,
        ssl_keyfile=settings.certificate_key if settings and settings.certificate else None,
    )
    config.load()
    if config.ssl is not None and settings is not None:
        weak = settings.is_weak("net-tls")
        if weak:
            config.ssl.set_ciphers("DEFAULT:@SECLEVEL=0")
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1 if weak else ssl.TLSVersion.TLSv1_2
    return uvicorn.Server(config)


if __name__ == "__main__":
    serve(dict(os.environ))
