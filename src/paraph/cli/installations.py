"""`paraph installations`: what is installed, and by what proof."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from paraph.cli.api_keys import day
from paraph.cli.settings_file import ConfigOption, with_context
from paraph.errors import NotFound
from paraph.lifecycle.context import Context
from paraph.storage.records import Installation

installations = typer.Typer(help="What is installed, and by what proof.", no_args_is_help=True)
_PAGE = 200


@installations.command("list")
def list_installations(
    subject: Annotated[str | None, typer.Option(help="Only this subject's.")] = None,
    config: ConfigOption = None,
) -> None:
    """Show all installations."""

    async def work(context: Context) -> list[Installation]:
        found: list[Installation] = []
        async with context.store.reading() as tx:
            while True:
                page = await tx.installations.page(
                    context.client.client_id,
                    subject=subject,
                    after=found[-1].link.link_id if found else "",
                    limit=_PAGE,
                )
                found.extend(page)
                if len(page) < _PAGE:
                    return found

    table = Table("installation", "subject", "phase", "Zoom user", "since", "proofs")
    for one in with_context(config, work):
        table.add_row(
            one.link.link_id,
            one.link.subject,
            str(one.phase.value),
            one.grant.identity.user_id,
            day(one.link.confirmed_at),
            " ".join(rung.name for rung in one.link.rungs),
        )
    Console().print(table)


@installations.command()
def show(
    installation_id: Annotated[str, typer.Argument(help="From `paraph installations list`.")],
    config: ConfigOption = None,
) -> None:
    """Show one installation with its proofs."""

    async def work(context: Context) -> Installation:
        async with context.store.reading() as tx:
            found = await tx.installations.get(installation_id)
        if found is None:
            raise NotFound(
                f"there is no installation {installation_id}", remedy="paraph installations list"
            )
        return found

    one = with_context(config, work)
    table = Table(show_header=False)
    table.add_row("subject", one.link.subject)
    table.add_row("phase", str(one.phase.value))
    table.add_row("Zoom user", f"{one.grant.display_name} ({one.grant.identity.user_id})")
    table.add_row("Zoom account", one.grant.identity.account_id)
    table.add_row("scopes", " ".join(sorted(one.grant.tokens.scopes)))
    for rung in one.link.rungs:
        table.add_row(f"proof: {rung.name}", f"{day(rung.held_at)}, the word of {rung.word}")
    Console().print(table)
