"""The option that most commands share: where the settings are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from paraph.config import load_settings
from paraph.lifecycle.context import Context
from paraph.logs import set_up_logs
from paraph.service.app import open_context

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help="The settings file; paraph.toml here, if there is one, by default."
    ),
]

Result = TypeVar("Result")


def with_context(config: Path | None, work: Callable[[Context], Awaitable[Result]]) -> Result:
    """Open the store of the settings, do one thing, close it again."""
    set_up_logs()
    settings = load_settings(config)

    async def run() -> Result:
        async with open_context(settings) as (context, _readiness):
            return await work(context)

    return asyncio.run(run())
