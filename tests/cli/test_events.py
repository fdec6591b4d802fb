"""`paraph events`, as an operator runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cli.commands import run_command
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus
from paraph.service.context import open_context
from paraph.settings.loading import load_settings
from storage import sample


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """The command over those settings."""
    done = run_command(folder, "events", *arguments, variables={"COLUMNS": "200"})
    return done.code, done.out + done.err


def over(folder: Path, work: Callable[[Context], Awaitable[Any]]) -> Any:
    """Do something with the database of the settings."""

    async def opened() -> Any:
        async with open_context(load_settings(folder / "paraph.toml")) as (context, _readiness):
            return await work(context)

    return asyncio.run(opened())


def add_dead(folder: Path) -> None:
    """Three dead letters, of which the last one has another name."""

    async def work(context: Context) -> None:
        async with context.store.transaction() as tx:
            for mark, name in (("a", "meeting.ended"), ("b", "meeting.ended"), ("c", "x.y")):
                event = sample.event(
                    mark, name=name, status=EventStatus.DEAD, account_id="", received_at=1_000
                )
                await tx.events.add(event)

    over(folder, work)


def test_pause_and_resume(folder: Path) -> None:
    """Each says what is now true; the list shows the pause."""
    assert (0, True) == (run(folder, "pause")[0], "already" in run(folder, "pause")[1])
    assert "Forwarding is paused since" in run(folder, "list")[1]
    assert "Forwarding is resumed" in run(folder, "resume")[1]
    assert "was not paused" in run(folder, "resume")[1]
    assert "paused" not in run(folder, "list")[1]


def test_redeliver_several_or_by_filter(folder: Path) -> None:
    """Ids or filters, never both and never neither."""
    add_dead(folder)
    assert "1 dead letters" in run(folder, "redeliver", "--name", "x.y")[1]
    assert "0 dead letters" in run(folder, "redeliver", "--since", "2024-01-31T12:00")[1]
    said = run(folder, "redeliver", "event-a", "event-b")[1]
    assert "event-a" in said and "event-b" in said
    assert "0 dead letters" in run(folder, "redeliver", "--dead")[1]


@pytest.mark.parametrize(
    "arguments", [(), ("event-a", "--dead"), ("event-a", "--cause", "x"), ("--since", "yesterday")]
)
def test_a_wrong_redelivery_is_a_usage_error(folder: Path, arguments: tuple[str, ...]) -> None:
    """Without any argument nothing is redelivered: all dead letters need `--dead`."""
    assert 2 == run(folder, "redeliver", *arguments)[0]
