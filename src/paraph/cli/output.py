"""Output of commands: tables, times, and the progress of long work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from paraph.errors import ConfigurationError

_LINE_SECONDS = 5.0
Command = TypeVar("Command", bound=Callable[..., Any])


def day(epoch: int | None) -> str:
    """Format epoch seconds as a UTC date and time; None is empty."""
    return "" if epoch is None else f"{datetime.fromtimestamp(epoch, tz=UTC):%Y-%m-%d %H:%M}"


def show_table(rows: Sequence[Sequence[str]], *, columns: Sequence[str] = ()) -> None:
    """Print a table: aligned on a terminal, elsewhere lines with tabs between the values.

    The first value of a row is an argument of other commands, so it is never cut. Values are never
    read as markup, because subjects, names and failures come from outside.

    Args:
        rows: the values.
        columns: the names of the columns; without names there is no header.
    """
    if not sys.stdout.isatty():
        for row in [columns, *rows] if columns else rows:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    widest = max((len(row[0]) for row in rows), default=0)
    first = Column(columns[0] if columns else "", no_wrap=True, min_width=widest)
    rest = columns[1:] if columns else [""] * max((len(row) - 1 for row in rows), default=0)
    table = Table(first, *rest, show_header=bool(columns))
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of long work: a bar on a terminal, elsewhere lines.

    Args:
        what: the work that is counted.
        total: the expected count.

    Yields:
        A function that adds to the count.
    """
    if not sys.stderr.isatty():
        yield _Lines(what, total).advance
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def report_options(formats: type[StrEnum]) -> Callable[[Command], Command]:
    """Return a decorator with the options `--format` (as `form`) and `--output` of a report.

    Args:
        formats: the formats; the first one is the default.
    """
    values = [one.value for one in formats]
    form = click.option(
        "--format",
        "form",
        type=click.Choice(values),
        default=values[0],
        help="The format of the report.",
    )
    output = click.option(
        "--output", type=click.Path(path_type=Path), help="Write the report to this file."
    )
    return lambda command: form(output(command))


def demand_writable(output: Path | None, option: str = "--output") -> None:
    """Check that a report can be written, before the work begins.

    Args:
        output: the file; None if it is the standard output.
        option: the option that names it.

    Raises:
        ConfigurationError: it is a folder, or its folder cannot be written to.
    """
    folder = output.parent if output is not None else Path()
    if output is not None and (output.is_dir() or not os.access(folder, os.W_OK)):
        raise ConfigurationError(
            [f"{output}: cannot be written"], remedy=f"Choose another file for {option}."
        )


def write_report(text: str, output: Path | None) -> None:
    """Write a report to a file, or to the standard output without a file.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError([f"{output}: {error.strerror}"]) from None


class _Lines:
    """Prints a line every few seconds, and one at the end."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._next = time.monotonic() + _LINE_SECONDS

    def advance(self, count: int) -> None:
        """Count, and print a line if one is due."""
        self._done += count
        if self._done >= self._total or time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_SECONDS
            click.echo(f"{self._what}: {self._done} of {self._total}", err=True)
