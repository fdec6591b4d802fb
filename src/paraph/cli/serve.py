"""`paraph serve`: runs the service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.cli.settings_file import config_option

if TYPE_CHECKING:
    import asyncio


@click.command()
@config_option
def serve(*, config: Path | None) -> None:
    """Run the service.

    It serves installs, tokens and webhooks. Its settings are in paraph.toml and in PARAPH_*
    variables.
    """
    import asyncio

    from paraph.logs import get_logger, set_up_logs
    from paraph.service import server
    from paraph.settings.loading import load_settings

    settings = load_settings(config)
    set_up_logs()
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        # The service has no TLS, so a proxy is in front of it. Every request would have the proxy's
        # address, and one client that reaches the rate limit would lock out all others.
        get_logger("service").warning(
            "proxies.not_trusted",
            remedy="Name the proxy's network in trusted_proxies: rate limits count by address.",
        )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(server.serve(settings, announce=click.echo))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return uvloop's event loop, or asyncio's where uvloop is not available (it is slower)."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
