"""`paraph audit`: whether the record of what was done is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from paraph.cli.settings_file import ConfigOption, with_context
from paraph.errors import UsageError
from paraph.lifecycle.audit import ChainVerdict, walk_chain
from paraph.lifecycle.context import Context

audit = typer.Typer(help="The record of what was done.", no_args_is_help=True)


@audit.callback()
def _group() -> None:
    """The record of what was done."""


@audit.command()
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(help="NUMBER:DIGEST of an audit.head line that your log kept; repeatable."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Walk the chain; exit 1 when an entry was changed, dropped, moved or rebuilt."""
    heads = dict(_parse_head(one) for one in head or ())

    async def work(context: Context) -> ChainVerdict:
        return await walk_chain(context.store, exported_heads=heads)

    verdict = with_context(config, work)
    if verdict.broken_at is not None:
        typer.echo(f"The chain breaks at entry {verdict.broken_at}: {verdict.why}.", err=True)
        typer.echo("Compare with a backup from before that entry.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{verdict.entries} entries, unbroken; head {verdict.entries}:{verdict.head}")


def _parse_head(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not (number.isascii() and number.isdecimal() and len(digest) == 64):
        raise UsageError(f"{text!r} is not NUMBER:DIGEST", remedy="Copy both from the log line.")
    return int(number), digest
