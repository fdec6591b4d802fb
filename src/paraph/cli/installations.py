"""`paraph installations`: what is installed, and by what proof."""

from __future__ import annotations

from typing import Annotated

import typer

from paraph.cli.api_keys import day
from paraph.cli.settings_file import ConfigOption, with_context
from paraph.cli.table import show_table
from paraph.errors import NotFound
from paraph.lifecycle.context import Context
from paraph.lifecycle.housekeeping import revoke_due
from paraph.lifecycle.removal import remove_installation
from paraph.storage.records import Installation, Receipt

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

    rows = [
        (
            one.link.link_id,
            one.link.subject,
            str(one.phase.value),
            one.grant.identity.user_id,
            day(one.link.confirmed_at),
            " ".join(rung.name for rung in one.link.rungs),
        )
        for one in with_context(config, work)
    ]
    columns = ("installation", "subject", "phase", "Zoom user", "since", "proofs")
    show_table(rows, columns=columns)


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
    rows = [
        ("subject", one.link.subject),
        ("phase", str(one.phase.value)),
        ("Zoom user", f"{one.grant.display_name} ({one.grant.identity.user_id})"),
        ("Zoom account", one.grant.identity.account_id),
        ("scopes", " ".join(sorted(one.grant.tokens.scopes))),
        *(
            (f"proof: {rung.name}", f"{day(rung.held_at)}, the word of {rung.word}")
            for rung in one.link.rungs
        ),
    ]
    show_table(rows)


@installations.command()
def remove(
    installation_id: Annotated[str, typer.Argument(help="From `paraph installations list`.")],
    config: ConfigOption = None,
) -> None:
    """End an installation: its tokens are dead here at once, and at Zoom as soon as it answers."""

    async def work(context: Context) -> Receipt:
        receipt = await remove_installation(
            context, installation_id, reason="removed by an operator"
        )
        # What Zoom does not answer now, the running service tries again.
        await revoke_due(context)
        return receipt

    receipt = with_context(config, work)
    typer.echo(f"The installation {installation_id} is removed; receipt {receipt.receipt_id}.")
