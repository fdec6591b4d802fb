"""Tables: aligned on a terminal, elsewhere plain lines with tabs between the values."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def show_table(rows: Sequence[Sequence[str]], *, columns: Sequence[str] = ()) -> None:
    """Print rows, below the names of their columns if there are names.

    The first value of a row is an argument of other commands, so it is never cut. Values are never
    read as markup, because subjects, names and failures come from outside.
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
