"""`paraph serve`: the service."""

from __future__ import annotations

import typer

from paraph.cli.event_loop import run
from paraph.cli.settings_file import ConfigOption
from paraph.config import load_settings
from paraph.logs import get_logger, set_up_logs
from paraph.service import server

_log = get_logger("service")


def serve(config: ConfigOption = None) -> None:
    """Run the service: installs, tokens, webhooks; settings from paraph.toml and PARAPH_*."""
    settings = load_settings(config)
    set_up_logs()
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        # This server speaks no TLS, so something stands before it, and all who come through it
        # look like one address: whoever uses up that one's budget locks out everybody.
        _log.warning(
            "proxies.not_trusted",
            remedy="Name the proxy's network in trusted_proxies: budgets count by address.",
        )
    run(server.serve(settings, announce=typer.echo))
