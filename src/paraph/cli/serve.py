"""`paraph serve`: the service."""

from __future__ import annotations

import typer

from paraph.cli.event_loop import run
from paraph.cli.settings_file import ConfigOption
from paraph.config import load_settings
from paraph.logs import set_up_logs
from paraph.service import server


def serve(config: ConfigOption = None) -> None:
    """Run the service: installs, tokens, webhooks; settings from paraph.toml and PARAPH_*."""
    settings = load_settings(config)
    set_up_logs()
    run(server.serve(settings, announce=typer.echo))
