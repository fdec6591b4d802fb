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
    help="The values of an audit.head line of your log. Repeatable.",
)
@config_option
def verify(*, head: tuple[str, ...], config: Path | None) -> None:
    """Verify the chain; exit 1 if an entry was changed, dropped, moved or rebuilt.

    It is compared with the heads in receipts_folder, and with those of --head.
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

    chain, compared = with_context(config, work)
    if chain.broken_at is not None:
        click.echo(f"The chain breaks at entry {chain.broken_at}: {chain.why}.", err=True)
        click.echo("Compare with a backup from before that entry.", err=True)
        raise click.exceptions.Exit(1)
    click.echo(f"{chain.entries} entries, unbroken, compared with {compared} exported heads")
    if chain.restores:
        click.echo(
            f"It contains {chain.restores} restores. {chain.given_up} exported heads belong to "
            "entries that a restore dropped. That is not tampering if you restored a backup."
        )
    click.echo(f"head {chain.entries}:{chain.head}")


def _parse_head(text: str) -> tuple[tuple[int, int], str]:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not EPOCH/NUMBER:DIGEST",
            remedy="Copy all three from the log line.",
        )
    return (int(match[1] or 1), int(match[2])), match[3]
