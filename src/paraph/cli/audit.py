"""`paraph audit`: whether the record of what was done is whole."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from paraph.cli.settings_file import ConfigOption, with_context
from paraph.config import load_settings
from paraph.errors import UsageError
from paraph.lifecycle.audit import ChainVerdict, walk_chain
from paraph.lifecycle.context import Context
from paraph.lifecycle.receipt_export import heads_of
from paraph.service.app import receipt_book

_HEAD = re.compile(r"(?:([0-9]{1,9})/)?([0-9]{1,18}):([0-9a-f]{64})")

audit = typer.Typer(help="The record of what was done.", no_args_is_help=True)


@audit.callback()
def _group() -> None:
    """The record of what was done."""


@audit.command()
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(
            help="EPOCH/NUMBER:DIGEST of an audit.head line that your log kept; repeatable."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Walk the chain; exit 1 when an entry was changed, dropped, moved or rebuilt.

    It is compared with the marks in receipts_folder, and with the heads that you give.
    """
    given = dict(_parse_head(one) for one in head or ())
    settings = load_settings(config)

    async def work(context: Context) -> tuple[ChainVerdict, int]:
        book = receipt_book(settings, context)
        heads = {**({} if book is None else heads_of(book.read().lines)), **given}
        return await walk_chain(context.store, exported_heads=heads), len(heads)

    verdict, compared = with_context(config, work)
    if verdict.broken_at is not None:
        typer.echo(f"The chain breaks at entry {verdict.broken_at}: {verdict.why}.", err=True)
        typer.echo("Compare with a backup from before that entry.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{verdict.entries} entries, unbroken, compared with {compared} exported heads")
    if verdict.restores:
        typer.echo(
            f"{verdict.restores} restores are part of it; {verdict.given_up} exported heads are of "
            "entries that a restore left behind: no tampering, if you restored a backup"
        )
    typer.echo(f"head {verdict.entries}:{verdict.head}")


def _parse_head(text: str) -> tuple[tuple[int, int], str]:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not EPOCH/NUMBER:DIGEST", remedy="Copy all three from the log line."
        )
    return (int(match[1] or 1), int(match[2])), match[3]
