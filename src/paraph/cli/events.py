"""`paraph events`: what Zoom sent, and where it stands."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from paraph.cli.api_keys import day
from paraph.cli.settings_file import ConfigOption, with_context
from paraph.lifecycle.context import Context
from paraph.storage.records import EventStatus, KeptEvent

events = typer.Typer(help="What Zoom sent, and where it stands.", no_args_is_help=True)


@events.callback()
def _group() -> None:
    """What Zoom sent, and where it stands."""


@events.command("list")
def list_events(
    status: Annotated[EventStatus | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    config: ConfigOption = None,
) -> None:
    """Show the newest events; never their bodies."""

    async def work(context: Context) -> list[KeptEvent]:
        async with context.store.reading() as tx:
            return list(await tx.events.page(status=status, limit=limit))

    table = Table("event", "name", "received", "status", "attempts", "last failure")
    for one in with_context(config, work):
        table.add_row(
            one.event_id[:24],
            one.name,
            day(one.received_at),
            str(one.status.value),
            str(one.attempts),
            one.failure,
        )
    Console().print(table)
