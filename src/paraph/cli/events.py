"""`paraph events`: shows received events and their status, and redelivers them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.cli.command_group import CommandGroup
from paraph.cli.output import day, show_table
from paraph.cli.random_id import IdCommand
from paraph.cli.settings_file import config_option, with_context

if TYPE_CHECKING:
    from paraph.lifecycle.context import Context
    from paraph.model.event import KeptEvent

# By the value of `model.event.EventStatus`, which a help text must not import.
STATUSES = {"received": "received", "handed_on": "forwarded", "dead": "dead"}


class Status(click.Choice[str]):
    """The type of an option with a status; its old name `handed_on` still works."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the status; any other value is a usage error."""
        return super().convert(STATUSES.get(str(value), value), param, ctx)


@click.group(cls=CommandGroup)
def events() -> None:
    """List, show and redeliver events."""


@events.command("list")
@click.option(
    "--status", type=Status(list(STATUSES.values())), help="Only events with this status."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, help="The number of events to show."
)
@config_option
def list_events(*, status: str | None, limit: int, config: Path | None) -> None:
    """Show the newest events, without their bodies."""

    async def work(context: Context) -> list[KeptEvent]:
        from paraph.model.event import EventStatus

        chosen = next((one for one in EventStatus if STATUSES[one.value] == status), None)
        async with context.store.reading() as tx:
            return list(await tx.events.page(status=chosen, limit=limit))

    rows = [
        (
            one.event_id[:24],
            one.shown_name,
            day(one.received_at),
            STATUSES[one.status.value],
            str(one.attempts),
            one.failure,
        )
        for one in with_context(config, work)
    ]
    columns = ("event", "name", "received", "status", "attempts", "last failure")
    show_table(rows, columns=columns)


@events.command(cls=IdCommand)
@click.argument("event")
@config_option
def show(*, event: str, config: Path | None) -> None:
    """Show the status of one event. EVENT is its id or the start of it."""

    async def work(context: Context) -> KeptEvent:
        from paraph.events.redelivery import find_event

        return await find_event(context, event)

    found = with_context(config, work)
    for label, value in (
        ("event", found.event_id),
        ("name", found.shown_name),
        ("received", day(found.received_at)),
        ("status", STATUSES[found.status.value]),
        ("attempts", found.attempts),
        ("forwarded", day(found.handed_on_at) if found.handed_on_at else "-"),
        ("last failure", found.failure or "-"),
    ):
        click.echo(f"{label:13} {value}")


@events.command("redeliver", cls=IdCommand)
@click.argument("event")
@config_option
def redeliver_event(*, event: str, config: Path | None) -> None:
    """Forward one event again, from its first attempt.

    EVENT is its id or the start of it. A running service forwards it within seconds.
    """

    async def work(context: Context) -> KeptEvent:
        from paraph.events.redelivery import redeliver

        return await redeliver(context, event)

    found = with_context(config, work)
    click.echo(f"{found.event_id} ({found.shown_name}) is due again")
