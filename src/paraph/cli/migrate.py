"""`paraph migrate`: the schema steps that older code could not live with."""

from __future__ import annotations

import asyncio

import typer

from paraph.cli.settings_file import ConfigOption
from paraph.config import load_settings
from paraph.logs import set_up_logs
from paraph.storage.database import contract_schema


def migrate(config: ConfigOption = None) -> None:
    """Take away from the database what no code uses any more.

    What newer code adds is added when it starts. Run this when no process of older code is left:
    none of it can start afterwards.
    """
    set_up_logs()
    taken = asyncio.run(contract_schema(load_settings(config).database_url))
    for step in taken:
        typer.echo(f"taken: {step}")
    if not taken:
        typer.echo("There is nothing to take away.")
