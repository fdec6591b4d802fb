"""Shows the progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_LINE_SECONDS = 5.0


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of counted work; yields a function that advances it."""
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
