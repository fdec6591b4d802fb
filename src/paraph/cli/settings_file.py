"""The --config option that most commands share, and access to the database of the settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from paraph.lifecycle.context import Context

Result = TypeVar("Result")

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    help="The settings file. The default is paraph.toml in this folder, if it exists.",
)


def with_context(config: Path | None, work: Callable[[Context], Awaitable[Result]]) -> Result:
    """Open the database of the settings, run one piece of work, and close the database.

    Args:
        config: the settings file; None for the default one.
        work: the work.

    Raises:
        ConfigurationError: the settings are incomplete or wrong.
        StorageError: the database cannot be used.
    """
    import asyncio

    from paraph.logs import set_up_logs
    from paraph.service.context import open_context
    from paraph.settings.loading import load_settings

    set_up_logs()
    settings = load_settings(config)

    async def run() -> Result:
        async with open_context(settings) as (context, _readiness):
            return await work(context)

    return asyncio.run(run())
