"""`paraph events`: what Zoom sent, and where it stands."""

from __future__ import annotations

from typing import Annotated

import typer

from paraph.cli.api_keys import day
from paraph.cli.settings_file import ConfigOption, with_context
from paraph.cli.table import show_table
from paraph.events.redelivery import find_event, redeliver
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

    rows = [
        (
            one.event_id[:24],
            one.name,
            day(one.received_at),
            str(one.status.value),
            str(one.attempts),
            one.failure,
        )
        for one in with_context(config, work)
    ]
    columns = ("event", "name", "received", "status", "attempts", "last failure")
    show_table(rows, columns=columns)


@events.command()
def show(event: str, config: ConfigOption = None) -> None:
    """Show where one event stands; its id may be cut short."""

    async def work(context: Context) -> KeptEvent:
        return await find_event(context, event)

    found = with_context(config, work)
    for label, value in (
        ("event", found.event_id),
        ("name", found.name),
        ("received", day(found.received_at)),
        ("status", found.status.value),
        ("attempts", found.attempts),
        ("handed on", day(found.handed_on_at) if found.handed_on_at else "-"),
        ("last failure", found.failure or "-"),
    ):
        typer.echo(f"{label:13} {value}")


@events.command("redeliver")
def redeliver_event(event: str, config: ConfigOption = None) -> None:
    """Hand one event on again, from its first attempt; a running service does it within seconds."""

    async def work(context: Context) -> KeptEvent:
        return await redeliver(context, event)

    found = with_context(config, work)
    typer.echo(f"{found.event_id} ({found.name}) is due again")
