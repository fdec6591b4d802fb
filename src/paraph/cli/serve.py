"""`paraph serve`: runs the service."""

from __future__ import annotations

from pathlib import Path

import click

from paraph.cli.settings_file import config_option


@click.command()
@config_option
def serve(*, config: Path | None) -> None:
    """Run the service.

    It serves installs, tokens and webhooks. Its settings are paraph.toml and the variables
    PARAPH_*.
    """
    from paraph.cli.event_loop import run
    from paraph.logs import get_logger, set_up_logs
    from paraph.service import server
    from paraph.settings.loading import load_settings

    settings = load_settings(config)
    set_up_logs()
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        # This server does not support TLS, so a proxy is in front of it. Every request has the
        # proxy's address, and one client that reaches the rate limit would lock out all others.
        get_logger("service").warning(
            "proxies.not_trusted",
            remedy="Name the proxy's network in trusted_proxies: rate limits count by address.",
        )
    run(server.serve(settings, announce=click.echo))
