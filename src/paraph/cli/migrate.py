"""`paraph migrate`: the schema changes with which older versions cannot run."""

from __future__ import annotations

from pathlib import Path

import click

from paraph.cli.settings_file import config_option


@click.command()
@config_option
def migrate(*, config: Path | None) -> None:
    """Remove unused parts of the database schema.

    The service adds new parts when it starts. Run this command when no process of an older version
    is left: older versions cannot start afterwards. The service may run meanwhile; events are
    forwarded when all have moved. A table that is not empty yet stays; run the command again later.
    """
    import asyncio

    from paraph.logs import set_up_logs
    from paraph.settings.loading import load_settings
    from paraph.storage.contraction import contract_schema

    set_up_logs()
    moved: list[int] = []
    url = load_settings(config).database_url
    taken = asyncio.run(contract_schema(url, moved=moved.append))
    for step in taken:
        click.echo(f"removed: {step}")
    if any(moved):
        click.echo(f"moved: {sum(moved)} events")
    elif not taken:
        click.echo("There is nothing to remove.")
