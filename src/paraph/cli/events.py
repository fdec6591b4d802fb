"""`paraph events`: shows received events, redelivers them, and pauses their forwarding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from paraph.cli.command_group import CommandGroup
from paraph.cli.output import day, show_table
from paraph.cli.random_id import IdCommand
from paraph.cli.settings_file import config_option, with_context

if TYPE_CHECKING:
    from paraph.lifecycle.context import Context
    from paraph.model.event import EventFilter, ForwardingPause, KeptEvent

# By the value of `model.event.EventStatus`, which a help text must not import.
STATUSES = {"received": "received", "handed_on": "forwarded", "dead": "dead"}
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


class Status(click.Choice[str]):
    """The type of an option with a status; its old name `handed_on` still works."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the status; any other value is a usage error."""
        return super().convert(STATUSES.get(str(value), value), param, ctx)


@click.group(cls=CommandGroup)
def events() -> None:
    """List, show and redeliver events; pause and resume their forwarding."""


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

    async def work(context: Context) -> tuple[list[KeptEvent], ForwardingPause | None]:
        from paraph.model.event import EventStatus

        chosen = next((one for one in EventStatus if STATUSES[one.value] == status), None)
        async with context.store.reading() as tx:
            page = list(await tx.events.page(status=chosen, limit=limit))
            return page, await tx.forwarding_pause.get()

    found, pause = with_context(config, work)
    rows = [
        (
            one.event_id[:24],
            one.shown_name,
            day(one.received_at),
            STATUSES[one.status.value],
            str(one.attempts),
            one.failure,
        )
        for one in found
    ]
    columns = ("event", "name", "received", "status", "attempts", "last failure")
    show_table(rows, columns=columns)
    if pause is not None:
        click.echo(f"Forwarding is paused since {day(pause.paused_at)} UTC.", err=True)


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
@click.argument("event", nargs=-1)
@click.option("--dead", is_flag=True, help="All dead letters, or those of the filters below.")
@click.option("--name", default="", help="Dead letters with this name, such as meeting.ended.")
@click.option("--account-id", default="", help="Dead letters of this Zoom account.")
@click.option("--user-id", default="", help="Dead letters that name this Zoom user.")
@click.option("--cause", default="", help="Dead letters whose cause contains this text.")
@click.option("--since", type=_TIME, help="Dead letters received at this time (UTC) or later.")
@click.option("--until", type=_TIME, help="Dead letters received before this time (UTC).")
@config_option
def redeliver_events(
    *, event: tuple[str, ...], dead: bool, config: Path | None, **filters: Any
) -> None:
    """Forward events again, from their first attempt.

    EVENT is an id or the start of it. Without EVENT, the dead letters that match all filters are
    forwarded again, oldest first. A running service forwards them within seconds.
    """
    has_filter = dead or any(value not in ("", None) for value in filters.values())
    if has_filter == bool(event):
        raise click.UsageError("Give events, or --dead, or filters of dead letters.")
    if event:
        _redeliver_each(event, config)
    else:
        _redeliver_dead(filters, config)


def _redeliver_each(ids: Sequence[str], config: Path | None) -> None:
    async def work(context: Context) -> None:
        from paraph.events.redelivery import redeliver

        for one in ids:
            found = await redeliver(context, one)
            click.echo(f"{found.event_id} ({found.shown_name}) is due again")

    with_context(config, work)


def _redeliver_dead(filters: Mapping[str, Any], config: Path | None) -> None:
    async def work(context: Context) -> tuple[int, int]:
        from paraph.events.redelivery import redeliver_dead

        matching, done, refused, after = _filter_of(filters), 0, 0, None
        while True:
            some = await redeliver_dead(context, matching, after=after)
            done, refused, after = done + some.done, refused + some.refused, some.after
            if after is None:
                return done, refused
            click.echo(f"{done} dead letters are due again, and more match", err=True)

    done, refused = with_context(config, work)
    click.echo(f"{done} dead letters are due again")
    if refused:
        click.echo(
            f"{refused} were refused: the body was deleted, the installation was removed, or"
            " another call redelivered them first"
        )


def _filter_of(filters: Mapping[str, Any]) -> EventFilter:
    from paraph.model.event import EventFilter

    def seconds(name: str) -> int | None:
        at = filters[name]
        return None if at is None else int(at.replace(tzinfo=UTC).timestamp())

    return EventFilter(
        name=filters["name"],
        account_id=filters["account_id"],
        user_id=filters["user_id"],
        received_from=seconds("since"),
        received_before=seconds("until"),
        failure=filters["cause"],
    )


@events.command()
@config_option
def pause(*, config: Path | None) -> None:
    """Pause the forwarding of events, on all replicas.

    Deliveries are accepted and kept. Deliveries to the host that have begun end within seconds.
    The pause holds until `paraph events resume`, over restarts too.
    """

    async def work(context: Context) -> bool:
        from paraph.events.pausing import pause_forwarding

        return await pause_forwarding(context)

    begun = with_context(config, work)
    click.echo("Forwarding is paused." if begun else "Forwarding was paused already.")
    click.echo("Events are kept until `paraph events resume`.")


@events.command()
@config_option
def resume(*, config: Path | None) -> None:
    """Resume the forwarding of events, oldest first."""

    async def work(context: Context) -> tuple[bool, int]:
        from paraph.events.pausing import resume_forwarding

        ended = await resume_forwarding(context)
        async with context.store.reading() as tx:
            return ended, (await tx.events.backlog()).waiting

    ended, waiting = with_context(config, work)
    click.echo("Forwarding is resumed." if ended else "Forwarding was not paused.")
    click.echo(f"{waiting} events wait.")
