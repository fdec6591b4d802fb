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
@click.option("--debug", is_flag=True, help="Log the cause of each refused install.")
def serve(*, config: Path | None, debug: bool) -> None:
    """Run the service.

    It serves installs, tokens and webhooks. Its settings are in paraph.toml and in PARAPH_*
    variables.
    """
    import asyncio

    _import_structlog()
    from paraph.logs import get_logger, set_up_logs
    from paraph.service import server
    from paraph.settings.loading import load_settings

    settings = load_settings(config)
    set_up_logs()
    if debug:
        show_causes()
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        # The service has no TLS, so a proxy is in front of it. Every request would have the proxy's
        # address, and one client that reaches the rate limit would lock out all others.
        get_logger("service").warning(
            "proxies.not_trusted",
            remedy="Name the proxy's network in trusted_proxies: rate limits count by address.",
        )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(server.serve(settings, announce=click.echo))


def _import_structlog() -> None:
    """Import it without Rich: 6 MB and 60 ms of CPU time for stack traces, which are not logged."""
    import sys

    modules: dict[str, object] = sys.modules  # type: ignore[assignment]
    modules.setdefault("rich", None)
    try:
        import structlog  # noqa: F401
    finally:
        if modules["rich"] is None:
            del modules["rich"]


def show_causes() -> None:
    """Write the cause of each refused install, which has the level DEBUG, to the service's log."""
    import logging

    from paraph.installs.refusal_log import EVENT, LOGGER
    from paraph.logs import get_logger

    class Causes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fields = {name: getattr(record, name, "") for name in ("reason", "cause")}
            get_logger("install").info(EVENT, **fields)

    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Causes())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return uvloop's event loop, or asyncio's where uvloop is not available (it is slower)."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
