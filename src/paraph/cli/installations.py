"""`paraph installations`: shows installations with their proofs, exports and removes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from paraph.cli.command_group import CommandGroup
from paraph.cli.output import day, show_table
from paraph.cli.random_id import IdCommand
from paraph.cli.settings_file import config_option, with_context
from paraph.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from paraph.lifecycle.context import Context
    from paraph.model.installation import Installation
    from paraph.model.removal import Receipt

_PAGE_SIZE = 200


@click.group(cls=CommandGroup)
def installations() -> None:
    """List, show, export and remove installations."""


@installations.command("list")
@click.option("--subject", help="Only the installations of this subject.")
@config_option
def list_installations(*, subject: str | None, config: Path | None) -> None:
    """Show all installations."""

    async def work(context: Context) -> list[Installation]:
        found: list[Installation] = []
        async with context.store.reading() as tx:
            while True:
                page = await tx.installations.page(
                    context.client.client_id,
                    subject=subject,
                    after=found[-1].link.link_id if found else "",
                    limit=_PAGE_SIZE,
                )
                found.extend(page)
                if len(page) < _PAGE_SIZE:
                    return found

    rows = [
        (
            one.link.link_id,
            one.link.subject,
            str(one.phase.value),
            one.grant.identity.user_id,
            day(one.link.confirmed_at),
            " ".join(proof.name for proof in one.link.proofs),
        )
        for one in with_context(config, work)
    ]
    columns = ("installation", "subject", "phase", "Zoom user", "since", "proofs")
    show_table(rows, columns=columns)


@installations.command(cls=IdCommand)
@click.argument("installation_id")
@config_option
def show(*, installation_id: str, config: Path | None) -> None:
    """Show one installation with its proofs.

    INSTALLATION_ID is from `paraph installations list`.
    """

    async def work(context: Context) -> Installation:
        async with context.store.reading() as tx:
            found = await tx.installations.get(installation_id)
        if found is None:
            raise NotFound(
                f"there is no installation {installation_id}",
                remedy="`paraph installations list` shows all ids.",
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
            (f"proof: {proof.name}", f"{day(proof.held_at)}, confirmed by {proof.word}")
            for proof in one.link.proofs
        ),
    ]
    show_table(rows)


@installations.command(cls=IdCommand)
@click.argument("installation_id")
@config_option
def remove(*, installation_id: str, config: Path | None) -> None:
    """Remove an installation.

    INSTALLATION_ID is from `paraph installations list`. Its tokens are no longer vended, and are
    revoked at Zoom as soon as Zoom responds.
    """

    async def work(context: Context) -> Receipt:
        from paraph.lifecycle.hosted_installation import remove_installation
        from paraph.operations.housekeeping import revoke_due

        receipt = await remove_installation(
            context, installation_id, reason="removed by an operator"
        )
        # The running service tries again if Zoom does not respond now.
        await revoke_due(context)
        return receipt

    receipt = with_context(config, work)
    click.echo(f"The installation {installation_id} is removed; receipt {receipt.receipt_id}.")


@installations.command("export", cls=IdCommand)
@click.argument("installation_id", required=False)
@click.option("--account-id", default="", help="The Zoom account, instead of INSTALLATION_ID.")
@click.option("--user-id", default="", help="The Zoom user, with --account-id.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="A new file, instead of the output."
)
@config_option
def export_user_data(
    *,
    installation_id: str | None,
    account_id: str,
    user_id: str,
    output: Path | None,
    config: Path | None,
) -> None:
    """Export all data that is kept of one Zoom user, as JSON.

    INSTALLATION_ID is from `paraph installations list`. The export holds no token, and nothing of
    another user.
    """
    import json

    if bool(installation_id) == bool(account_id and user_id) or bool(account_id) != bool(user_id):
        raise click.UsageError("Give INSTALLATION_ID, or --account-id and --user-id.")

    async def work(context: Context) -> dict[str, Any]:
        from paraph.lifecycle.hosted_installation import get_installation
        from paraph.operations.user_export import export_user

        if not installation_id:
            return await export_user(context, account_id, user_id)
        identity = (await get_installation(context, installation_id)).grant.identity
        return await export_user(context, identity.account_id, identity.user_id)

    def export() -> str:
        return json.dumps(with_context(config, work), indent=2, ensure_ascii=False)

    if output is None:
        click.echo(export())
        return
    # Before the export, which the audit log records.
    with _new_file(output) as file:
        file.write(f"{export()}\n")
    click.echo(f"{output} is written.", err=True)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[str]]:
    """Open a file that did not exist, and that only its owner can read; an error deletes it."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise ConfigurationError(
            [f"{path}: {error.strerror}"], remedy="Choose another file for --output."
        ) from None
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 - An opener with a mode.
            yield file
    except BaseException:
        path.unlink()
        raise
