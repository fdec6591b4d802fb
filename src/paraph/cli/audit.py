"""`paraph audit`: verifies that the audit log is complete and unchanged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from paraph.cli.command_group import CommandGroup
from paraph.cli.settings_file import config_option, with_context
from paraph.errors import UsageError

if TYPE_CHECKING:
    from paraph.lifecycle.audit import ChainVerdict
    from paraph.lifecycle.context import Context

_HEAD = re.compile(r"(?:([0-9]{1,9})/)?([0-9]{1,18}):([0-9a-f]{64})")


@click.group(cls=CommandGroup)
def audit() -> None:
    """Verify the audit log."""


@audit.command()
@click.option(
    "--head",
    multiple=True,
    metavar="EPOCH/NUMBER:DIGEST",
    help="The values of an audit.head line that your log kept. Repeatable.",
)
@config_option
def verify(*, head: tuple[str, ...], config: Path | None) -> None:
    """Verify the chain; exit 1 if an entry was changed, dropped, moved or rebuilt.

    It is compared with the marks in receipts_folder, and with the heads that you give.
    """
    from paraph.settings.loading import load_settings

    given = dict(_parse_head(one) for one in head)
    settings = load_settings(config)

    async def work(context: Context) -> tuple[ChainVerdict, int]:
        from paraph.lifecycle.audit import walk_chain
        from paraph.operations.receipt_export import heads_of
        from paraph.service.context import receipt_book

        book = receipt_book(settings, context)
        heads = {**({} if book is None else heads_of(book.read().lines)), **given}
        return await walk_chain(context.store, exported_heads=heads), len(heads)

    verdict, compared = with_context(config, work)
    if verdict.broken_at is not None:
        click.echo(f"The chain breaks at entry {verdict.broken_at}: {verdict.why}.", err=True)
        click.echo("Compare with a backup from before that entry.", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{verdict.entries} entries, unbroken, compared with {compared} exported heads")
    if verdict.restores:
        click.echo(
            f"{verdict.restores} restores are part of it; {verdict.given_up} exported heads are of "
            "entries that a restore dropped: this is not tampering if you restored a backup"
        )
    click.echo(f"head {verdict.entries}:{verdict.head}")


def _parse_head(text: str) -> tuple[tuple[int, int], str]:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not EPOCH/NUMBER:DIGEST", remedy="Copy all three from the log line."
        )
    return (int(match[1] or 1), int(match[2])), match[3]
